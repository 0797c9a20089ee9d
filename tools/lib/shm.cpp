// SPDX-License-Identifier: GPL-2.0
// The directory is everybody's to write while we are root: nothing here goes by a path that leads
// through it. Each step is one name below an open directory, and follows no link.
#include "shm.hpp"

#include "explain.hpp"
#include "files.hpp"
#include "size.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace itme
{
namespace
{

constexpr std::string_view prefix = ".shm-";
constexpr const char *target = "/dev/shm";

/// For those who still make files there while they are removed.
constexpr std::chrono::seconds remove_time{60};

Fd open_dir(int parent, const std::string &name)
{
	return Fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/// A name below dir is gone: a file, or a directory if that was empty.
bool remove_name(int dir, const std::string &name)
{
	return !::unlinkat(dir, name.c_str(), 0) || errno == ENOENT ||
	       (errno == EISDIR &&
		(!::unlinkat(dir, name.c_str(), AT_REMOVEDIR) || errno == ENOENT));
}

/// All that is in it; 0, or what keeps the rest. What lies deeper is moved up, as a tree may be
/// deeper than we can have directories open.
int empty_dir(int top)
{
	const auto end = std::chrono::steady_clock::now() + remove_time;
	std::uint64_t moved = 0;
	int code = 0;

	for (bool progress = true; progress && std::chrono::steady_clock::now() < end;) {
		const auto names = list_dir_at(top);
		if (!names)
			return names.error();
		if (names->empty())
			return 0;
		progress = false;
		for (const auto &name : *names) {
			if (remove_name(top, name)) {
				progress = true;
				continue;
			}
			code = errno;
			const Fd sub = open_dir(top, name);
			if (!sub.valid())
				continue;
			for (const auto &inner :
			     list_dir_at(sub.get()).value_or(std::vector<std::string>{})) {
				const std::string up = fmt::format(".removed-{}", moved++);
				if (remove_name(sub.get(), inner) ||
				    !::renameat2(sub.get(), inner.c_str(), top, up.c_str(),
						 RENAME_NOREPLACE))
					progress = true;
				else
					code = errno;
			}
		}
	}
	return code ? code : EBUSY;
}

int remove_dir(int root, int dir, const std::string &name)
{
	// Nobody who is not there already comes in any more.
	::fchmod(dir, 0700);
	const int code = empty_dir(dir);
	if (!::unlinkat(root, name.c_str(), AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	return code ? code : errno;
}

/// Those whose owner and its command are gone.
void remove_stale(int root)
{
	for (const auto &name : list_dir_at(root).value_or(std::vector<std::string>{})) {
		if (!name.starts_with(prefix))
			continue;
		const Fd dir = open_dir(root, name);
		if (dir.valid() && !::flock(dir.get(), LOCK_EX | LOCK_NB))
			remove_dir(root, dir.get(), name);
	}
}

Unexpected explain_mkdir(const std::string &path, int code)
{
	if (code == EOPNOTSUPP || code == EPERM)
		return fail(code,
			    "{}: the loaded module has no files that are written; load the itme.ko "
			    "that came with this itmectl",
			    path);
	return explain_mount(path, code);
}

std::string random_name()
{
	constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz23456789";
	std::random_device random;
	std::string name(prefix);

	for (int i = 0; i < 10; i++)
		name += letters[random() % letters.size()];
	return name;
}

} // namespace

Result<ShmDir> ShmDir::make(Mount &mount, std::uint64_t bytes)
{
	Fd root(::open(mount.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!root.valid())
		return explain_mount(mount.path(), errno);
	remove_stale(root.get());

	Fd dir;
	std::string name;
	// Before it is locked, another of us may take it for a stale one.
	for (int i = 0; i < 5 && !dir.valid(); i++) {
		name = random_name();
		if (::mkdirat(root.get(), name.c_str(), 0700))
			return explain_mkdir(mount.path(), errno);
		dir = open_dir(root.get(), name);
		if (dir.valid() && ::flock(dir.get(), LOCK_SH | LOCK_NB))
			dir = Fd();
	}
	if (!dir.valid())
		return fail(EBUSY, "{}: a directory made there does not last", mount.path());

	ShmDir shm(mount.path(), std::move(root), std::move(dir), std::move(name));
	if (auto ret = mount.limit(shm.dir_.get(), bytes); !ret)
		return tl::unexpected(ret.error());
	// Whatever the umask. The command is to inherit it.
	if (::fchmod(shm.dir_.get(), 01777) || ::fcntl(shm.dir_.get(), F_SETFD, 0))
		return explain_mount(mount.path(), errno);
	return shm;
}

ShmDir::~ShmDir()
{
	if (root_.valid())
		remove_dir(root_.get(), dir_.get(), name_);
}

Result<void> ShmDir::bind() const
{
	const std::string path = mount_ + "/" + name_;
	const Fd to(::open(target, O_PATH | O_DIRECTORY | O_CLOEXEC));
	// Once more: what is open already is of the mount namespace that we have left.
	const Fd from(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));

	struct stat ours {
	};

	struct stat found {
	};

	if (!to.valid())
		return fail(errno, "{}: {}; --shm puts a directory of itmefs over it", target,
			    std::strerror(errno));
	if (!from.valid() || ::fstat(from.get(), &found) || ::fstat(dir_.get(), &ours))
		return fail(errno, "{}: {}", path, std::strerror(errno));
	if (found.st_dev != ours.st_dev || found.st_ino != ours.st_ino)
		return fail(ESTALE, "{}: another directory now", path);
	const std::string from_path = fmt::format("/proc/self/fd/{}", from.get());
	const std::string to_path = fmt::format("/proc/self/fd/{}", to.get());
	if (::mount(from_path.c_str(), to_path.c_str(), nullptr, MS_BIND, nullptr))
		return fail(errno, "{}: cannot bind a directory of itmefs over it: {}", target,
			    std::strerror(errno));
	// As /dev/shm is elsewhere.
	if (::mount(nullptr, target, nullptr, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, nullptr))
		return fail(errno, "{}: cannot be made nosuid: {}", target, std::strerror(errno));
	return {};
}

Result<void> ShmDir::remove()
{
	const Fd root = std::move(root_);
	const int code = remove_dir(root.get(), dir_.get(), name_);

	if (code)
		return fail(code, "{} in itmefs cannot be removed: {}", name_, std::strerror(code));
	return {};
}

} // namespace itme
