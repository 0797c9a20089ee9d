// SPDX-License-Identifier: GPL-2.0
// itmectl run: imported files bound over their original paths, in a mount namespace of their own.
#pragma once

#include "mount.hpp"

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace itme
{

struct Bind {
	std::string name;   ///< in the itmefs mount
	std::string target; ///< the lower file's path
	std::uint64_t ino = 0;
	std::uint64_t dev = 0;
};

struct BindPlan {
	std::vector<Bind> binds;
	std::vector<std::string> warnings; ///< one line for each file left as it is
	std::size_t imported = 0;	   ///< files that have a path of their own
};

/// What a path leads to now.
struct PathIdentity {
	std::uint64_t ino = 0;
	std::uint64_t dev = 0;
	bool itmefs = false; ///< already bound, by a run around this one
};

using Lookup = std::function<Raw<PathIdentity>(const std::string &path)>;

/// The Lookup that looks.
Raw<PathIdentity> look_up(const std::string &path);

BindPlan plan_binds(const std::vector<Object> &objects, const Lookup &lookup);

/// Leaves the caller in a mount namespace of its own with the plan carried out. What cannot be
/// bound any more is left alone and returned as a warning.
Result<std::vector<std::string>> enter_namespace(const std::string &mount_path,
						 const BindPlan &plan);

/// Runs the command in a child, passes signals on to it, and waits for it; what child returns is
/// its exit status. Then runs after, which those signals do not end either. Returns the status as
/// of waitpid(2).
Result<int> run_child(const std::function<int()> &child, const std::function<void()> &after);
/// Ends as the child did: with its exit status, or by its signal.
int end_as(int wait_status);

struct User {
	uid_t uid = 0;
	gid_t gid = 0;
	std::string name; ///< empty when the number has no account
};

/// "name", "uid" or "uid:gid".
Result<User> find_user(const std::string &text);
Result<void> become_user(const User &user);

} // namespace itme
