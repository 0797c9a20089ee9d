// SPDX-License-Identifier: GPL-2.0
// Mappings, and the memory in them.
#include "content.hpp"
#include "executor.hpp"
#include "lower.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace fuzz
{

static constexpr std::size_t page = 4096;

static constexpr Choice protections[] = {{"READ", 0}, {"NONE", 1}, {"WRITE", 2}, {"EXEC", 3}};
static constexpr int protection_bits[] = {PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE,
					  PROT_READ | PROT_EXEC};
static constexpr Choice map_flags[] = {
	{"PRIVATE", 0},
	{"SHARED", MAP_SHARED},
	{"SHARED_POPULATE", MAP_SHARED | MAP_POPULATE},
	{"PRIVATE_POPULATE", MAP_POPULATE},
	{"SHARED_LOCKED", MAP_SHARED | MAP_LOCKED},
	{"SHARED_NORESERVE", MAP_SHARED | MAP_NORESERVE},
	{"VALIDATE_SYNC", MAP_SHARED_VALIDATE | MAP_SYNC},
};

static int protection(const Call &call)
{
	return protection_bits[call.value("protection") % std::size(protection_bits)];
}

/// Part of a mapping, within it but for what "beyond" adds.
struct Part {
	char *at;
	std::size_t length;
};

static Part part_of(Executor &exec, const Call &call)
{
	Mapping &map = exec.map(call);
	std::uint64_t offset = call.value("offset") & ~(page - 1);
	std::uint64_t length =
		std::min<std::uint64_t>(call.value("length"), Executor::map_area_size);

	if (!map.base || !map.length)
		return {nullptr, 0};
	offset = std::min<std::uint64_t>(offset, map.length - 1) & ~(page - 1);
	return {map.base + offset, length ? std::min<std::uint64_t>(length, map.length - offset)
					  : map.length - offset};
}

static void do_mmap(Executor &exec, const Call &call)
{
	Mapping &map = exec.map(call, "to");
	int fd = exec.fd(call);
	std::uint64_t offset = call.value("offset") & ~(page - 1);
	std::size_t length =
		std::min<std::uint64_t>(call.value("length"), Executor::map_area_size - page);
	auto flags = static_cast<int>(call.value("flags"));
	Is is = Executor::identify(fd);
	struct stat st;

	if (!(flags & MAP_TYPE))
		flags |= MAP_PRIVATE;
	if (fstat(fd, &st))
		st.st_size = 0;
	if (!length)
		length = std::clamp<std::size_t>(static_cast<std::size_t>(st.st_size), page,
						 64 << 20);
	/* By a page off from where a huge page could be, when asked. */
	char *at = exec.map_area(map) + (call.value("skew") ? page : 0);
	/* A swap area is written to by nobody else. */
	int bits =
		is == Is::other && (flags & MAP_TYPE) != MAP_PRIVATE ? PROT_READ : protection(call);
	map.changes++;
	/* Nothing of what was there before must stay behind the new one. */
	exec.clear(map);
	long result = exec.sys(call, [&] {
		void *got =
			mmap(at, length, bits, flags | MAP_FIXED, fd, static_cast<off_t>(offset));

		return got == MAP_FAILED ? -1 : 0;
	});
	if (!result) {
		map.written = is == Is::written;
		map.itmefs = is == Is::file;
		map.base = at;
		map.length = (length + page - 1) & ~(page - 1);
		map.offset = offset;
		map.shared = (flags & MAP_TYPE) != MAP_PRIVATE;
		map.file_size = map.itmefs && known_size(static_cast<std::uint64_t>(st.st_size))
					? static_cast<std::uint64_t>(st.st_size)
					: 0;
	}
	map.changes++;
}

static void do_munmap(Executor &exec, const Call &call)
{
	Mapping &map = exec.map(call);
	Part part = part_of(exec, call);

	if (!part.at)
		return;
	map.changes++;
	exec.sys(call, [&] { return munmap(part.at, part.length); });
	map.changes++;
}

/// To another slot, or longer or shorter where it is.
static void do_mremap(Executor &exec, const Call &call)
{
	Mapping &map = exec.map(call);
	Mapping &to = exec.map(call, "to");
	std::size_t length = std::clamp<std::uint64_t>(call.value("length"), page,
						       Executor::map_area_size - page);
	bool move = &map != &to;

	if (!map.base)
		return;
	map.changes++;
	to.changes++;
	char *at = exec.map_area(to);
	if (move)
		exec.clear(to);
	long result = exec.sys(call, [&] {
		void *got = mremap(map.base, map.length, length,
				   move ? MREMAP_MAYMOVE | MREMAP_FIXED : 0, at);

		return got == MAP_FAILED ? -1 : 0;
	});
	if (!result && move) {
		to.base = at;
		to.offset = map.offset;
		to.file_size = map.file_size;
		to.shared = map.shared;
		to.itmefs = map.itmefs;
		to.written = map.written;
		map.base = nullptr;
	}
	if (!result)
		to.length = (length + page - 1) & ~(page - 1);
	map.changes++;
	to.changes++;
}

static void do_mprotect(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);
	Mapping &map = exec.map(call);

	if (map.shared && !map.itmefs && !map.written && (protection(call) & PROT_WRITE))
		return;
	long result =
		exec.sys(call, [&] { return mprotect(part.at, part.length, protection(call)); });

	if (part.at && map.itmefs && map.shared && (protection(call) & PROT_WRITE))
		exec.expect_error(call, result, "a shared mapping cannot be made writable");
}

