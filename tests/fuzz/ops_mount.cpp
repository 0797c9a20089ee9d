// SPDX-License-Identifier: GPL-2.0
// Mounting, by the old system call and by the new ones.
#include "executor.hpp"

#include <algorithm>
#include <fcntl.h>
#include <iterator>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fuzz
{

static constexpr Choice mount_flags[] = {
	{"none", 0},	   {"RDONLY", 1},	 {"NOSUID", 2},		{"NODEV", 4},
	{"NOEXEC", 8},	   {"SYNCHRONOUS", 16},	 {"REMOUNT", 32},	{"BIND", 4096},
	{"SILENT", 32768}, {"PRIVATE", 1 << 18}, {"LAZYTIME", 1 << 25},
};
static constexpr Choice umount_flags[] = {
	{"none", 0},   {"FORCE", 1},	{"DETACH", 2},
	{"EXPIRE", 4}, {"NOFOLLOW", 8}, {"high", 1ULL << 31},
};
static constexpr Choice config_kinds[] = {
	{"string", 0}, {"flag", 1}, {"binary", 2}, {"path", 3}, {"fd", 4},
};

static void do_mount(Executor &exec, const Call &call)
{
	const std::string &options = call.text("options");
	long result = exec.sys(call, [&] {
		return mount("itme", mount_dir(), "itmefs", call.value("flags") & ~MS_MOVE,
			     options.c_str());
	});

	if (Executor::dropped)
		exec.expect_error(call, result, "mount needs CAP_SYS_ADMIN");
	exec.put(call, open(mount_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void do_umount(Executor &exec, const Call &call)
{
	exec.sys(call, [&] { return umount2(mount_dir(), static_cast<int>(call.value("flags"))); });
}

static void remount(Executor &exec, const Call &call)
{
	exec.sys(call, [&] {
		return mount("itme", mount_dir(), "itmefs", MS_REMOUNT | call.value("flags"),
			     call.text("options").c_str());
	});
}

/// Each option of the text by a call of its own, of the given kind.
static void configure(Executor &exec, const Call &call, long context)
{
	static constexpr unsigned kinds[] = {FSCONFIG_SET_STRING, FSCONFIG_SET_FLAG,
					     FSCONFIG_SET_BINARY, FSCONFIG_SET_PATH,
					     FSCONFIG_SET_FD};
	unsigned kind = kinds[call.value("kind") % std::size(kinds)];
	std::string_view rest = call.text("options");

	while (!rest.empty()) {
		std::string_view option = rest.substr(0, rest.find(','));
		std::string key(option.substr(0, option.find('=')));
		std::string value(key.size() < option.size() ? option.substr(key.size() + 1) : "");
		long aux = 0;

		if (kind == FSCONFIG_SET_BINARY)
			aux = static_cast<long>(value.size());
		if (kind == FSCONFIG_SET_PATH)
			aux = AT_FDCWD;
		exec.sys(call, [&] {
			return syscall(SYS_fsconfig, context, kind, key.c_str(),
				       kind == FSCONFIG_SET_FLAG || kind == FSCONFIG_SET_FD
					       ? nullptr
					       : value.c_str(),
				       aux);
		});
		rest.remove_prefix(std::min(option.size() + 1, rest.size()));
	}
}

/// A mount that is nowhere in the tree, and goes with its descriptor.
static void fsmount(Executor &exec, const Call &call)
{
	long context = exec.sys(call, [&] { return syscall(SYS_fsopen, "itmefs", 0); });

	if (context < 0)
		return;
	configure(exec, call, context);
	long result = exec.sys(call, [&] {
		return syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
	});
	if (result >= 0) {
		long mount = exec.sys(call, [&] { return syscall(SYS_fsmount, context, 0, 0); });

		/* That one is O_PATH. */
		if (mount >= 0) {
			exec.put(call, openat(static_cast<int>(mount), ".",
					      O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			close(static_cast<int>(mount));
		}
	}
	close(static_cast<int>(context));
}

static void reconfigure(Executor &exec, const Call &call)
{
	long context = syscall(SYS_fspick, AT_FDCWD, mount_dir(), 0);

	if (context < 0)
		return;
	configure(exec, call, context);
	exec.sys(call, [&] {
		return syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr,
			       0);
	});
	close(static_cast<int>(context));
}

static constexpr Field mount_fields[] = {
	{"options", Kind::options}, {"flags", Kind::reserved, mount_flags}, {"to", Kind::root_fd}};
static constexpr Field umount_fields[] = {{"flags", Kind::choice, umount_flags}};
static constexpr Field remount_fields[] = {{"options", Kind::options},
					   {"flags", Kind::reserved, mount_flags}};
static constexpr Field fsmount_fields[] = {
	{"options", Kind::options}, {"kind", Kind::choice, config_kinds}, {"to", Kind::root_fd}};
static constexpr Field reconfigure_fields[] = {{"options", Kind::options},
					       {"kind", Kind::choice, config_kinds}};

static constexpr Op ops[] = {
	{"mount", 3, mount_fields, do_mount, Makes::root},
	{"umount", 3, umount_fields, do_umount},
	{"remount", 4, remount_fields, remount},
	{"fsmount", 2, fsmount_fields, fsmount, Makes::root},
	{"reconfigure", 2, reconfigure_fields, reconfigure},
};

std::span<const Op> mount_ops()
{
	return ops;
}

} // namespace fuzz
