// SPDX-License-Identifier: GPL-2.0
// Reading /proc and /sys, or a tree that looks like them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace itme
{

class Root
{
public:
	/// "" is the running system.
	explicit Root(std::string dir) : dir_(std::move(dir)) {}

	bool live() const { return dir_.empty(); }

	std::string path(const std::string &file) const { return dir_ + file; }

	bool exists(const std::string &file) const;
	/// Without the newline at the end.
	std::optional<std::string> read(const std::string &file) const;
	std::optional<std::uint64_t> read_number(const std::string &file) const;
	/// Last component of what a symbolic link points to.
	std::optional<std::string> link(const std::string &file) const;
	/// Sorted; empty when there is no such directory.
	std::vector<std::string> list(const std::string &dir) const;

private:
	std::string dir_;
};

} // namespace itme