static constexpr Choice madvices[] = {
	{"NORMAL", MADV_NORMAL},
	{"RANDOM", MADV_RANDOM},
	{"SEQUENTIAL", MADV_SEQUENTIAL},
	{"WILLNEED", MADV_WILLNEED},
	{"DONTNEED", MADV_DONTNEED},
	{"FREE", MADV_FREE},
	{"REMOVE", MADV_REMOVE},
	{"DONTFORK", MADV_DONTFORK},
	{"DOFORK", MADV_DOFORK},
	{"MERGEABLE", MADV_MERGEABLE},
	{"UNMERGEABLE", MADV_UNMERGEABLE},
	{"HUGEPAGE", MADV_HUGEPAGE},
	{"NOHUGEPAGE", MADV_NOHUGEPAGE},
	{"DONTDUMP", MADV_DONTDUMP},
	{"DODUMP", MADV_DODUMP},
	{"WIPEONFORK", MADV_WIPEONFORK},
	{"COLD", MADV_COLD},
	{"PAGEOUT", MADV_PAGEOUT},
	{"POPULATE_READ", 22},
	{"POPULATE_WRITE", 23},
	{"DONTNEED_LOCKED", 24},
	{"COLLAPSE", 25},
	{"SOFT_OFFLINE", 101},
	{"HWPOISON", 100},
	{"200", 200},
};

static void do_madvise(Executor &exec, const Call &call)
{
	auto advice = static_cast<int>(call.value("advice"));
	Mapping &map = exec.map(call);
	Part part = part_of(exec, call);

	if (!part.at)
		return;
	if (advice == 100 || advice == 101) {
		/* One page of ours: bad memory is lost to the guest until it ends. */
		if (!map.itmefs && !map.written)
			return;
		part.length = page;
		exec.poisoned = true;
	}
	exec.sys(call, [&] { return madvise(part.at, part.length, advice); });
}

static constexpr Choice locks[] = {{"LOCK", 0}, {"ONFAULT", 1}, {"UNLOCK", 2}};

static void do_mlock(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);

	exec.sys(call, [&] {
		return call.value("how") == 2 ? munlock(part.at, part.length)
					      : mlock2(part.at, part.length, call.value("how") & 1);
	});
}

static void do_msync(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);

	exec.sys(call, [&] {
		return msync(part.at, part.length, static_cast<int>(call.value("flags")));
	});
}

static void do_mincore(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);

	exec.sys(call, [&] {
		return mincore(part.at, part.length,
			       reinterpret_cast<unsigned char *>(read_buffer()));
	});
}

/// Whether what was copied out of a mapping is what the file has there.
static void judge_part(Executor &exec, const Call &call, const Part &part, unsigned changes,
		       std::size_t length)
{
	Mapping &map = exec.map(call);
	std::uint64_t offset = map.offset + static_cast<std::uint64_t>(part.at - map.base);
	std::uint64_t size = map.file_size;

	/* A private one may have been written to; a changed one may be another by now. */
	if (!map.shared || changes % 2 || map.changes != changes)
		return;
	if (map.written)
		exec.check_written(call, offset, read_buffer(), length);
	if (!size || offset >= size)
		return;
	exec.check_data(call, size, offset, read_buffer(), length);
}

static void touch(Executor &exec, const Call &call)
{
	unsigned changes = exec.map(call).changes;
	Part part = part_of(exec, call);
	std::size_t length = std::min(part.length, buffer_size);
	int signal = -1;

	if (!part.at)
		return;
	/* errno has the signal's number. */
	exec.sys(call, [&] {
		signal = safe_copy(read_buffer(), part.at, length);
		errno = signal;
		return signal ? -1 : 0;
	});
	if (!signal)
		judge_part(exec, call, part, changes, length);
}

/// Writes: private mappings and those of written files let it.
static void poke(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);
	const Mapping &map = exec.map(call);
	std::size_t length = std::min(part.length, page);
	std::uint64_t offset = map.offset + static_cast<std::uint64_t>(part.at - map.base);

	if (!part.at)
		return;
	/* Another thread may map something else there meanwhile. */
	if (exec.parallel())
		std::memset(read_buffer(), 0, length);
	else
		fill_pattern({reinterpret_cast<std::uint8_t *>(read_buffer()), length}, offset,
			     written_seed);
	exec.sys(call, [&] {
		errno = safe_copy(part.at, read_buffer(), length);
		return errno ? -1 : 0;
	});
}

