// SPDX-License-Identifier: GPL-2.0
// Programs that each reach something of their own.
#pragma once

#include "program.hpp"

#include <string>
#include <vector>

namespace fuzz
{

/// The *.fuzz files of a directory, by name; none if there is no such directory.
std::vector<std::string> corpus_files(const std::string &dir);
/// Those programs; throws std::runtime_error that names a bad one.
std::vector<Program> load_corpus(const std::string &dir);

} // namespace fuzz
