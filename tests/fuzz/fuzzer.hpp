// SPDX-License-Identifier: GPL-2.0
// The search: programs from programs, kept when they reach what none has reached before.
#pragma once

#include "cover.hpp"
#include "random.hpp"
#include "runner.hpp"

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace fuzz
{

class Fuzzer
{
public:
	Fuzzer(Runner &runner, Journal &journal, Cover &cover, std::uint64_t seed);

	/// Runs them once and keeps them all.
	void start_from(std::vector<Program> corpus);
	void search(std::chrono::seconds time);
	/// The corpus, without what adds nothing; calls that add nothing are taken out as well.
	std::vector<Program> minimised();

	/// One line each.
	const std::vector<std::string> &findings() const { return findings_; }

	bool over() const { return over_; }

	void tell() const;

private:
	Outcome run(const Program &program);
	Program draw();
	/// The smallest found program that still reaches all of @wanted.
	Program shrink(Program program, const Places &wanted);
	void admit(const Program &program, Places fresh);
	void report(const Program &program, const Outcome &outcome);

	Runner &runner_;
	Journal &journal_;
	Cover &cover_;
	Random random_;
	std::vector<Program> corpus_;
	std::vector<std::string> findings_;
	std::set<std::string> seen_;
	std::uint64_t runs_ = 0;
	std::uint64_t timeouts_ = 0;
	bool over_ = false;
	std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

} // namespace fuzz
