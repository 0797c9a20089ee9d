// SPDX-License-Identifier: GPL-2.0
// Opening, reading, and all that would write.
#include "content.hpp"
#include "executor.hpp"
#include "lower.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace fuzz
{

static constexpr Choice open_flags[] = {
	{"RDONLY", 0},
	{"WRONLY", O_WRONLY},
	{"RDWR", O_RDWR},
	{"DIRECT", O_DIRECT},
	{"PATH", O_PATH},
	{"CREAT", O_CREAT},
	{"RDWR_CREAT", O_RDWR | O_CREAT},
	{"CREAT_EXCL", O_CREAT | O_EXCL},
	{"TRUNC", O_TRUNC},
	{"RDWR_TRUNC", O_RDWR | O_TRUNC},
	{"APPEND", O_APPEND},
	{"NONBLOCK", O_NONBLOCK},
	{"NOATIME", O_NOATIME},
	{"DIRECTORY", O_DIRECTORY},
	{"TMPFILE", O_TMPFILE | O_RDWR},
	{"SYNC", O_SYNC},
	{"ACCMODE", 3},
};

static void open_file(Executor &exec, const Call &call)
{
	std::string path = std::string(mount_dir()) + "/" + call.text("name").c_str();
	auto flags = static_cast<int>(call.value("flags"));

	exec.put(call, exec.sys(call, [&] { return open(path.c_str(), flags | O_CLOEXEC, 0600); }));
}

static void open_lower(Executor &exec, const Call &call)
{
	std::uint64_t file = call.value("file") % static_cast<std::uint64_t>(Lower::number);
	std::string path = lower_path(static_cast<Lower>(file));
	auto flags = static_cast<int>(call.value("flags"));

	if (static_cast<Lower>(file) == Lower::itmefs)
		path = std::string(mount_dir()) + "/a";
	/* The drive is mounted, and a good file must keep its content. */
	if (file != static_cast<std::uint64_t>(Lower::scratch))
		flags &= ~O_TRUNC;
	if (file < static_cast<std::uint64_t>(Lower::scratch))
		flags &= ~O_ACCMODE;
	exec.put(call, exec.sys(call, [&] {
		return open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0600);
	}));
}

static void reopen(Executor &exec, const Call &call)
{
	std::string path = "/proc/self/fd/" + std::to_string(exec.fd(call));
	auto flags = static_cast<int>(call.value("flags"));

	/* Of a lower file, that would be a way around the above. */
	if (Executor::identify(exec.fd(call)) == Is::other)
		flags &= ~(O_TRUNC | O_ACCMODE);
	exec.put(call, exec.sys(call, [&] { return open(path.c_str(), flags | O_CLOEXEC, 0600); }));
}

static void close_fd(Executor &exec, const Call &call)
{
	/* The slot keeps its number: it is to be used again. */
	if (exec.fd(call) > 2)
		exec.sys(call, [&] { return close(exec.fd(call)); });
}

static void dup_fd(Executor &exec, const Call &call)
{
	exec.put(call, exec.sys(call, [&] { return fcntl(exec.fd(call), F_DUPFD_CLOEXEC, 3); }));
}

/// What is known of the content of a file before it is read.
struct Known {
	std::uint64_t size; ///< of an imported one, else 0
	bool written;
};

/// The size when it is an itmefs file of known content, else 0.
static std::uint64_t known_size_of(int fd)
{
	struct stat st;

	if (Executor::identify(fd) != Is::file || fstat(fd, &st) ||
	    !known_size(static_cast<std::uint64_t>(st.st_size)))
		return 0;
	return static_cast<std::uint64_t>(st.st_size);
}

static Known known(int fd)
{
	return {known_size_of(fd), Executor::is_written(fd)};
}

/// Data that was read into the buffer, unless another thread may have put another file there.
static void judge_data(Executor &exec, const Call &call, const Known &before, std::uint64_t offset,
		       long length)
{
	Known after = known(exec.fd(call));
	auto n = static_cast<std::size_t>(length);

	if (length <= 0)
		return;
	if (before.size && after.size == before.size)
		exec.check_data(call, before.size, offset, read_buffer(), n);
	if (before.written && after.written)
		exec.check_written(call, offset, read_buffer(), n);
}

