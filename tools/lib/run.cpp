// SPDX-License-Identifier: GPL-2.0
#include "run.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <optional>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

namespace itme
{
namespace
{

std::string proc_path(const Fd &fd)
{
	return fmt::format("/proc/self/fd/{}", fd.get());
}

/// Bind one file. Both are opened first and checked, so what is bound, and what is bound over, is
/// what was planned, whatever happens to the paths meanwhile.
Raw<void> bind_one(Device &device, const Bind &bind)
{
	const auto from = device.open(bind.name);
	if (!from)
		return tl::unexpected(from.error());
	itme_object object{};
	if (auto ret = device.ioctl(from->get(), ITME_IOC_OBJECT, &object); !ret)
		return ret;
	if (object.flags & ITME_OBJECT_NATIVE || object.lower_ino != bind.ino ||
	    object.lower_dev != bind.dev)
		return tl::unexpected(ESTALE);
	const Fd to(::open(bind.target.c_str(), O_PATH | O_CLOEXEC));

	struct stat st {
	};

	if (!to.valid() || ::fstat(to.get(), &st))
		return tl::unexpected(errno);
	if (st.st_ino != bind.ino || st.st_dev != bind.dev)
		return tl::unexpected(ESTALE);
	if (::mount(proc_path(*from).c_str(), proc_path(to).c_str(), nullptr, MS_BIND, nullptr))
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
		if (object.flags & ITME_OBJECT_NATIVE)
			continue;
		plan.imported++;
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
	if (plan.binds.empty())
		return warnings;
	// As this namespace has it: what was opened before cannot be bound here.
	Fd root(::open(mount_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	struct statfs fs {
	};

	if (!root.valid() || ::fstatfs(root.get(), &fs))
		return fail(errno, "{}: {}", mount_path, std::strerror(errno));
	if (fs.f_type != ITME_SUPER_MAGIC)
		return fail(ESTALE, "{}: not an itmefs mount any more", mount_path);
	const auto device = kernel_device(std::move(root));
	for (const auto &bind : plan.binds) {
		const auto ret = bind_one(*device, bind);
		if (!ret)
			warnings.push_back(fmt::format("{}: cannot be bound over {}: {}", bind.name,
						       bind.target, std::strerror(ret.error())));
	}
	return warnings;
}

namespace
{

std::atomic<pid_t> child_pid;

/// What is sent to us is meant for the command. Those of the terminal go to both by themselves.
constexpr std::array passed_on{SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};
constexpr std::array of_terminal{SIGINT, SIGQUIT};

void pass_on(int number)
{
	const int saved = errno;

	if (const pid_t pid = child_pid.load(); pid > 0)
		::kill(pid, number);
	errno = saved;
}

} // namespace

Result<int> run_child(const std::function<int()> &child, const std::function<void()> &after)
{
	std::array<struct sigaction, passed_on.size()> before_passed{};
	std::array<struct sigaction, of_terminal.size()> before_terminal{};
	sigset_t all;
	sigset_t mask;

	// Nothing comes until it is known to whom it goes.
	::sigfillset(&all);
	::sigprocmask(SIG_BLOCK, &all, &mask);
	for (std::size_t i = 0; i < passed_on.size(); i++) {
		struct sigaction action {
		};

		action.sa_handler = pass_on;
		action.sa_flags = SA_RESTART;
		::sigaction(passed_on[i], &action, &before_passed[i]);
	}
	for (std::size_t i = 0; i < of_terminal.size(); i++) {
		struct sigaction action {
		};

		action.sa_handler = SIG_IGN;
		::sigaction(of_terminal[i], &action, &before_terminal[i]);
	}
	const auto restore = [&] {
		for (std::size_t i = 0; i < passed_on.size(); i++)
			::sigaction(passed_on[i], &before_passed[i], nullptr);
		for (std::size_t i = 0; i < of_terminal.size(); i++)
			::sigaction(of_terminal[i], &before_terminal[i], nullptr);
		::sigprocmask(SIG_SETMASK, &mask, nullptr);
	};
	const pid_t pid = ::fork();
	if (!pid) {
		restore();
		::_exit(child());
	}
	const int code = errno;
	child_pid = pid;
	::sigprocmask(SIG_SETMASK, &mask, nullptr);

	int status = 0;
	while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	child_pid = 0;
	if (pid > 0)
		after();
	restore();
	if (pid < 0)
		return fail(code, "cannot start a process: {}", std::strerror(code));
	return status;
}

int end_as(int wait_status)
{
	if (!WIFSIGNALED(wait_status))
		return WEXITSTATUS(wait_status);

	sigset_t set;
	::sigemptyset(&set);
	::sigaddset(&set, WTERMSIG(wait_status));
	// It has left a core if there was to be one.
	::prctl(PR_SET_DUMPABLE, 0);
	std::signal(WTERMSIG(wait_status), SIG_DFL);
	::sigprocmask(SIG_UNBLOCK, &set, nullptr);
	::raise(WTERMSIG(wait_status));
	return 128 + WTERMSIG(wait_status);
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
