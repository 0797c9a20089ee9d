// SPDX-License-Identifier: GPL-2.0
#include "fuzzer.hpp"

#include "generate.hpp"
#include "mutate.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iterator>

namespace fuzz
{

using Clock = std::chrono::steady_clock;

Fuzzer::Fuzzer(Runner &runner, Journal &journal, Cover &cover, std::uint64_t seed) :
	runner_(runner), journal_(journal), cover_(cover), random_(seed)
{
}

Outcome Fuzzer::run(const Program &program)
{
	Outcome outcome = runner_.run(program);

	runs_++;
	timeouts_ += outcome.timed_out;
	if (!outcome.wrong.empty())
		report(program, outcome);
	return outcome;
}

/// What tells two findings apart: the first line without its numbers.
static std::string key_of(const std::string &wrong)
{
	std::string key = wrong.substr(0, wrong.find('\n'));

	std::erase_if(key, [](unsigned char c) { return std::isdigit(c); });
	return key;
}

void Fuzzer::report(const Program &program, const Outcome &outcome)
{
	auto seconds =
		std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin_).count();

	over_ = over_ || outcome.fatal;
	if (!seen_.insert(key_of(outcome.wrong)).second)
		return;
	findings_.push_back(outcome.wrong.substr(0, outcome.wrong.find('\n')));
	std::string path = journal_.keep("finding", outcome.wrong, program);
	std::printf("# FINDING after %llu programs, %lld s, kept as %s:\n# %s\n",
		    static_cast<unsigned long long>(runs_), static_cast<long long>(seconds),
		    path.c_str(), findings_.back().c_str());
	std::fflush(stdout);
	if (outcome.fatal)
		return;
	/* Fewer calls are easier to understand. */
	Program small = program;

	for (std::size_t i = small.calls.size(); i-- > 0 && !over_;) {
		Program less = small;

		less.calls.erase(less.calls.begin() + static_cast<std::ptrdiff_t>(i));
		Outcome again = runner_.run(less);
		over_ = over_ || again.fatal;
		if (key_of(again.wrong) == key_of(outcome.wrong))
			small = less;
	}
	if (small != program)
		std::printf("# a smaller one: %s\n",
			    journal_.keep("finding-small", outcome.wrong, small).c_str());
}

void Fuzzer::start_from(std::vector<Program> corpus)
{
	for (Program &program : corpus) {
		if (over_)
			return;
		cover_.add(run(program).places);
		corpus_.push_back(std::move(program));
	}
}

Program Fuzzer::draw()
{
	if (corpus_.empty() || random_.one_in(10))
		return generate(random_);
	/* What was found last is where there is most to find. */
	std::size_t span =
		random_.one_in(3) ? std::min<std::size_t>(8, corpus_.size()) : corpus_.size();
	const Program &base = corpus_[corpus_.size() - 1 - random_.below(span)];

	return mutate(random_, base, random_.pick(corpus_));
}

Program Fuzzer::shrink(Program program, const Places &wanted)
{
	for (std::size_t i = program.calls.size(); i-- > 0 && !over_;) {
		Program less = program;

		less.calls.erase(less.calls.begin() + static_cast<std::ptrdiff_t>(i));
		if (std::ranges::includes(run(less).places, wanted))
			program = less;
	}
	return program;
}

void Fuzzer::admit(const Program &program, Places fresh)
{
	Places again = run(program).places;
	Places stable;

	/* What came about by chance would not come again. */
	std::ranges::set_intersection(fresh, again, std::inserter(stable, stable.end()));
	if (over_ || stable.empty()) {
		cover_.add(fresh);
		return;
	}
	Program small = shrink(program, stable);
	cover_.add(fresh);
	corpus_.push_back(small);
	journal_.keep("corpus", "reaches " + std::to_string(stable.size()) + " more places", small);
}

void Fuzzer::search(std::chrono::seconds time)
{
	auto end = Clock::now() + time;
	auto next = Clock::now();

	while (Clock::now() < end && !over_) {
		if (Clock::now() >= next) {
			tell();
			next = Clock::now() + std::chrono::seconds(10);
		}
		Program program = draw();
		Places fresh = cover_.fresh(run(program).places);
		if (!fresh.empty() && !over_)
			admit(program, fresh);
	}
}

std::vector<Program> Fuzzer::minimised()
{
	std::vector<std::pair<Program, Places>> all;
	std::vector<Program> kept;
	Places reached;

	for (const Program &program : corpus_) {
		Places stable = run(program).places, again = run(program).places, both;

		std::ranges::set_intersection(stable, again, std::inserter(both, both.end()));
		all.emplace_back(program, std::move(both));
		if (over_)
			return corpus_;
	}
	/* The one that adds most, and so on. */
	for (;;) {
		auto gain = [&](const auto &entry) {
			return std::ranges::count_if(entry.second, [&](std::uint64_t place) {
				return !reached.contains(place);
			});
		};
		auto best = std::ranges::max_element(all, {}, gain);

		if (best == all.end() || !gain(*best))
			return kept;
		Places fresh;

		std::ranges::set_difference(best->second, reached,
					    std::inserter(fresh, fresh.end()));
		Program small = shrink(best->first, fresh);
		kept.push_back(small);
		reached.insert(best->second.begin(), best->second.end());
		all.erase(best);
		std::printf("# kept %zu, %zu places\n", kept.size(), reached.size());
		std::fflush(stdout);
		if (over_)
			return kept;
	}
}

void Fuzzer::tell() const
{
	auto seconds = std::chrono::duration<double>(Clock::now() - begin_).count();

	std::printf("# %5.0f s: %llu programs (%.1f/s), %llu killed, %zu places, corpus %zu\n",
		    seconds, static_cast<unsigned long long>(runs_),
		    static_cast<double>(runs_) / seconds,
		    static_cast<unsigned long long>(timeouts_), cover_.reached(), corpus_.size());
	std::fflush(stdout);
}

} // namespace fuzz
