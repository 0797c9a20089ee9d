// SPDX-License-Identifier: GPL-2.0
// A long request, with a line of progress meanwhile.
#pragma once

#include <cstdio>
#include <functional>
#include <string>

namespace itmectl
{

/// Runs work on a thread of its own; while it takes, prints what line returns to a terminal
/// twice a second. The request stays one request: all or nothing, as the module has it.
void with_progress(std::FILE *terminal, const std::function<void()> &work,
		   const std::function<std::string()> &line);

/// The same for a request that a signal ends: after SIGINT, SIGTERM or SIGHUP work's system call
/// fails with EINTR. No line is printed where terminal is null.
void interruptible(std::FILE *terminal, const std::function<void()> &work,
		   const std::function<std::string()> &line);

} // namespace itmectl
