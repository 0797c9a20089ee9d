// SPDX-License-Identifier: GPL-2.0
#include "explain.hpp"

#include "files.hpp"
#include "names.hpp"
#include "size.hpp"

#include <cerrno>
#include <cstring>

namespace itme
{
namespace
{

const char *const need_root = "needs CAP_SYS_ADMIN; run it as root";

bool itmefs_registered()
{
	const auto text = read_file("/proc/filesystems");

	return text && text->find("\titmefs\n") != std::string::npos;
}

} // namespace

Unexpected explain_no_mount()
{
	return fail(ENODEV,
		    "no itmefs is mounted; as root: {}mkdir -p /mnt/itme && "
		    "mount -t itmefs -o dram=SIZE,cxl=SIZE itme /mnt/itme",
		    itmefs_registered() ? "" : "modprobe itme && ");
}

Unexpected explain_no_family()
{
	if (itmefs_registered())
		return fail(ENOENT, "the netlink family itme is in the initial network namespace "
				    "only: nsenter --net --target 1 itmectl ...");
	return fail(ENOENT, "itme module is not loaded: modprobe itme");
}

Unexpected explain_netlink(int code, const std::string &why)
{
	const std::string text = why.empty() ? std::strerror(code) : why;

	if (code == EPERM)
		return fail(code, "{}; run it as root", text);
	return fail(code, "{}", text);
}

Unexpected explain_mount(const std::string &path, int code)
{
	switch (code) {
	case EPERM:
		return fail(code, "{}: {}", path, need_root);
	case ENOTTY:
		return fail(code,
			    "{}: the loaded module does not know this request; load the itme.ko "
			    "that came with this itmectl",
			    path);
	default:
		return fail(code, "{}: {}", path, std::strerror(code));
	}
}

Unexpected explain_file(const std::string &name, int code)
{
	switch (code) {
	case ENOENT:
		return fail(code, "{}: no such file; 'itmectl list' shows them", name);
	case EACCES:
		return fail(code,
			    "{}: permission denied; the mode of an imported file is that of "
			    "the lower file",
			    name);
	case EPERM:
		return fail(code, "{}: {}", name, need_root);
	case ENOTTY:
		return fail(code,
			    "{}: the loaded module does not know this request; load the itme.ko "
			    "that came with this itmectl",
			    name);
	default:
		return fail(code, "{}: {}", name, std::strerror(code));
	}
}

Unexpected explain_range(const std::string &name, Range range, int code)
{
	if (code == EINVAL || code == EOVERFLOW)
		return fail(code, "{}: the range {}+{} does not start inside the file", name,
			    range.offset, range.length);
	return explain_file(name, code);
}

Unexpected explain_advise(const std::string &name, const Advice &advice, int code)
{
	switch (code) {
	case ENOSPC:
		return fail(code,
			    "{}: the range does not fit the {} tier beside what is pinned there; "
			    "raise the budget ('itmectl tier set') or pin less",
			    name, advice.tier == ITME_TIER_ANY ? "dram" : tier_name(advice.tier));
	case EINVAL:
		return fail(code,
			    "{}: '{}' to tier {} of range {}+{} is refused: the range has to start "
			    "inside the file, and the tier to be one this advice can go to",
			    name, advice_name(advice.advice), tier_name(advice.tier),
			    advice.range.offset, advice.range.length);
	case EIO:
		return fail(code, "{}: the lower file cannot be read there; see dmesg", name);
	case EINTR:
		return fail(code, "{}: interrupted", name);
	default:
		return explain_file(name, code);
	}
}

Unexpected explain_budget(itme_tier tier, std::uint64_t bytes, const Tier &now,
			  std::uint64_t chunk_max, int code)
{
	const auto what = tier_name(tier);

	switch (code) {
	case EINVAL:
		if (now.capacity && bytes > now.capacity)
			return fail(code, "{}: {} is more than its nodes have ({})", what,
				    format_size(bytes), format_size(now.capacity));
		if (now.nodes.empty())
			return fail(code, "{}: the tier has no node; mount with {}_nodes=LIST",
				    what, what);
		if (chunk_max && bytes < 4 * chunk_max)
			return fail(code, "{}: {} is below the minimum of {}{}", what,
				    format_size(bytes), format_size(4 * chunk_max),
				    tier == ITME_TIER_CXL ? " (0 turns the tier off)" : "");
		return fail(code, "{}: a budget of {} is refused; see dmesg", what,
			    format_size(bytes));
	case EBUSY:
		return fail(code,
			    "{}: {} of it is pinned; unpin some ('itmectl advise unpin NAME') or "
			    "keep the budget above that",
			    what, format_size(now.pinned));
	case EPERM:
		return fail(code, "{}: {}", what, need_root);
	case EINTR:
		return fail(code, "{}: interrupted", what);
	case ENOTTY:
		return explain_mount(std::string(what), code);
	default:
		return fail(code, "{}: {}", what, std::strerror(code));
	}
}

Unexpected explain_lower(const std::string &path, int code)
{
	switch (code) {
	case ENOENT:
		return fail(code, "{}: no such file; check the path", path);
	case EACCES:
		return fail(code, "{}: not readable for you; check its mode, or run as its owner",
			    path);
	case EMFILE:
	case ENFILE:
		return fail(code, "{}: too many open files; raise 'ulimit -n'", path);
	default:
		return fail(code, "{}: {}", path, std::strerror(code));
	}
}

Unexpected explain_import(const std::string &path, const std::string &name, int code)
{
	switch (code) {
	case EEXIST:
		return fail(code,
			    "{}: the name '{}' is taken; give another with --name, or "
			    "'itmectl remove' it first",
			    path, name);
	case ETXTBSY:
		return fail(code,
			    "{}: somebody has it open for writing (a download under way?); "
			    "'fuser -v' shows who, try again when it is complete",
			    path);
	case ENODATA:
		return fail(code, "{}: empty; import it when it is complete", path);
	case ELOOP:
		return fail(code,
			    "{}: is on itmefs itself or on too deep a stack of file systems; "
			    "import the original file",
			    path);
	case EINVAL:
		return fail(code,
			    "{}: its file system cannot do O_DIRECT; copy it to ext4 or XFS on the "
			    "NVMe drive",
			    path);
	case EBADF:
		return fail(code, "{}: not open for reading; check its mode", path);
	case EPERM:
		return fail(code, "{}: import {}", path, need_root);
	case ENOMEM:
		return fail(code, "{}: no kernel memory for it; free some and try again", path);
	case ENOTTY:
		return explain_mount(path, code);
	default:
		return fail(code, "{}: {}", path, std::strerror(code));
	}
}

} // namespace itme
