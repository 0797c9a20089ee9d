// SPDX-License-Identifier: GPL-2.0
// Whole files and directories at once.
#pragma once

#include "result.hpp"

#include <string>
#include <vector>

namespace itme
{

Result<std::string> read_file(const std::string &path);

/// Names in a directory, sorted, without . and .. ; takes the descriptor's number only.
Raw<std::vector<std::string>> list_dir_at(int dir_fd);
Raw<std::vector<std::string>> list_dir(const std::string &path);

} // namespace itme
