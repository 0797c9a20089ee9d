// SPDX-License-Identifier: GPL-2.0
#include "mount.hpp"

#include "explain.hpp"
#include "files.hpp"
#include "nodes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace itme
{

Mount::Mount(std::unique_ptr<Device> device, std::string path) :
	device_(std::move(device)), path_(std::move(path))
{
}

Raw<void> Mount::root_ioctl(unsigned long request, void *arg)
{
	return device_->ioctl(device_->root(), request, arg);
}

Result<itme_info> Mount::info()
{
	itme_info arg{};

	if (auto ret = root_ioctl(ITME_IOC_INFO, &arg); !ret)
		return explain_mount(path_, ret.error());
	return arg;
}

Result<Tier> Mount::tier(itme_tier tier)
{
	itme_tier_info arg{};

	arg.tier = tier;
	if (auto ret = root_ioctl(ITME_IOC_TIER_GET, &arg); !ret)
		return explain_mount(path_, ret.error());

	Tier result;
	result.tier = tier;
	result.nodes = nodes_of_mask(arg.nodes);
	result.budget = arg.budget;
	result.used = arg.used;
	result.pinned = arg.pinned;
	result.busy = arg.busy;
	result.capacity = arg.capacity;
	result.free = arg.free;
	return result;
}

Result<Tier> Mount::set_budget(itme_tier tier, std::uint64_t bytes)
{
	itme_tier_info arg{};

	arg.tier = tier;
	arg.budget = bytes;
	if (auto ret = root_ioctl(ITME_IOC_TIER_SET, &arg); !ret) {
		const int code = ret.error();
		const auto now = this->tier(tier);
		const auto can = info();
		return explain_budget(tier, bytes, now ? *now : Tier{}, can ? can->chunk_max : 0,
				      code);
	}
	return this->tier(tier);
}

Result<std::vector<std::string>> Mount::names()
{
	auto names = device_->names();

	if (!names)
		return explain_mount(path_, names.error());
	return *names;
}

namespace
{

/// A path from the root: no part of it is empty or leads up.
bool is_name(std::string_view name)
{
	while (true) {
		const std::size_t end = name.find('/');
		const std::string_view part = name.substr(0, end);
		if (part.empty() || part == "." || part == "..")
			return false;
		if (end == std::string_view::npos)
			return true;
		name.remove_prefix(end + 1);
	}
}

} // namespace

Result<File> Mount::open(const std::string &name)
{
	if (!is_name(name))
		return fail(EINVAL, "'{}' is not the name of a file there; see 'itmectl list'",
			    name);
	auto fd = device_->open(name);
	if (!fd)
		return explain_file(name, fd.error());
	return File(*device_, std::move(*fd), name);
}

namespace
{

/// What keeps us from opening any file at all. The rest somebody can do to his own while we look:
/// remove it, put a link, a FIFO or a directory in its place, hold a lease, mount over it.
bool is_ours(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOMEM || code == EINTR;
}

} // namespace

Result<std::vector<Object>> Mount::objects()
{
	const auto all = names();
	std::vector<Object> objects;

	if (!all)
		return tl::unexpected(all.error());
	for (const auto &name : *all) {
		auto file = open(name);
		if (!file && !is_ours(file.error().code))
			continue;
		if (!file)
			return tl::unexpected(file.error());
		auto object = file->object();
		if (!object)
			return tl::unexpected(object.error());
		objects.push_back(std::move(*object));
	}
	return objects;
}

Result<std::optional<Object>> Mount::find_import(const std::string &path)
{
	struct stat st {
	};

	if (::stat(path.c_str(), &st))
		return explain_lower(path, errno);
	const auto all = objects();
	if (!all)
		return tl::unexpected(all.error());
	const auto at = std::find_if(all->begin(), all->end(), [&](const Object &object) {
		return !(object.flags & ITME_OBJECT_NATIVE) && object.lower_ino == st.st_ino &&
		       object.lower_dev == st.st_dev;
	});
	return at == all->end() ? std::nullopt : std::optional(*at);
}

Result<void> Mount::remove(const std::string &name)
{
	if (auto file = open(name); !file)
		return tl::unexpected(file.error());
	if (auto ret = device_->unlink(name); !ret)
		return explain_file(name, ret.error());
	return {};
}

Result<itme_stats> Mount::stats()
{
	itme_stats arg{};

	if (auto ret = root_ioctl(ITME_IOC_STATS, &arg); !ret)
		return explain_mount(path_, ret.error());
	return arg;
}

Result<void> Mount::limit(int dir, std::uint64_t bytes)
{
	itme_limit arg{};

	arg.bytes = bytes;
	arg.flags = ITME_LIMIT_SET;
	if (auto ret = device_->ioctl(dir, ITME_IOC_LIMIT, &arg); !ret)
		return explain_mount(path_, ret.error());
	return {};
}

std::optional<MountEntry> find_itmefs(const std::vector<MountEntry> &mounts)
{
	const auto at = std::find_if(mounts.begin(), mounts.end(), [](const MountEntry &mount) {
		return mount.fstype == "itmefs" && mount.root == "/";
	});

	return at == mounts.end() ? std::nullopt : std::optional(*at);
}

Result<Mount> open_mount(const std::string &dir)
{
	std::string path = dir;

	if (path.empty()) {
		const auto text = read_file("/proc/self/mountinfo");
		if (!text)
			return tl::unexpected(text.error());
		const auto found = find_itmefs(parse_mountinfo(*text));
		if (!found)
			return explain_no_mount();
		path = found->point;
	}

	Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!root.valid())
		return fail(errno, "{}: {}", path, std::strerror(errno));

	struct statfs fs {
	};

	if (::fstatfs(root.get(), &fs))
		return fail(errno, "{}: {}", path, std::strerror(errno));
	if (fs.f_type != ITME_SUPER_MAGIC)
		return fail(ENODEV,
			    "{}: not an itmefs mount; 'findmnt -t itmefs' shows where one is",
			    path);
	return Mount(kernel_device(std::move(root)), path);
}

} // namespace itme
