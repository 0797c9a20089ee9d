// SPDX-License-Identifier: GPL-2.0
// In the root of itmefs:
//   .shm-XXX        ours alone, with the limit; so nobody gets at what is in it by the mount itself
//   .shm-XXX/lock   locked while in use. The command inherits it: a file, from which no way leads
//                   to a directory outside of its mount namespace
//   .shm-XXX/shm    what is bound over /dev/shm, for all to write
// That one is everybody's while we are root: nothing here goes by a path that leads through it.
// Each step is one name below an open directory, and follows no link.
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
constexpr const char *lock_name = "lock";
constexpr const char *shm_name = "shm";

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

/// A directory of ours; what others have made under such a name is none of our business.
Fd open_own(int root, const std::string &name)
{
	Fd dir = open_dir(root, name);

	struct stat st {
	};

	if (!dir.valid() || ::fstat(dir.get(), &st) || st.st_uid != ::geteuid() || st.st_mode & 077)
		return {};
	return dir;
}

/// The lock, if it can be had and is not that of a directory which is being removed: whoever does
/// that has locked it, and unlinks it last.
Fd take_lock(int dir, int how)
{
	Fd lock(::openat(dir, lock_name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));

	struct stat st {
	};

	if (!lock.valid() || ::flock(lock.get(), how | LOCK_NB) || ::fstat(lock.get(), &st) ||
	    st.st_nlink == 0)
		return {};
	return lock;
}

/// All that is in it but the lock; 0, or what keeps the rest. What lies deeper is moved up, as a
/// tree may be deeper than we can have directories open.
int empty_dir(int top)
{
	const auto end = std::chrono::steady_clock::now() + remove_time;
	std::uint64_t moved = 0;
	int code = 0;

	for (bool progress = true; progress && std::chrono::steady_clock::now() < end;) {
		auto names = list_dir_at(top);
		if (!names)
			return names.error();
		std::erase(*names, lock_name);
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

/// Its lock is held.
int remove_dir(int root, int dir, const std::string &name)
{
	const Fd shm = open_dir(dir, shm_name);

	// Nobody who is not there already comes in any more.
	if (shm.valid())
		::fchmod(shm.get(), 0700);
	if (const int code = empty_dir(dir))
		return code;
	// Who makes another lock from here on has not seen the directory go: it stays, and is his.
	::unlinkat(dir, lock_name, 0);
	if (::unlinkat(root, name.c_str(), AT_REMOVEDIR) && errno != ENOENT)
		return errno;
	return 0;
}

/// Those whose owner and its command are gone.
void remove_stale(int root)
{
	for (const auto &name : list_dir_at(root).value_or(std::vector<std::string>{})) {
		if (!name.starts_with(prefix))
			continue;
		const Fd dir = open_own(root, name);
		if (!dir.valid())
			continue;
		if (const Fd lock = take_lock(dir.get(), LOCK_EX); lock.valid())
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

	// Before it is locked, another of us may take it for a stale one.
	for (int i = 0; i < 5; i++) {
		std::string name = random_name();
		if (::mkdirat(root.get(), name.c_str(), 0700))
			return explain_mkdir(mount.path(), errno);
		Fd dir = open_own(root.get(), name);
		if (!dir.valid())
			continue;
		// While it is empty, as it has to be.
		auto limited = mount.limit(dir.get(), bytes);
		if (!limited && limited.error().code != ENOENT &&
		    limited.error().code != ENOTEMPTY) {
			::unlinkat(root.get(), name.c_str(), AT_REMOVEDIR);
			return tl::unexpected(limited.error());
		}
		Fd lock = take_lock(dir.get(), LOCK_SH);
		if (!limited || !lock.valid())
			continue;
		ShmDir shm(std::move(root), std::move(dir), std::move(lock), std::move(name));
		if (auto ret = shm.fill(); !ret)
			return explain_mount(mount.path(), ret.error());
		return shm;
	}
	return fail(EBUSY, "{}: a directory made there does not last", mount.path());
}

Raw<void> ShmDir::fill()
{
	if (::mkdirat(dir_.get(), shm_name, 0700))
		return tl::unexpected(errno);
	shm_ = open_dir(dir_.get(), shm_name);
	// Whatever the umask. The command is to inherit the lock, and nothing else.
	if (!shm_.valid() || ::fchmod(shm_.get(), 01777) || ::fcntl(lock_.get(), F_SETFD, 0))
		return tl::unexpected(errno);
	return {};
}

ShmDir::~ShmDir()
{
	if (root_.valid())
		remove_dir(root_.get(), dir_.get(), name_);
}

/// The same directory by the mount that this namespace has: what was opened before is in that of
/// others, and cannot be bound.
Raw<Fd> ShmDir::open_here(const std::string &mount_path) const
{
	const Fd root(::open(mount_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));

	if (!root.valid())
		return tl::unexpected(errno);
	auto found =
		open_below(root.get(), fmt::format("{}/{}", name_, shm_name), O_PATH | O_DIRECTORY);
	if (!found)
		return tl::unexpected(found.error());

	struct stat st {
	};

	struct stat ours {
	};

	if (::fstat(found->get(), &st) || ::fstat(shm_.get(), &ours))
		return tl::unexpected(errno);
	if (st.st_ino != ours.st_ino || st.st_dev != ours.st_dev)
		return tl::unexpected(ESTALE);
	return found;
}

Result<void> ShmDir::bind(const std::string &mount_path) const
{
	const Fd to(::open(target, O_PATH | O_DIRECTORY | O_CLOEXEC));
	const auto from = open_here(mount_path);

	if (!from)
		return fail(from.error(), "{}: its directory for {} cannot be opened: {}",
			    mount_path, target, std::strerror(from.error()));
	const std::string from_path = fmt::format("/proc/self/fd/{}", from->get());
	if (!to.valid())
		return fail(errno, "{}: {}; --shm puts a directory of itmefs over it", target,
			    std::strerror(errno));
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
