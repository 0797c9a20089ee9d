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

/// A directory in an itmefs mount, limited in size, for all to write who have it as /dev/shm, and
/// out of reach for others. It goes with
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
	Result<void> bind(const std::string &mount_path) const;

	/// Files and all; what is open or mapped stays until it is let go.
	Result<void> remove();

private:
	ShmDir(Fd root, Fd dir, Fd lock, std::string name) :
		root_(std::move(root)), dir_(std::move(dir)), lock_(std::move(lock)),
		name_(std::move(name))
	{
	}

	Raw<void> fill();
	Raw<Fd> open_here(const std::string &mount_path) const;

	Fd root_;
	Fd dir_;
	/// Locked: in use. The command inherits it, so that its files stay even if we are killed.
	Fd lock_;
	Fd shm_;
	std::string name_;
};

} // namespace itme
