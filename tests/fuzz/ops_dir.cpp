// SPDX-License-Identifier: GPL-2.0
// Names, attributes, locks and watchers of the mount and of what is in it.
#include "executor.hpp"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <linux/itme.h>
#include <string>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace fuzz
{

static std::string path_of(const std::string &name)
{
	return std::string(mount_dir()) + "/" + name.c_str();
}

static bool on_itmefs()
{
	struct statfs fs;

	return !statfs(mount_dir(), &fs) && fs.f_type == ITME_SUPER_MAGIC;
}

static void do_unlink(Executor &exec, const Call &call)
{
	exec.sys(call, [&] { return unlink(path_of(call.text("name")).c_str()); });
}

static constexpr Choice hows[] = {{"rename", 0},   {"link", 1},	  {"symlink", 2},
				  {"mkdir", 3},	   {"fifo", 4},	  {"rmdir", 5},
				  {"exchange", 6}, {"socket", 7}, {"device", 8}};

/// All that makes, moves or removes a name other than import and unlink.
static void change_name(Executor &exec, const Call &call)
{
	std::string path = path_of(call.text("name"));
	std::string to = path_of(call.text("other"));

	if (!on_itmefs())
		return;
	exec.sys(call, [&]() -> long {
		switch (call.value("how")) {
		case 0:
			return rename(path.c_str(), to.c_str());
		case 1:
			return link(path.c_str(), to.c_str());
		case 2:
			return symlink(path.c_str(), to.c_str());
		case 3:
			return mkdir(to.c_str(), 0755);
		case 4:
			/* Not to be opened: that would wait for somebody to write. */
			return mkfifo(to.c_str(), 0600) ?: unlink(to.c_str());
		case 5:
			return rmdir(path.c_str());
		case 6:
			return renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, to.c_str(),
					 RENAME_EXCHANGE);
		case 7:
			return mknod(to.c_str(), S_IFSOCK | 0600, 0);
		default:
			return mknod(to.c_str(), S_IFCHR | 0600, 0x103);
		}
	});
}

static constexpr Choice attributes[] = {{"chmod", 0},	    {"chown", 1},    {"utimes", 2},
					{"setxattr", 3},    {"getxattr", 4}, {"listxattr", 5},
					{"removexattr", 6}, {"access", 7}};

static void attribute(Executor &exec, const Call &call)
{
	std::string path = path_of(call.text("name"));
	std::uint64_t value = call.value("value");
	char bytes[256] = {};

	if (!on_itmefs())
		return;
	exec.sys(call, [&]() -> long {
		switch (call.value("how")) {
		case 0:
			return chmod(path.c_str(), value & 07777);
		case 1:
			return lchown(path.c_str(), static_cast<uid_t>(value),
				      static_cast<gid_t>(value));
		case 2:
			return utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
		case 3:
			return setxattr(path.c_str(), "user.fuzz", bytes, value % sizeof(bytes), 0);
		case 4:
			return getxattr(path.c_str(), "security.selinux", bytes, sizeof(bytes));
		case 5:
			return listxattr(path.c_str(), bytes, sizeof(bytes));
		case 6:
			return removexattr(path.c_str(), "user.fuzz");
		default:
			return faccessat(AT_FDCWD, path.c_str(), static_cast<int>(value & 7),
					 AT_EACCESS);
		}
	});
}

static void do_getdents(Executor &exec, const Call &call)
{
	std::size_t length = std::min<std::uint64_t>(call.value("length"), buffer_size);

	if (Executor::identify(exec.fd(call)) != Is::root)
		return;
	lseek(exec.fd(call), static_cast<off_t>(call.value("offset")), SEEK_SET);
	exec.sys(call,
		 [&] { return syscall(SYS_getdents64, exec.fd(call), read_buffer(), length); });
}

static void do_stat(Executor &exec, const Call &call)
{
	struct statx stx;
	struct statfs fs;

	exec.sys(call, [&] {
		return statx(exec.fd(call), "", AT_EMPTY_PATH,
			     static_cast<unsigned>(call.value("mask")), &stx);
	});
	exec.sys(call, [&] { return fstatfs(exec.fd(call), &fs); });
}