/// A read of @result bytes at @offset into a good buffer, of which @asked were wanted.
static void judge_read(Executor &exec, const Call &call, const Known &before, std::uint64_t offset,
		       std::uint64_t asked, long result)
{
	int fd = exec.fd(call);
	int flags = fcntl(fd, F_GETFL);
	std::uint64_t size = before.size;

	if (offset > LLONG_MAX - asked)
		return;
	judge_data(exec, call, before, offset, result);
	if (!size || known(fd).size != size || flags < 0)
		return;
	std::uint64_t want = offset >= size ? 0 : std::min(asked, size - offset);

	if (!exec.poisoned)
		exec.expect(call, result, {static_cast<long>(want)}, "reads give all there is");
}

static std::size_t read_length(const Call &call)
{
	return std::min<std::uint64_t>(call.value("length"), buffer_size - 4096);
}

static void do_pread(Executor &exec, const Call &call)
{
	auto how = static_cast<Pointer>(call.value("pointer"));
	int fd = exec.fd(call);
	Known before = known(fd);
	std::uint64_t offset = call.value("offset");
	std::size_t length = read_length(call);
	void *to = how == Pointer::good ? read_buffer() : exec.place(how, length);
	long result =
		exec.sys(call, [&] { return pread(fd, to, length, static_cast<off_t>(offset)); });

	if (how == Pointer::good)
		judge_read(exec, call, before, offset, length, result);
}

static void do_read(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	Known before = known(fd);
	off_t at = lseek(fd, 0, SEEK_CUR);
	std::size_t length = read_length(call);

	/* A FIFO or a terminal would wait. */
	if (Executor::identify(fd) == Is::other)
		return;
	long result = exec.sys(call, [&] { return read(fd, read_buffer(), length); });
	if (!exec.parallel())
		judge_read(exec, call, before, static_cast<std::uint64_t>(at), length, result);
}

static constexpr Choice rwf[] = {{"none", 0},
				 {"HIPRI", RWF_HIPRI},
				 {"NOWAIT", RWF_NOWAIT},
				 {"DSYNC", RWF_DSYNC},
				 {"high", 1U << 31}};

static void do_readv(Executor &exec, const Call &call)
{
	std::size_t length = read_length(call) / 2;
	char *buffer = read_buffer();
	auto flags = static_cast<int>(call.value("flags"));
	std::uint64_t offset = call.value("offset");
	iovec vec[] = {{buffer, length}, {buffer + length, 0}, {buffer + length, length}};
	int fd = exec.fd(call);
	Known before = known(fd);
	long result = exec.sys(
		call, [&] { return preadv2(fd, vec, 3, static_cast<off_t>(offset), flags); });

	if (!flags)
		judge_read(exec, call, before, offset, 2 * length, result);
	else if (offset <= LLONG_MAX)
		judge_data(exec, call, before, offset, result);
}

static void do_splice(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	Known before = known(fd);
	std::uint64_t asked = call.value("offset");
	auto offset = static_cast<off_t>(asked);
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	long result = exec.sys(call, [&] {
		return splice(fd, &offset, pipes[1], nullptr, call.value("length"),
			      static_cast<unsigned>(call.value("flags")));
	});
	if (result > 0) {
		ssize_t n = read(pipes[0], read_buffer(), buffer_size);

		judge_data(exec, call, before, asked, n);
	}
	close(pipes[0]);
	close(pipes[1]);
}

/// Into the scratch file, by sendfile(2) or copy_file_range(2).
static void copy(Executor &exec, const Call &call, bool range)
{
	int out = open(lower_path(Lower::scratch).c_str(), O_WRONLY | O_CLOEXEC);
	auto offset = static_cast<off_t>(call.value("offset"));
	std::size_t length = read_length(call);
	off_t to = 0;

	if (out < 0)
		return;
	exec.sys(call, [&] {
		return range ? copy_file_range(exec.fd(call), &offset, out, &to, length, 0)
			     : sendfile(out, exec.fd(call), &offset, length);
	});
	close(out);
}

static void do_sendfile(Executor &exec, const Call &call)
{
	copy(exec, call, false);
}

static void do_copy_range(Executor &exec, const Call &call)
{
	copy(exec, call, true);
}

