// SPDX-License-Identifier: GPL-2.0
// Runs a program in a child with a time limit, and judges what it leaves.
#pragma once

#include "cover.hpp"
#include "executor.hpp"
#include "journal.hpp"

#include <string>

namespace fuzz
{

struct Outcome {
	Places places;
	/// What was wrong; empty when nothing.
	std::string wrong;
	/// No program can be run after this one: the kernel is not what it was.
	bool fatal = false;
	bool timed_out = false;
};

class Runner
{
public:
	Runner(Journal &journal, const Cover &cover, bool verbose);
	~Runner();

	Outcome run(const Program &program);

	bool sees() const { return first_.valid() && second_.valid(); }

	/// Also what kernel workers do.
	bool sees_workers() const { return workers_on_; }

private:
	void reap(int child, Outcome &outcome);
	void judge(Outcome &outcome);

	Journal &journal_;
	const Cover &cover_;
	bool verbose_;
	Kcov first_, second_, third_, workers_;
	bool workers_on_;
	KernelLog kernel_log_;
	Verdict *verdict_;
};

} // namespace fuzz
