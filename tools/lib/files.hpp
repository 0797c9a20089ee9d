// SPDX-License-Identifier: GPL-2.0
// Whole files and directories at once.
#pragma once

#include "fd.hpp"
#include "result.hpp"

#include <string>
#include <vector>

namespace itme
{

Result<std::string> read_file(const std::string &path);

/// Names in a directory, sorted, without . and .. ; takes the descriptor's number only.
Raw<std::vector<std::string>> list_dir_at(int dir_fd);
Raw<std::vector<std::string>> list_dir(const std::string &path);

/// Opens a path below a directory; neither symbolic links nor mounts lead out of it.
Raw<Fd> open_below(int dir_fd, const std::string &path, int flags);
/// Paths of all regular files below a directory, sorted. What one may not look into is left out.
Raw<std::vector<std::string>> list_files_below(int dir_fd);

} // namespace itme
