// SPDX-License-Identifier: GPL-2.0
// For a process that may open nothing: the files of a model, handed to it.
#pragma once

#include "fd.hpp"

#include <memory>
#include <optional>
#include <string>

namespace itme
{

/// A file that is open, or a text that stands for one.
struct Given {
	Fd fd;
	std::string text;
};

/// From the first one on, read_model() opens no file by name in this process, whatever a header
/// says: there are only those that were given. The descriptor has to be one for reading.
void give_file(const std::string &name, Fd fd);
void give_text(const std::string &name, const std::string &text);

/// Has anything been given?
bool only_given();
/// Null: nobody has given that one.
std::shared_ptr<const Given> given(const std::string &name);

} // namespace itme
