// SPDX-License-Identifier: GPL-2.0
#include "lower.hpp"

#include "../../tools/lib/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vector>

namespace fuzz
{

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

/// Bytes before @hole_end are zero, those after have the pattern.
struct Kind_of_file {
	Lower which;
	std::uint64_t size;
	std::uint64_t hole_end;
};

static constexpr Kind_of_file files[] = {
	{Lower::small, 100, 0},
	{Lower::page, 4 * kib, 0},
	{Lower::odd, 64 * kib + 1, 0},
	{Lower::chunk, 2 * mib, 0},
	{Lower::over, 2 * mib + 1, 0},
	{Lower::few, 5 * mib + 12345, 0},
	{Lower::big, 18 * mib + 4097, 0},
	{Lower::sparse, 40 * mib, 40 * mib - 4 * kib},
	{Lower::vast, 2 * gib + 4 * kib, 2 * gib + 4 * kib},
};

static constexpr Choice choices[] = {
	{"small", 0},  {"page", 1},   {"odd", 2},	 {"chunk", 3}, {"over", 4},
	{"few", 5},    {"big", 6},    {"sparse", 7},	 {"vast", 8},  {"scratch", 9},
	{"empty", 10}, {"tmpfs", 11}, {"directory", 12}, {"null", 13}, {"drive", 14},
	{"fifo", 15},  {"proc", 16},  {"itmefs", 17},
};

std::span<const Choice> lower_choices()
{
	return choices;
}

static std::string lower_dir;

constexpr std::uint64_t scratch_size = 300 * kib + 7;

static std::uint64_t pattern_word(std::uint64_t index, std::uint64_t seed)
{
	std::uint64_t x = (index + seed * 0x100000001b3ULL) * 0x9e3779b97f4a7c15ULL;

	return x ^ (x >> 32);
}

static std::uint8_t pattern_byte(std::uint64_t offset, std::uint64_t seed)
{
	return static_cast<std::uint8_t>(pattern_word(offset / 8, seed) >> (8 * (offset % 8)));
}

bool known_size(std::uint64_t size)
{
	return std::ranges::find(files, size, &Kind_of_file::size) != std::end(files);
}

std::int64_t first_wrong(std::uint64_t file_size, std::uint64_t offset, const void *data,
			 std::size_t length)
{
	auto file = std::ranges::find(files, file_size, &Kind_of_file::size);
	const auto *bytes = static_cast<const std::uint8_t *>(data);

	if (file == std::end(files))
		return -1;
	/* Of much only some: a byte from a wrong place does not come alone. */
	const std::size_t step = length > 256 * kib ? 512 : 8;

	for (std::size_t i = 0; i < length;) {
		std::uint64_t at = offset + i;

		if (at % 8 == 0 && length - i >= 8) {
			std::uint64_t want =
				at < file->hole_end ? 0 : pattern_word(at / 8, file_size);

			if (!std::memcmp(bytes + i, &want, 8)) {
				i += step;
				continue;
			}
		}
		/* Past the end of the file, in its last page, is zero. */
		if (bytes[i] !=
		    (at < file->hole_end || at >= file_size ? 0 : pattern_byte(at, file_size)))
			return static_cast<std::int64_t>(at);
		i++;
	}
	return -1;
}

static void check(bool good, const std::string &what)
{
	if (!good)
		throw std::runtime_error(what + ": " + std::strerror(errno));
}

static void make_file(const std::string &path, std::uint64_t size, std::uint64_t hole_end)
{
	itme::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	std::vector<std::uint8_t> buffer(256 * kib);

	check(fd.valid() && !ftruncate(fd.get(), static_cast<off_t>(size)), path);
	for (std::uint64_t at = hole_end; at < size; at += buffer.size()) {
		std::size_t n = std::min<std::uint64_t>(buffer.size(), size - at);

		for (std::size_t i = 0; i < n; i++)
			buffer[i] = pattern_byte(at + i, size);
		check(pwrite(fd.get(), buffer.data(), n, static_cast<off_t>(at)) ==
			      static_cast<ssize_t>(n),
		      path);
	}
}

std::string lower_path(Lower which)
{
	switch (which) {
	case Lower::tmpfs:
		return "/dev/shm/itmefuzz";
	case Lower::directory:
		return lower_dir;
	case Lower::null:
		return "/dev/null";
	case Lower::drive:
		return "/dev/nvme0n1";
	case Lower::proc:
		return "/proc/self/maps";
	default:
		break;
	}
	for (const Choice &choice : choices)
		if (choice.value == static_cast<std::uint64_t>(which))
			return lower_dir + "/" + std::string(choice.name);
	return "/nonexistent";
}

/// As it was when it was made.
static struct stat scratch_made;

void remake_scratch()
{
	std::string path = lower_path(Lower::scratch);
	struct stat st;

	if (!stat(path.c_str(), &st) && st.st_ino == scratch_made.st_ino &&
	    st.st_size == scratch_made.st_size &&
	    !std::memcmp(&st.st_mtim, &scratch_made.st_mtim, sizeof(st.st_mtim)))
		return;
	unlink(path.c_str());
	make_file(path, scratch_size, 0);
	check(!stat(path.c_str(), &scratch_made), path);
}

void make_lowers(const std::string &dir)
{
	lower_dir = dir;
	for (const auto &file : files)
		make_file(lower_path(file.which), file.size, file.hole_end);
	make_file(lower_path(Lower::empty), 0, 0);
	make_file(lower_path(Lower::tmpfs), mib, 0);
	remake_scratch();
	sync();
	check(!mkfifo(lower_path(Lower::fifo).c_str(), 0600) || errno == EEXIST, "fifo");
}

} // namespace fuzz