static constexpr Choice lock_kinds[] = {
	{"flock_shared", 0}, {"flock_exclusive", 1}, {"flock_release", 2},
	{"lease_read", 3},   {"lease_write", 4},     {"lease_release", 5},
	{"posix_read", 6},   {"posix_write", 7},     {"ofd_read", 8}};

static void do_lock(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	struct flock lock = {};

	lock.l_whence = SEEK_SET;
	lock.l_type = call.value("how") == 7 ? F_WRLCK : F_RDLCK;
	exec.sys(call, [&] {
		switch (call.value("how")) {
		case 0:
			return flock(fd, LOCK_SH | LOCK_NB);
		case 1:
			return flock(fd, LOCK_EX | LOCK_NB);
		case 2:
			return flock(fd, LOCK_UN);
		case 3:
			return fcntl(fd, F_SETLEASE, F_RDLCK);
		case 4:
			return fcntl(fd, F_SETLEASE, F_WRLCK);
		case 5:
			return fcntl(fd, F_SETLEASE, F_UNLCK);
		case 8:
			return fcntl(fd, F_OFD_SETLK, &lock);
		default:
			return fcntl(fd, F_SETLK, &lock);
		}
	});
}

static constexpr Choice setfl[] = {
	{"none", 0},	      {"DIRECT", O_DIRECT}, {"NONBLOCK", O_NONBLOCK},
	{"APPEND", O_APPEND}, {"ASYNC", O_ASYNC},   {"NOATIME", O_NOATIME}};

static void do_setfl(Executor &exec, const Call &call)
{
	exec.sys(call, [&] {
		return fcntl(exec.fd(call), F_SETFL, static_cast<int>(call.value("flags")));
	});
}

/// The watcher stays until the program ends; it never has to answer.
static void watch(Executor &exec, const Call &call)
{
	std::string path = path_of(call.text("name"));

	if (call.value("how")) {
		int group = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);

		exec.sys(call, [&] {
			return fanotify_mark(
				group,
				FAN_MARK_ADD | (call.value("how") > 1 ? FAN_MARK_FILESYSTEM : 0),
				FAN_ACCESS | FAN_OPEN | FAN_CLOSE, AT_FDCWD, path.c_str());
		});
		return;
	}
	int group = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	exec.sys(call, [&] { return inotify_add_watch(group, path.c_str(), IN_ALL_EVENTS); });
}

static constexpr Field name_fields[] = {{"name", Kind::name}};
static constexpr Field change_fields[] = {
	{"name", Kind::name}, {"other", Kind::name}, {"how", Kind::choice, hows}};
static constexpr Field attribute_fields[] = {
	{"name", Kind::name}, {"how", Kind::choice, attributes}, {"value", Kind::small}};
static constexpr Field dents_fields[] = {
	{"fd", Kind::root_fd}, {"offset", Kind::small}, {"length", Kind::length}};
static constexpr Field stat_fields[] = {{"fd", Kind::file_fd}, {"mask", Kind::small}};
static constexpr Field lock_fields[] = {{"fd", Kind::file_fd}, {"how", Kind::choice, lock_kinds}};
static constexpr Field setfl_fields[] = {{"fd", Kind::file_fd}, {"flags", Kind::choice, setfl}};
static constexpr Field watch_fields[] = {{"name", Kind::name}, {"how", Kind::small}};

static constexpr Op ops[] = {
	{"unlink", 6, name_fields, do_unlink},
	{"change_name", 2, change_fields, change_name},
	{"attribute", 2, attribute_fields, attribute},
	{"getdents", 3, dents_fields, do_getdents},
	{"stat", 2, stat_fields, do_stat},
	{"lock", 2, lock_fields, do_lock},
	{"setfl", 1, setfl_fields, do_setfl},
	{"watch", 1, watch_fields, watch},
};

std::span<const Op> dir_ops()
{
	return ops;
}

} // namespace fuzz
