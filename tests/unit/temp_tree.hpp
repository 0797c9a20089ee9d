// SPDX-License-Identifier: GPL-2.0
// A directory of a test's own, gone after it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace itme::test
{

class TempTree
{
public:
	TempTree()
	{
		std::string name =
			(std::filesystem::temp_directory_path() / "itme-XXXXXX").string();
		if (!::mkdtemp(name.data()))
			throw std::runtime_error("mkdtemp");
		dir_ = name;
	}

	TempTree(const TempTree &) = delete;
	TempTree &operator=(const TempTree &) = delete;

	~TempTree()
	{
		std::error_code ec;
		std::filesystem::remove_all(dir_, ec);
	}

	const std::string &path() const { return dir_; }

	/// Writes a file, and the directories it needs; returns its path.
	std::string write(const std::string &file, const std::string &text) const
	{
		const std::filesystem::path path = dir_ + "/" + file;
		std::filesystem::create_directories(path.parent_path());
		std::ofstream(path) << text;
		return path;
	}

	void link(const std::string &file, const std::string &target) const
	{
		const std::filesystem::path path = dir_ + "/" + file;
		std::filesystem::create_directories(path.parent_path());
		std::filesystem::create_symlink(target, path);
	}

	void remove(const std::string &file) const
	{
		std::filesystem::remove_all(dir_ + "/" + file);
	}

private:
	std::string dir_;
};

} // namespace itme::test
