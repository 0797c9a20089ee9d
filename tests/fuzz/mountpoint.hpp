// SPDX-License-Identifier: GPL-2.0
// The place where programs mount, and its state between programs: nothing there, nothing held.
#pragma once

#include <string>

namespace fuzz
{

/// The directory, from nothing.
void prepare_mountpoint();
/// Removes what a program has left. Empty, or what did not go as it must.
std::string reset_mountpoint();

} // namespace fuzz
