// SPDX-License-Identifier: GPL-2.0
// The command line, whole: any words, separated by NULs as in /proc/PID/cmdline, over a model of
// the module. Nothing real is done: what would, is replaced below.
#include "fuzz.hpp"

#include "fake_channel.hpp"
#include "fake_device.hpp"
#include "netlink/event.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <memory>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace
{

bool inside;
int sleeps;
itme::test::FakeModule *current;
itme::test::FakeFamily *netlink;

/// Files that may be opened: what else there is may do something when it is.
bool may_open(std::string_view path)
{
	return path == "/dev/null" || path == "/proc/self/exe" || path == "/etc/passwd" ||
	       path == "/etc/group" || path == "/etc/nsswitch.conf" || path == "/";
}

} // namespace

// In place of the system's, for all of this program.
extern "C" {

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_list args;
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	// What is written to (plan save) is only where it does not matter.
	const bool writes =
		(flags & O_ACCMODE) != O_RDONLY && std::string_view(path) != "/dev/null";
	if (inside && (writes || !may_open(path))) {
		errno = ENOENT;
		return -1;
	}
	return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int unshare(int) noexcept
{
	return 0;
}

int mount(const char *, const char *, const char *, unsigned long, const void *) noexcept
{
	return 0;
}

/// run --shm makes a directory in the mount, which is none here.
int mkdirat(int, const char *, mode_t) noexcept
{
	errno = EROFS;
	return -1;
}

int setgroups(size_t, const gid_t *) noexcept
{
	return 0;
}

int initgroups(const char *, gid_t)
{
	return 0;
}

int setresuid(uid_t, uid_t, uid_t) noexcept
{
	return 0;
}

int setresgid(gid_t, gid_t, gid_t) noexcept
{
	return 0;
}

int execvp(const char *, char *const *) noexcept
{
	errno = ENOENT;
	return -1;
}

/// itmectl stat --interval: the intervals end at once, and the third one with an error. So do
/// plan learn --wait, and top.
int nanosleep(const timespec *, timespec *)
{
	if (++sleeps > 2 && current) {
		current->errors[ITME_IOC_STATS] = EINTR;
		netlink->errors[ITME_CMD_PLAN_GET] = {EINTR, "interrupted"};
	}
	return 0;
}

int ppoll(pollfd *, nfds_t, const timespec *time, const sigset_t *)
{
	return nanosleep(time, nullptr);
}

int clock_nanosleep(clockid_t, int, const timespec *time, timespec *left)
{
	return nanosleep(time, left);
}
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto args = fuzz::split(fuzz::text_of(data, size), '\0');
	itme::test::FakeModule module;
	itme::test::FakeFamily family;
	itmectl::Environment env;
	const auto is = [&](std::string_view word) {
		return std::find(args.begin(), args.end(), word) != args.end();
	};

	// These look at the machine itself, and have targets of their own.
	if (is("doctor") || is("holders"))
		return 0;
	module.add("model.gguf", 10ULL << 20, "/dev/null");
	module.add("\x1b[2J\n\xff", 5, "/lower/\xc2\x9b");
	module.files["model.gguf"].map[1] = ITME_TIER_CXL | ITME_MAP_PINNED;
	env.open_mount = [&](const std::string &dir) -> itme::Result<itme::Mount> {
		return itme::Mount(std::make_unique<itme::test::FakeDevice>(module), dir);
	};
	family.module = &module;
	family.plans[1].info = {.id = 1, .name = "decode", .pid = 1};
	family.plans[1].stages = {{{1, 0, 4096}, {2, 0, 5}}, {}, {{9, 0, 0}}};
	family.last_plan = 1;
	family.heard.resize(2);
	for (const auto &[command, name] : itme::event_names)
		family.heard[1].events.push_back(itme::test::FakeChannel::reply(
			itme::Message(command).put_u32(ITME_A_EVENT_OBJECT, 2)));
	env.open_channel = [&]() -> itme::Result<std::unique_ptr<itme::Channel>> {
		return std::make_unique<itme::test::FakeChannel>(family);
	};
	sleeps = 0;
	netlink = &family;
	current = &module;
	inside = true;
	const auto output = fuzz::itmectl(args, env);
	inside = false;
	current = nullptr;
	netlink = nullptr;

	HOLDS(module.reserved_clean);
	// Several objects on several lines are what stat --interval, monitor and top print as JSON.
	const bool maybe_json =
		!output.out.empty() && (output.out[0] == '{' || output.out[0] == '[');
	fuzz::check({output.status, maybe_json && (sleeps || is("monitor")) ? "" : output.out,
		     output.err},
		    maybe_json);
	return 0;
}
