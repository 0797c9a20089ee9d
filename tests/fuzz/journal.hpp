// SPDX-License-Identifier: GPL-2.0
// What is kept of a run in a directory that outlives the guest: the program that is about to run,
// those before it, and the findings.
#pragma once

#include "../../tools/lib/fd.hpp"
#include "program.hpp"

#include <string>

namespace fuzz
{

class Journal
{
public:
	/// Throws std::runtime_error if the directory cannot be written to.
	explicit Journal(std::string dir);

	/// Returns when it would survive the end of this kernel.
	void running(const Program &program);
	/// Keeps a file NAME-N.fuzz; its path.
	std::string keep(const std::string &name, const std::string &comment,
			 const Program &program);

	const std::string &dir() const { return dir_; }

private:
	std::string dir_;
	itme::Fd running_;
	itme::Fd history_;
	unsigned in_history_ = 0;
	unsigned kept_ = 0;
};

/// Reports of the kernel since the last look: lines of its log that mean that it is not well.
class KernelLog
{
public:
	KernelLog();
	/// Empty, or the first such line and some after it.
	std::string report();

private:
	itme::Fd fd_;
};

} // namespace fuzz
