// SPDX-License-Identifier: GPL-2.0
#include "mountpoint.hpp"

#include "../../tools/lib/fd.hpp"
#include "executor.hpp"
#include "genl.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/itme.h>
#include <linux/itme_netlink.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace fuzz
{

using Clock = std::chrono::steady_clock;

/// Reads under way, and kernel workers, take their time in an emulated debug kernel.
static constexpr auto patience = std::chrono::seconds(30);

/// True when it came about in time.
template <class F>
static bool wait_until(F condition)
{
	auto end = Clock::now() + patience;

	while (!condition()) {
		if (Clock::now() > end)
			return false;
		std::this_thread::sleep_for(std::chrono::milliseconds(2));
	}
	return true;
}

void prepare_mountpoint()
{
	mkdir(mount_dir(), 0755);
	chmod(mount_dir(), 0755);
}

static bool mounted(int dir)
{
	struct statfs fs;

	return !fstatfs(dir, &fs) && fs.f_type == ITME_SUPER_MAGIC;
}

static void unlink_all(int root)
{
	std::vector<std::string> names;
	std::error_code error;
	DIR *dir = fdopendir(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!dir)
		return;
	while (const dirent *entry = readdir(dir))
		names.emplace_back(entry->d_name);
	closedir(dir);
	for (const std::string &name : names)
		if (unlinkat(root, name.c_str(), 0) && name != "." && name != "..")
			std::filesystem::remove_all(std::string(mount_dir()) + "/" + name, error);
}

/// With no file left the areas are empty, too.
static std::string areas_left(int root)
{
	itme_swap swap;
	auto full = [&] {
		for (std::uint32_t id = 0;; id = swap.id + 1) {
			swap = {};
			swap.id = id;
			if (ioctl(root, ITME_IOC_SWAP_GET, &swap))
				return false;
			if (swap.used)
				return true;
		}
	};

	if (wait_until([&] { return !full(); }))
		return "";
	return "swap area " + std::to_string(swap.id) + " holds " +
	       std::to_string(static_cast<unsigned long long>(swap.used)) +
	       " bytes, with no file left";
}

static std::string tier_left(int root, unsigned tier)
{
	itme_tier_info info = {};
	/* What was unlinked goes when the last worker lets go of it. */
	bool empty = wait_until([&] {
		info = {};
		info.tier = tier;
		return ioctl(root, ITME_IOC_TIER_GET, &info) ||
		       (!info.used && !info.pinned && !info.busy);
	});

	if (empty)
		return "";
	return "tier " + std::to_string(tier) + " holds " +
	       std::to_string(static_cast<long long>(info.used)) + " bytes, " +
	       std::to_string(static_cast<long long>(info.pinned)) + " pinned, " +
	       std::to_string(static_cast<long long>(info.busy)) + " busy, with no file left";
}

static itme::Fd netlink_socket()
{
	return itme::Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
}

/// The numbers of all plans.
static std::vector<std::uint32_t> plans(int netlink)
{
	Message dump(family().id, ITME_CMD_PLAN_GET, NLM_F_REQUEST | NLM_F_DUMP);
	std::vector<std::uint32_t> ids;

	request(netlink, dump, [&](const nlmsghdr &answer) {
		auto attribute = attribute_of(answer, ITME_A_PLAN_ID);
		std::uint32_t id = 0;

		std::memcpy(&id, attribute.data(), std::min(attribute.size(), sizeof(id)));
		ids.push_back(id);
	});
	return ids;
}

/// Every other one by hand; those that stay are to go with their files.
static std::string delete_plans()
{
	itme::Fd netlink = netlink_socket();
	std::string wrong;

	for (std::uint32_t id : plans(netlink.get())) {
		Message message(family().id, ITME_CMD_PLAN_DEL, NLM_F_REQUEST | NLM_F_ACK);

		if (id % 2)
			continue;
		message.put_u32(ITME_A_PLAN_ID, id);
		/* One that was learned may have gone by itself. */
		long result = request(netlink.get(), message);
		if (result && result != -ENOENT)
			wrong = "a plan cannot be deleted: " + std::to_string(result);
	}
	return wrong;
}

static std::string plans_left()
{
	itme::Fd netlink = netlink_socket();

	if (wait_until([&] { return plans(netlink.get()).empty(); }))
		return "";
	return "plans stay with no file left";
}

static std::string answers_unmounted()
{
	itme::Fd netlink = netlink_socket();
	Message message(family().id, ITME_CMD_STATS_GET, NLM_F_REQUEST | NLM_F_ACK);
	long result = request(netlink.get(), message);

	if (result == -ENODEV)
		return "";
	return "with nothing mounted, netlink answers " + std::to_string(result);
}

static std::string empty_mount(int root)
{
	std::string wrong = delete_plans();

	/* A program may have made it read-only. */
	mount("itme", mount_dir(), "itmefs", MS_REMOUNT, "");
	unlink_all(root);
	for (unsigned tier = 0; tier < ITME_TIER_NVME; tier++)
		if (wrong.empty())
			wrong = tier_left(root, tier);
	if (wrong.empty())
		wrong = areas_left(root);
	if (wrong.empty())
		wrong = plans_left();
	return wrong;
}

static bool module_unused()
{
	std::ifstream in("/sys/module/itme/refcnt");
	int count = -1;

	/* No module is not an unused one. */
	return in >> count && count == 0;
}

std::string reset_mountpoint()
{
	std::string wrong;

	for (;;) {
		itme::Fd dir(open(mount_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

		if (!dir.valid() || !mounted(dir.get()))
			break;
		if (wrong.empty())
			wrong = empty_mount(dir.get());
		dir = itme::Fd();
		if (!wait_until([] { return !umount2(mount_dir(), 0); }))
			return "the mount stays busy with no process left";
	}
	if (wrong.empty() && !wait_until(module_unused))
		wrong = "the super block stays after the last unmount";
	if (wrong.empty())
		wrong = answers_unmounted();
	prepare_mountpoint();
	return wrong;
}

} // namespace fuzz
