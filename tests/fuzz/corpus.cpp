// SPDX-License-Identifier: GPL-2.0
#include "corpus.hpp"

#include <algorithm>
#include <filesystem>

namespace fuzz
{

std::vector<std::string> corpus_files(const std::string &dir)
{
	std::vector<std::string> files;
	std::error_code error;

	for (const auto &entry : std::filesystem::directory_iterator(dir, error))
		if (entry.path().extension() == ".fuzz")
			files.push_back(entry.path().string());
	std::ranges::sort(files);
	return files;
}

std::vector<Program> load_corpus(const std::string &dir)
{
	std::vector<Program> programs;

	for (const std::string &file : corpus_files(dir))
		programs.push_back(load(file));
	return programs;
}

} // namespace fuzz
