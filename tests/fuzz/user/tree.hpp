// SPDX-License-Identifier: GPL-2.0
// A tree of files made from one input: lines "@NAME" say to which file the lines after them go.
// Only names that the target knows, so that an input reaches nothing but the tree.
#pragma once

#include "temp_tree.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz
{

class Tree
{
public:
	/// Names that end in @ are symbolic links, whose target is the first line.
	explicit Tree(std::vector<std::string> names) : names_(std::move(names)) {}

	const std::string &path() const { return tree_.path(); }

	/// What is in the tree already stays as it is: inputs differ little from one another.
	void fill(std::string_view input)
	{
		std::map<std::string, std::string> files;
		std::string *text = nullptr;

		while (!input.empty()) {
			const std::size_t end = std::min(input.find('\n'), input.size() - 1) + 1;
			const std::string_view line = input.substr(0, end);
			input.remove_prefix(end);
			if (const auto *name = named(line))
				text = &files[*name];
			else if (text)
				*text += line;
		}
		for (const auto &[name, old] : made_)
			if (!files.contains(name))
				tree_.remove(plain(name));
		for (const auto &[name, now] : files)
			if (const auto old = made_.find(name);
			    old == made_.end() || old->second != now)
				make(name, now);
		made_ = std::move(files);
	}

private:
	const std::string *named(std::string_view line) const
	{
		if (!line.starts_with('@'))
			return nullptr;
		line.remove_prefix(1);
		while (line.ends_with('\n'))
			line.remove_suffix(1);
		const auto at = std::find(names_.begin(), names_.end(), line);
		return at == names_.end() ? nullptr : &*at;
	}

	static std::string plain(const std::string &name) { return name.substr(0, name.find('@')); }

	void make(const std::string &name, const std::string &text) const
	{
		if (!name.ends_with('@')) {
			tree_.write(name, text);
			return;
		}
		// A target has neither NULs nor line ends, and is not empty.
		const std::string target =
			text.substr(0, text.find_first_of(std::string("\n\0", 2)));
		tree_.remove(plain(name));
		if (!target.empty() && target.size() < 4000)
			tree_.link(plain(name), target);
	}

	itme::test::TempTree tree_;
	std::vector<std::string> names_;
	std::map<std::string, std::string> made_;
};

} // namespace fuzz
