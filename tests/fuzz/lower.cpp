// SPDX-License-Identifier: GPL-2.0
#include "lower.hpp"

#include "../../tools/lib/fd.hpp"
#include "content.hpp"

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
	{"small", 0},	{"page", 1},   {"odd", 2},	  {"chunk", 3}, {"over", 4},
	{"few", 5},	{"big", 6},    {"sparse", 7},	  {"vast", 8},	{"scratch", 9},
	{"empty", 10},	{"tmpfs", 11}, {"directory", 12}, {"null", 13}, {"drive", 14},
	{"fifo", 15},	{"proc", 16},  {"itmefs", 17},	  {"area", 18}, {"area2", 19},
	{"untrue", 20},
};

std::span<const Choice> lower_choices()
{
	return choices;
}

static std::string lower_dir;

constexpr std::uint64_t scratch_size = 300 * kib + 7;

bool known_size(std::uint64_t size)
{
	return std::ranges::find(files, size, &Kind_of_file::size) != std::end(files);
}

std::int64_t first_wrong(std::uint64_t file_size, std::uint64_t offset, const void *data,
			 std::size_t length)
{
	auto file = std::ranges::find(files, file_size, &Kind_of_file::size);

	if (file == std::end(files))
		return -1;
	/* Past the end of the file, in its last page, is zero. */
	return first_not_pattern({static_cast<const std::uint8_t *>(data), length}, offset,
				 file_size, file->hole_end, file_size);
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

		fill_pattern({buffer.data(), n}, at, size);
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

/// A swap area's header, as mkswap(8) writes it.
struct Header {
	std::uint32_t last_page;
	std::uint32_t nr_bad;
};

static void make_area(Lower which, std::uint64_t size, const Header &header)
{
	constexpr std::size_t info = 1024;
	constexpr std::uint32_t version = 1;
	constexpr std::string_view magic = "SWAPSPACE2";
	std::string path = lower_path(which);
	std::vector<char> bytes(size);

	std::memcpy(&bytes[info], &version, sizeof(version));
	std::memcpy(&bytes[info + 4], &header.last_page, sizeof(header.last_page));
	std::memcpy(&bytes[info + 8], &header.nr_bad, sizeof(header.nr_bad));
	std::memcpy(&bytes[4 * kib - magic.size()], magic.data(), magic.size());
	itme::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	check(fd.valid() && write(fd.get(), bytes.data(), size) == static_cast<ssize_t>(size),
	      path);
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
	make_area(Lower::area, 12 * mib, {12 * mib / (4 * kib) - 1, 0});
	make_area(Lower::area2, 3 * mib, {3 * mib / (4 * kib) - 1, 0});
	make_area(Lower::untrue, mib, {1 << 30, 1 << 20});
	remake_scratch();
	sync();
	check(!mkfifo(lower_path(Lower::fifo).c_str(), 0600) || errno == EEXIST, "fifo");
}

} // namespace fuzz
