// SPDX-License-Identifier: GPL-2.0
// Swap areas. What can be told apart before the module is asked is told apart here.
#include "swap.hpp"

#include "explain.hpp"
#include "files.hpp"
#include "mount.hpp"
#include "mountinfo.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace itme
{
namespace
{

/// Sizes of pages that a machine of Linux may have, this one's first.
std::vector<std::size_t> page_sizes()
{
	const auto own = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
	std::vector<std::size_t> sizes{own};

	for (std::size_t size = 4096; size <= 65536; size *= 2)
		if (size != own)
			sizes.push_back(size);
	return sizes;
}

/// The last ten bytes of what would be the header's page.
std::string signature_at(int fd, std::size_t page)
{
	std::array<char, 10> text{};

	if (::pread(fd, text.data(), text.size(), static_cast<off_t>(page - text.size())) !=
	    static_cast<ssize_t>(text.size()))
		return "";
	return {text.data(), text.size()};
}

std::string format_uuid(const __u8 (&raw)[16])
{
	std::string text;

	if (std::all_of(std::begin(raw), std::end(raw), [](__u8 byte) { return byte == 0; }))
		return text;
	for (std::size_t i = 0; i < sizeof(raw); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text += '-';
		text += fmt::format("{:02x}", raw[i]);
	}
	return text;
}

std::string format_label(const __u8 (&raw)[16])
{
	const auto *const begin = std::begin(raw);

	return {begin, std::find(begin, std::end(raw), 0)};
}

std::string real_path(const std::string &path)
{
	const std::unique_ptr<char, void (*)(void *)> real(::realpath(path.c_str(), nullptr),
							   std::free);

	return real ? real.get() : path;
}

/// Where a block device is mounted; empty when it is not.
std::string mounted_at(const struct stat &st)
{
	if (!S_ISBLK(st.st_mode))
		return "";
	const auto text = read_file("/proc/self/mountinfo");
	for (const auto &mount : parse_mountinfo(text.value_or("")))
		if (mount.dev == st.st_rdev)
			return mount.point;
	return "";
}

Unexpected explain_header(const std::string &path, SwapHeader header)
{
	switch (header) {
	case SwapHeader::hibernated:
		return fail(EBUSY,
			    "{}: holds the memory of a hibernated system; resume that first, or "
			    "give it up: mkswap {}",
			    path, path);
	case SwapHeader::page_size:
		return fail(EINVAL,
			    "{}: its header is from a machine of another page size; write a new "
			    "one, which gives up what is there: mkswap {}",
			    path, path);
	case SwapHeader::version:
		return fail(EINVAL,
			    "{}: its header is of an old version; write a new one: mkswap {}", path,
			    path);
	default:
		return fail(EINVAL, "{}: has no swap header; if nothing on it is needed: mkswap {}",
			    path, path);
	}
}

/// From what the module said, and what can be seen of the thing itself.
Unexpected explain_add(const std::string &path, int fd, const struct stat &st, int code)
{
	const bool file = S_ISREG(st.st_mode);

	switch (code) {
	case EBUSY: {
		if (in_proc_swaps(read_file("/proc/swaps").value_or(""), real_path(path)))
			return fail(code, "{}: in use as the kernel's own swap; 'swapoff {}' first",
				    path, path);
		const std::string point = mounted_at(st);
		if (!point.empty())
			return fail(code, "{}: mounted at {}; unmount it, or take another", path,
				    point);
		return fail(code,
			    "{}: in use, as swap area here ('itmectl swap list') or by somebody "
			    "else ('lsblk', 'fuser -v')",
			    path);
	}
	case EINVAL: {
		const SwapHeader header = read_swap_header(fd);
		if (header != SwapHeader::ours)
			return explain_header(path, header);
		if (file)
			return fail(code,
				    "{}: has holes; write all of it (dd if=/dev/zero of={} bs=1M "
				    "count={} conv=notrunc,fsync), then mkswap {}",
				    path, path, std::max<off_t>(st.st_size >> 20, 1), path);
		return fail(code,
			    "{}: its header is refused; see dmesg, or write a new one: "
			    "mkswap {}",
			    path, path);
	}
	case ENOSPC:
		return fail(code, "{}: nothing is left beside its bad pages; take another drive",
			    path);
	case EROFS:
		return fail(code, "{}: read-only; 'blockdev --setrw' if it should not be", path);
	case EOPNOTSUPP:
		return fail(code, "{}: {}; take a partition, or a file on ext4 or XFS", path,
			    file ? "its file system cannot say where its files are"
				 : "zoned devices cannot be used");
	case E2BIG:
		return fail(code,
			    "{}: there are too many swap areas; remove one, or make a larger "
			    "one",
			    path);
	case EIO:
		return fail(code, "{}: cannot be read; see dmesg", path);
	case EINTR:
		return fail(code, "{}: interrupted; nothing was added", path);
	case ENOMEM:
		return fail(code, "{}: no kernel memory for it; free some and try again", path);
	default:
		return explain_mount(path, code);
	}
}

Unexpected explain_remove(const SwapArea &area, int code)
{
	switch (code) {
	case EINTR:
		return fail(code, "{}: interrupted; it is used as before", area.path);
	case ENOSPC:
		return fail(code,
			    "{}: what lies there has no room elsewhere; raise a budget ('itmectl "
			    "tier set'), add another area, or remove files",
			    area.path);
	case EIO:
		return fail(code,
			    "{}: some of it cannot be read back; remove the files that have it "
			    "('itmectl list', dmesg)",
			    area.path);
	case EBUSY:
		return fail(code, "{}: is being removed already", area.path);
	case ENOENT:
		return fail(code, "{}: no longer a swap area", area.path);
	case ENOMEM:
		return fail(code, "{}: no kernel memory for it; free some and try again",
			    area.path);
	default:
		return explain_mount(area.path, code);
	}
}

Unexpected explain_open(const std::string &path, int code)
{
	switch (code) {
	case EACCES:
	case EPERM:
		return fail(code, "{}: may not be written by you; run it as root", path);
	case EROFS:
		return fail(code, "{}: read-only; take one that can be written", path);
	case ETXTBSY:
		return fail(code,
			    "{}: in use as swap already; 'swapon --show' or 'itmectl swap "
			    "list'",
			    path);
	default:
		return explain_lower(path, code);
	}
}

} // namespace

SwapHeader read_swap_header(int fd)
{
	std::uint32_t version = 0;

	for (const std::size_t page : page_sizes()) {
		const std::string mark = signature_at(fd, page);
		if (mark.empty())
			return page == page_sizes()[0] ? SwapHeader::unreadable : SwapHeader::none;
		if (mark.starts_with("S1SUSPEND") || mark.starts_with("S2SUSPEND") ||
		    mark.starts_with("ULSUSPEND") || mark.starts_with("LINHIB0001"))
			return SwapHeader::hibernated;
		if (mark == "SWAP-SPACE")
			return SwapHeader::version;
		if (mark != "SWAPSPACE2")
			continue;
		if (::pread(fd, &version, sizeof(version), 1024) != sizeof(version))
			return SwapHeader::unreadable;
		if (page != page_sizes()[0])
			return SwapHeader::page_size;
		// The module takes either byte order, as swapon does.
		return version == 1 || version == __builtin_bswap32(1) ? SwapHeader::ours
								       : SwapHeader::version;
	}
	return SwapHeader::none;
}

std::optional<SwapArea> find_swap(const std::vector<SwapArea> &areas, const std::string &name)
{
	const std::string path = real_path(name);
	auto at = std::find_if(areas.begin(), areas.end(), [&](const SwapArea &area) {
		return area.path == name || area.path == path;
	});

	if (at == areas.end()) {
		std::uint32_t id = 0;
		const char *end = name.data() + name.size();
		const auto [rest, ec] = std::from_chars(name.data(), end, id);
		if (ec == std::errc() && rest == end)
			at = std::find_if(areas.begin(), areas.end(),
					  [&](const SwapArea &area) { return area.id == id; });
	}
	return at == areas.end() ? std::nullopt : std::optional(*at);
}

bool in_proc_swaps(std::string_view proc_swaps, std::string_view path)
{
	while (!proc_swaps.empty()) {
		const std::size_t end = proc_swaps.find('\n');
		const std::string_view line = proc_swaps.substr(0, end);
		if (!path.empty() &&
		    unescape_octal(line.substr(0, line.find_first_of(" \t"))) == path)
			return true;
		proc_swaps.remove_prefix(end == std::string_view::npos ? proc_swaps.size()
								       : end + 1);
	}
	return false;
}

Result<std::vector<SwapArea>> Mount::swap_areas()
{
	std::vector<SwapArea> areas;
	std::vector<char> path(4096);

	for (std::uint32_t id = 0;;) {
		itme_swap arg{};

		arg.id = id;
		arg.path = reinterpret_cast<std::uintptr_t>(path.data());
		arg.path_len = static_cast<std::uint32_t>(path.size());
		if (auto ret = root_ioctl(ITME_IOC_SWAP_GET, &arg); !ret) {
			if (ret.error() == ENOENT)
				return areas;
			return explain_mount(path_, ret.error());
		}
		path.back() = '\0';
		areas.push_back({arg.id, arg.flags, arg.prio, arg.bytes, arg.used, arg.read_bytes,
				 arg.write_bytes, arg.errors, path.data(), format_label(arg.label),
				 format_uuid(arg.uuid)});
		// A module that does not count up would be asked for ever.
		if (arg.id < id || arg.id == UINT32_MAX)
			return areas;
		id = arg.id + 1;
	}
}

Result<SwapArea> Mount::swap_add(const SwapRequest &request)
{
	// O_NONBLOCK: a FIFO must not make us wait for its other end.
	const Fd fd(::open(request.path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

	struct stat st {
	};

	if (!fd.valid() || ::fstat(fd.get(), &st))
		return explain_open(request.path, errno);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return fail(EINVAL, "{}: neither a block device nor a regular file", request.path);
	// What programs write, whoever they belong to, would be there for others to read.
	if (S_ISREG(st.st_mode) && (st.st_uid != ::geteuid() || st.st_mode & 077))
		return fail(EPERM,
			    "{}: others may read what is written there; 'chown {} {} && chmod 600 "
			    "{}' first",
			    request.path, ::geteuid(), request.path, request.path);

	itme_swap_add arg{};
	arg.fd = fd.get();
	arg.prio = request.prio;
	arg.flags = request.check ? ITME_SWAP_CHECK : 0;
	if (auto ret = root_ioctl(ITME_IOC_SWAP_ADD, &arg); !ret)
		return explain_add(request.path, fd.get(), st, ret.error());

	const auto areas = swap_areas();
	if (!areas)
		return tl::unexpected(areas.error());
	const auto at = std::find_if(areas->begin(), areas->end(),
				     [&](const SwapArea &area) { return area.id == arg.id; });
	if (at == areas->end())
		return fail(ENOENT, "{}: was added, and removed by somebody else", request.path);
	return *at;
}

Result<void> Mount::swap_remove(const SwapArea &area)
{
	itme_swap_remove arg{};

	arg.id = area.id;
	if (auto ret = root_ioctl(ITME_IOC_SWAP_REMOVE, &arg); !ret)
		return explain_remove(area, ret.error());
	return {};
}

} // namespace itme