/// RWF_NOAPPEND, of Linux 6.9: where the pattern is to be is asked for, not the end.
static constexpr int no_append = 0x20;

/// What was written at @offset is there, but for what another thread does to it.
static void judge_write(Executor &exec, const Call &call, int fd, off_t offset, long result)
{
	std::vector<std::uint8_t> got(static_cast<std::size_t>(std::max(result, 0L)));
	std::string path = "/proc/self/fd/" + std::to_string(fd);
	int in = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (in < 0)
		return;
	long n = pread(in, got.data(), got.size(), offset);
	close(in);
	if (!exec.judged() || exec.poisoned)
		return;
	if (n != result)
		exec.violation(call, "of " + std::to_string(result) + " bytes " +
					     std::to_string(n) + " can be read");
	else if (first_not_pattern(got, static_cast<std::uint64_t>(offset), written_seed, 0,
				   ~0ULL) >= 0)
		exec.violation(call, "what was written is not there");
}

/// What changes a file must fail on imported ones; elsewhere it is done to the scratch file only.
static void do_write(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	Is is = Executor::identify(fd);
	auto offset = static_cast<off_t>(call.value("offset"));
	iovec vec = {read_buffer(), std::max<std::size_t>(1, read_length(call))};

	if (is == Is::other)
		return;
	fill_pattern({reinterpret_cast<std::uint8_t *>(vec.iov_base), vec.iov_len},
		     call.value("offset"), written_seed);
	/* To pwritev2(2) that is where the file is at. */
	if (offset == -1)
		offset--;
	long result = exec.sys(call, [&] { return pwritev2(fd, &vec, 1, offset, no_append); });
	if (is != Is::written)
		exec.expect_error(call, result, "imported files are not written");
	else if (result > 0)
		judge_write(exec, call, fd, offset, result);
}

/// Zeroes, as where the end is then is not known.
static void do_append(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	iovec vec = {read_buffer(), read_length(call)};

	if (Executor::identify(fd) == Is::other)
		return;
	std::memset(vec.iov_base, 0, vec.iov_len);
	exec.sys(call, [&] { return pwritev2(fd, &vec, 1, 0, RWF_APPEND); });
}

static void do_truncate(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	Is is = Executor::identify(fd);
	auto length = static_cast<off_t>(call.value("length"));

	if (is == Is::other)
		return;
	long result = exec.sys(call, [&] { return ftruncate(fd, length); });
	if (is != Is::written)
		exec.expect_error(call, result, "imported files are not truncated");
	if (is != Is::file)
		return;
	std::string path = "/proc/self/fd/" + std::to_string(fd);
	result = exec.sys(call, [&] { return truncate(path.c_str(), length); });
	exec.expect_error(call, result, "imported files are not truncated");
}

static constexpr Choice falloc_modes[] = {{"none", 0},	   {"KEEP_SIZE", 1}, {"PUNCH_HOLE", 3},
					  {"COLLAPSE", 8}, {"ZERO", 16},     {"INSERT", 32}};

static void do_fallocate(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	Is is = Executor::identify(fd);

	if (is == Is::other)
		return;
	long result = exec.sys(call, [&] {
		return fallocate(fd, static_cast<int>(call.value("mode")),
				 static_cast<off_t>(call.value("offset")),
				 static_cast<off_t>(call.value("length")));
	});
	if (is != Is::written)
		exec.expect_error(call, result, "imported files are not allocated");
}

static constexpr Choice fadvices[] = {{"NORMAL", 0},   {"RANDOM", 1},	   {"SEQUENTIAL", 2},
				      {"WILLNEED", 3}, {"DONTNEED", 4},	   {"NOREUSE", 5},
				      {"6", 6},	       {"max", 0x7fffffff}};

static void do_fadvise(Executor &exec, const Call &call)
{
	exec.sys(call, [&] {
		int error = posix_fadvise(exec.fd(call), static_cast<off_t>(call.value("offset")),
					  static_cast<off_t>(call.value("length")),
					  static_cast<int>(call.value("advice")));

		errno = error;
		return error ? -1 : 0;
	});
}

