// SPDX-License-Identifier: GPL-2.0
#include "judge.hpp"

#include <algorithm>

namespace itmed
{
namespace
{

/// Of counters that may have begun anew.
std::uint64_t since(std::uint64_t now, std::uint64_t before)
{
	return now >= before ? now - before : now;
}

} // namespace

void Judge::begin(std::size_t stages, bool reduced)
{
	entries_.assign(stages, 0);
	most_ = 0;
	entered_ = false;
	reduced_ = reduced;
	concluded_ = false;
	first_ = true;
	bad_ = 0;
	useless_ = 0;
}

void Judge::entered(std::uint32_t stage)
{
	if (stage >= entries_.size())
		return;
	most_ = std::max(most_, ++entries_[stage]);
	entered_ = true;
}

bool Judge::settled() const
{
	if (entries_.empty() || concluded_)
		return true;
	// All have been used anew since the model was loaded.
	return reduced_ ? most_ > 1 : *std::min_element(entries_.begin(), entries_.end()) > 1;
}

std::vector<bool> Judge::rarely_entered() const
{
	std::vector<bool> rarely(entries_.size());

	if (most_ >= entries_many)
		for (std::size_t i = 0; i < entries_.size(); i++)
			rarely[i] = entries_[i] <= most_ / entries_many;
	return rarely;
}

bool Judge::foresees_nothing(const Sample &sample)
{
	if (first_)
		window_ = sample;
	const std::uint64_t fills = since(sample.fills, window_.fills);
	const std::uint64_t demanded = since(sample.demanded, window_.demanded);
	const bool short_of_memory = sample.shortages != window_.shortages;

	if (fills >= fills_min) {
		window_ = sample;
		// Without memory nothing can be read ahead, whatever the plan.
		useless_ = settled() && !short_of_memory && sample.in_memory < sample.planned &&
					   demanded * 8 > fills * 7
				   ? useless_ + 1
				   : 0;
	}
	return !reduced_ && useless_ >= windows_useless;
}

Verdict Judge::look(const Sample &sample, const JudgeLimits &limits)
{
	const bool useless = foresees_nothing(sample);
	const Sample before = first_ ? sample : last_;
	const std::uint64_t fills = since(sample.fills, before.fills);
	const std::uint64_t demanded = since(sample.demanded, before.demanded);
	const std::uint64_t jumps = since(sample.jumps, before.jumps);
	const bool touched = first_ || entered_ || fills || jumps || sample.used != before.used ||
			     sample.passes != before.passes;

	if (touched)
		touched_ = sample.now;
	first_ = false;
	entered_ = false;
	last_ = sample;

	// A use is seen once after each read, so what is read bounds what is seen.
	if (fills >= fills_min) {
		bad_ = jumps * 4 > fills ? bad_ + 1 : 0;
		if (bad_ >= limits.wrong)
			return Verdict::wrong;
		if (reduced_ && demanded * 2 > fills)
			return Verdict::outgrown;
	}
	const auto rarely = rarely_entered();
	if (!reduced_ && !concluded_ &&
	    std::find(rarely.begin(), rarely.end(), true) != rarely.end())
		return Verdict::partial;
	if (useless)
		return Verdict::useless;
	// What is in memory as a whole may be in use without anything to be seen of it.
	if (most_ == 1 && sample.passes <= 1 && sample.in_memory < sample.planned &&
	    sample.now - touched_ >= limits.unused)
		return Verdict::unused;
	return Verdict::fits;
}

} // namespace itmed
