// SPDX-License-Identifier: GPL-2.0
#include "run.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <optional>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace itme
{
namespace
{

std::string proc_path(const Fd &fd)
{
	return fmt::format("/proc/self/fd/{}", fd.get());
}

/// Bind one file. The target is opened first and checked, so what is bound over is what was
/// planned, whatever happens to the path meanwhile.
Raw<void> bind_one(const std::string &source, const Bind &bind)
{
	const Fd from(::open(source.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
	if (!from.valid())
		return tl::unexpected(errno);
	const Fd to(::open(bind.target.c_str(), O_PATH | O_CLOEXEC));

	struct stat st {
	};

	if (!to.valid() || ::fstat(to.get(), &st))
		return tl::unexpected(errno);
	if (st.st_ino != bind.ino || st.st_dev != bind.dev)
		return tl::unexpected(ESTALE);
	if (::mount(proc_path(from).c_str(), proc_path(to).c_str(), nullptr, MS_BIND, nullptr))
		return tl::unexpected(errno);
	return {};
}

std::optional<unsigned int> parse_id(std::string_view text)
{
	unsigned int value = 0;
	const char *end = text.data() + text.size();
	const auto [rest, ec] = std::from_chars(text.data(), end, value);

	if (ec != std::errc() || rest != end || text.empty() || value == ~0U)
		return std::nullopt;
	return value;
}

constexpr std::string_view replaced = "is another file now (replaced since the import)";

/// Where a file without a name was last.
std::string path_before_deletion(const Object &object)
{
	constexpr std::string_view mark = " (deleted)";
	const std::string &path = object.path;

	return object.flags & ITME_OBJECT_UNLINKED && path.ends_with(mark)
		       ? path.substr(0, path.size() - mark.size())
		       : path;
}

} // namespace

Raw<PathIdentity> look_up(const std::string &path)
{
	struct stat st {
	};

	struct statfs fs {
	};

	if (::stat(path.c_str(), &st) || ::statfs(path.c_str(), &fs))
		return tl::unexpected(errno);
	return PathIdentity{st.st_ino, st.st_dev, fs.f_type == ITME_SUPER_MAGIC};
}

BindPlan plan_binds(const std::vector<Object> &objects, const Lookup &lookup)
{
	BindPlan plan;
	const auto leave = [&](const Object &object, std::string_view why) {
		const std::string path = path_before_deletion(object);
		plan.warnings.push_back(fmt::format("{}: {} {}; left as it is", object.name,
						    path.empty() ? "its lower file" : path, why));
	};

	for (const auto &object : objects) {
		if (object.flags & ITME_OBJECT_UNLINKED) {
			leave(object,
			      lookup(path_before_deletion(object)) ? replaced : "has been deleted");
			continue;
		}
		if (!object.path.starts_with('/')) {
			leave(object, "cannot be reached from here");
			continue;
		}
		const auto found = lookup(object.path);
		if (!found) {
			leave(object, fmt::format("cannot be looked up ({})",
						  std::strerror(found.error())));
			continue;
		}
		if (found->itmefs)
			continue;
		if (found->ino != object.lower_ino || found->dev != object.lower_dev) {
			leave(object, replaced);
			continue;
		}
		plan.binds.push_back(
			{object.name, object.path, object.lower_ino, object.lower_dev});
	}
	return plan;
}

Result<std::vector<std::string>> enter_namespace(const std::string &mount_path,
						 const BindPlan &plan)
{
	std::vector<std::string> warnings;

	if (::unshare(CLONE_NEWNS)) {
		const int code = errno;
		if (code == EPERM)
			return fail(code,
				    "a private mount namespace needs CAP_SYS_ADMIN; run it as "
				    "root: sudo itmectl run --user $USER -- CMD");
		return fail(code, "cannot make a mount namespace: {}", std::strerror(code));
	}
	// Slave and not private: what is unmounted outside goes away in here as well, so that
	// this namespace never keeps a foreign file system busy.
	if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr))
		return fail(errno, "cannot make the mount namespace private: {}",
			    std::strerror(errno));
	for (const auto &bind : plan.binds) {
		const auto ret = bind_one(mount_path + "/" + bind.name, bind);
		if (!ret)
			warnings.push_back(fmt::format("{}: cannot be bound over {}: {}", bind.name,
						       bind.target, std::strerror(ret.error())));
	}
	return warnings;
}

Result<User> find_user(const std::string &text)
{
	const std::size_t colon = text.find(':');
	const auto uid = parse_id(std::string_view(text).substr(0, colon));
	const passwd *account = uid ? ::getpwuid(*uid) : ::getpwnam(text.c_str());
	User user;

	if (account) {
		user = {account->pw_uid, account->pw_gid, account->pw_name};
	} else if (uid && colon != std::string::npos) {
		user.uid = *uid;
	} else {
		return fail(EINVAL, "no user '{}'; give a name, a uid or UID:GID", text);
	}
	if (colon != std::string::npos) {
		const auto gid = parse_id(std::string_view(text).substr(colon + 1));
		if (!uid || !gid)
			return fail(EINVAL, "no user '{}'; give a name, a uid or UID:GID", text);
		user.gid = *gid;
	}
	return user;
}

Result<void> become_user(const User &user)
{
	const int groups = user.name.empty() ? ::setgroups(0, nullptr)
					     : ::initgroups(user.name.c_str(), user.gid);

	if (groups || ::setresgid(user.gid, user.gid, user.gid) ||
	    ::setresuid(user.uid, user.uid, user.uid))
		return fail(errno, "cannot become user {}: {}", user.uid, std::strerror(errno));
	return {};
}

} // namespace itme