static void do_readahead(Executor &exec, const Call &call)
{
	exec.sys(call, [&] {
		return readahead(exec.fd(call), static_cast<off64_t>(call.value("offset")),
				 call.value("length"));
	});
}

static constexpr Choice whences[] = {{"SET", SEEK_SET},	  {"CUR", SEEK_CUR},   {"END", SEEK_END},
				     {"DATA", SEEK_DATA}, {"HOLE", SEEK_HOLE}, {"5", 5}};

static void do_lseek(Executor &exec, const Call &call)
{
	exec.sys(call, [&] {
		return lseek(exec.fd(call), static_cast<off_t>(call.value("offset")),
			     static_cast<int>(call.value("whence")));
	});
}

static void do_fsync(Executor &exec, const Call &call)
{
	exec.sys(call, [&] { return fsync(exec.fd(call)); });
	exec.sys(call, [&] { return syncfs(exec.fd(call)); });
}

static constexpr Field open_fields[] = {
	{"name", Kind::name}, {"flags", Kind::choice, open_flags}, {"to", Kind::file_fd}};
static constexpr Field close_fields[] = {{"fd", Kind::new_fd}};
static constexpr Field reopen_fields[] = {
	{"fd", Kind::file_fd}, {"flags", Kind::choice, open_flags}, {"to", Kind::new_fd}};
static constexpr Field dup_fields[] = {{"fd", Kind::file_fd}, {"to", Kind::new_fd}};
static constexpr Field pread_fields[] = {{"fd", Kind::file_fd},
					 {"offset", Kind::offset},
					 {"length", Kind::length},
					 {"pointer", Kind::reserved, pointers}};
static constexpr Field range_fields[] = {
	{"fd", Kind::file_fd}, {"offset", Kind::offset}, {"length", Kind::length}};
static constexpr Field read_fields[] = {{"fd", Kind::file_fd}, {"length", Kind::length}};
static constexpr Field readv_fields[] = {{"fd", Kind::file_fd},
					 {"offset", Kind::offset},
					 {"length", Kind::length},
					 {"flags", Kind::choice, rwf}};
static constexpr Field splice_fields[] = {{"fd", Kind::file_fd},
					  {"offset", Kind::offset},
					  {"length", Kind::length},
					  {"flags", Kind::small}};
static constexpr Field falloc_fields[] = {{"fd", Kind::file_fd},
					  {"mode", Kind::choice, falloc_modes},
					  {"offset", Kind::offset},
					  {"length", Kind::length}};
static constexpr Field fadvise_fields[] = {{"fd", Kind::file_fd},
					   {"offset", Kind::offset},
					   {"length", Kind::length},
					   {"advice", Kind::choice, fadvices}};
static constexpr Field lseek_fields[] = {
	{"fd", Kind::file_fd}, {"offset", Kind::offset}, {"whence", Kind::choice, whences}};
static constexpr Field fd_fields[] = {{"fd", Kind::file_fd}};

std::span<const Op> file_ops()
{
	static const Field lower_fields[] = {{"file", Kind::choice, lower_choices()},
					     {"flags", Kind::reserved, open_flags},
					     {"to", Kind::lower_fd}};
	static const Op ops[] = {
		{"open", 8, open_fields, open_file, Makes::file},
		{"lower", 5, lower_fields, open_lower, Makes::lower},
		{"reopen", 2, reopen_fields, reopen},
		{"close", 4, close_fields, close_fd},
		{"dup", 1, dup_fields, dup_fd},
		{"pread", 12, pread_fields, do_pread},
		{"read", 4, read_fields, do_read},
		{"readv", 4, readv_fields, do_readv},
		{"splice", 3, splice_fields, do_splice},
		{"sendfile", 2, range_fields, do_sendfile},
		{"copy_range", 1, range_fields, do_copy_range},
		{"write", 6, range_fields, do_write},
		{"append", 2, read_fields, do_append},
		{"truncate", 3, read_fields, do_truncate},
		{"fallocate", 4, falloc_fields, do_fallocate},
		{"fadvise", 6, fadvise_fields, do_fadvise},
		{"readahead", 3, range_fields, do_readahead},
		{"lseek", 1, lseek_fields, do_lseek},
		{"fsync", 1, fd_fields, do_fsync},
	};

	return ops;
}

} // namespace fuzz