/// O_DIRECT writes pin the pages they come from.
static void gup(Executor &exec, const Call &call)
{
	int out = open(lower_path(Lower::scratch).c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
	Part part = part_of(exec, call);

	exec.sys(call, [&] { return pwrite(out, part.at, std::min(part.length, buffer_size), 0); });
	if (out >= 0)
		close(out);
}

/// Pages of the mapping stay in a pipe until the program ends.
static void do_vmsplice(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);
	iovec vec = {part.at, part.length};
	int pipes[2];

	if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
		return;
	exec.sys(call, [&] { return vmsplice(pipes[1], &vec, 1, 0); });
}

static void remote_read(Executor &exec, const Call &call)
{
	unsigned changes = exec.map(call).changes;
	Part part = part_of(exec, call);
	iovec local = {read_buffer(), std::min(part.length, buffer_size)};
	iovec remote = {part.at, local.iov_len};
	long result = exec.sys(
		call, [&] { return process_vm_readv(getpid(), &local, 1, &remote, 1, 0); });

	if (part.at && result > 0)
		judge_part(exec, call, part, changes, static_cast<std::size_t>(result));
}

/// A child with the same mappings, that reads and goes.
static void fork_touch(Executor &exec, const Call &call)
{
	Part part = part_of(exec, call);
	pid_t child = static_cast<pid_t>(exec.sys(call, [&] { return fork(); }));

	if (!child) {
		if (part.at)
			safe_copy(read_buffer(), part.at, std::min(part.length, buffer_size));
		_exit(0);
	}
	if (child > 0)
		waitpid(child, nullptr, 0);
}

/// Pages of the mapping to a node, by move_pages(2) or mbind(2).
static void move_to_node(Executor &exec, const Call &call)
{
	constexpr unsigned most = 1024;
	Part part = part_of(exec, call);
	auto node = static_cast<int>(call.value("node"));
	unsigned long mask = 1UL << (node & 7);

	if (call.value("bind")) {
		exec.sys(call, [&] {
			return syscall(SYS_mbind, part.at, part.length, MPOL_BIND, &mask, 64,
				       MPOL_MF_MOVE_ALL | MPOL_MF_STRICT);
		});
		return;
	}
	std::size_t count = std::min<std::size_t>(most, part.length / page);
	std::vector<void *> pages(count);
	std::vector<int> nodes(count, node);
	std::vector<int> status(count);

	for (std::size_t i = 0; i < count; i++)
		pages[i] = part.at + i * page;
	exec.sys(call, [&] {
		return syscall(SYS_move_pages, 0, count, pages.data(), nodes.data(), status.data(),
			       MPOL_MF_MOVE_ALL);
	});
}

static constexpr Field mmap_fields[] = {
	{"fd", Kind::file_fd},
	{"offset", Kind::offset},
	{"length", Kind::length},
	{"protection", Kind::choice, protections},
	{"flags", Kind::choice, map_flags},
	{"skew", Kind::reserved},
	{"to", Kind::map},
};
static constexpr Field part_fields[] = {
	{"map", Kind::map}, {"offset", Kind::offset}, {"length", Kind::length}};
static constexpr Field mremap_fields[] = {
	{"map", Kind::map}, {"to", Kind::map}, {"length", Kind::length}};
static constexpr Field protect_fields[] = {{"map", Kind::map},
					   {"offset", Kind::offset},
					   {"length", Kind::length},
					   {"protection", Kind::choice, protections}};
static constexpr Field madvise_fields[] = {{"map", Kind::map},
					   {"offset", Kind::offset},
					   {"length", Kind::length},
					   {"advice", Kind::choice, madvices}};
static constexpr Field mlock_fields[] = {{"map", Kind::map},
					 {"offset", Kind::offset},
					 {"length", Kind::length},
					 {"how", Kind::choice, locks}};
static constexpr Field msync_fields[] = {{"map", Kind::map},
					 {"offset", Kind::offset},
					 {"length", Kind::length},
					 {"flags", Kind::small}};
static constexpr Field move_fields[] = {{"map", Kind::map},
					{"offset", Kind::offset},
					{"length", Kind::length},
					{"node", Kind::small},
					{"bind", Kind::reserved}};

static constexpr Op ops[] = {
	{"mmap", 10, mmap_fields, do_mmap, Makes::map},
	{"munmap", 3, part_fields, do_munmap},
	{"mremap", 2, mremap_fields, do_mremap},
	{"mprotect", 2, protect_fields, do_mprotect},
	{"madvise", 12, madvise_fields, do_madvise},
	{"mlock", 3, mlock_fields, do_mlock},
	{"msync", 1, msync_fields, do_msync},
	{"mincore", 1, part_fields, do_mincore},
	{"touch", 14, part_fields, touch},
	{"poke", 6, part_fields, poke},
	{"gup", 4, part_fields, gup},
	{"vmsplice", 3, part_fields, do_vmsplice},
	{"remote_read", 2, part_fields, remote_read},
	{"fork_touch", 2, part_fields, fork_touch},
	{"move_pages", 3, move_fields, move_to_node},
};

std::span<const Op> map_ops()
{
	return ops;
}

} // namespace fuzz
