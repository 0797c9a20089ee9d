// SPDX-License-Identifier: GPL-2.0
// itmectl run --shm: a directory of itmefs that stands in for /dev/shm while a command runs.
#pragma once

#include "fd.hpp"
#include "mount.hpp"
#include "result.hpp"

#include <cstdint>
#include <string>

namespace itme
{

/// A directory in the root of an itmefs mount, for all to write, limited in size. It goes with
/// all that is in it when this ends; one whose owner was killed goes when the next one is made.
class ShmDir
{
public:
	static Result<ShmDir> make(Mount &mount, std::uint64_t bytes);

	ShmDir(const ShmDir &) = delete;
	ShmDir &operator=(const ShmDir &) = delete;
	ShmDir(ShmDir &&) = default;
	ShmDir &operator=(ShmDir &&) = delete;
	~ShmDir();

	/// Below the mount.
	const std::string &name() const { return name_; }

	/// Over /dev/shm in the mount namespace of the caller, which is not that of others.
	Result<void> bind() const;

	/// Files and all; what is open or mapped stays until it is let go.
	Result<void> remove();

private:
	ShmDir(std::string mount, Fd root, Fd dir, std::string name) :
		mount_(std::move(mount)), root_(std::move(root)), dir_(std::move(dir)),
		name_(std::move(name))
	{
	}

	std::string mount_; ///< its path
	Fd root_;
	/// Locked: in use. The command inherits it, and with it the lock, so that its files stay
	/// even if we are killed.
	Fd dir_;
	std::string name_;
};

} // namespace itme
