// SPDX-License-Identifier: GPL-2.0
// Does a plan fit what is touched? Pure: counters in, a verdict out.
#pragma once

#include <cstdint>
#include <vector>

namespace itmed
{

enum class Verdict {
	fits,	  ///< or it is too early to tell
	wrong,	  ///< the order is another one
	useless,  ///< it fits, and yet hardly anything is read ahead of its use
	partial,  ///< some stages are never used
	outgrown, ///< what a reduced plan left out is used after all
	unused,	  ///< it was read once, and then left alone
};

/// What the kernel has counted, of the plan and of its files. All but the time and the bytes in
/// memory only grow, but for a plan that is set anew.
struct Sample {
	std::uint64_t now = 0;	     ///< ns
	std::uint64_t jumps = 0;     ///< of the plan
	std::uint64_t passes = 0;    ///< of the plan
	std::uint64_t fills = 0;     ///< chunks that were read
	std::uint64_t demanded = 0;  ///< of these, those that somebody waited for
	std::uint64_t used = 0;	     ///< bytes that were read ahead and then used
	std::uint64_t shortages = 0; ///< times that there was no memory, or no room for a hint
	std::uint64_t planned = 0;   ///< bytes of the plan
	std::uint64_t in_memory = 0; ///< bytes of its files
};

struct JudgeLimits {
	std::uint64_t unused = 60'000'000'000; ///< ns
	unsigned int wrong = 3;		       ///< looks in a row
};

class Judge
{
public:
	/// A plan with so many stages is followed from now on.
	void begin(std::size_t stages, bool reduced);

	/// Somebody has entered a stage.
	void entered(std::uint32_t stage);

	Verdict look(const Sample &sample, const JudgeLimits &limits);

	/// Nothing more is to be known of single stages.
	bool settled() const;

	/// Stages that hardly anybody has entered, though others were entered again and again.
	/// Those that are in memory may be in use all the same: a use of what is mapped is not
	/// seen.
	std::vector<bool> rarely_entered() const;

	std::uint32_t entries(std::size_t stage) const { return entries_.at(stage); }

	/// All of the stages are used, as far as can be told.
	void conclude() { concluded_ = true; }

private:
	/// Of weights that an engine has copied, what lies between them is used still, in order:
	/// nothing is wrong with that. But what is read ahead is not used, and stands in the way of
	/// what is. That may be little between two looks, so windows are as long as it takes.
	bool foresees_nothing(const Sample &sample);

	/// Looks between which less is read tell nothing of the order.
	static constexpr std::uint64_t fills_min = 16;
	/// Of so much read each.
	static constexpr unsigned int windows_useless = 3;
	/// Entries of a stage after which one that has none, or one for so many, is rarely entered.
	/// One is from when the model was loaded.
	static constexpr std::uint32_t entries_many = 8;

	std::vector<std::uint32_t> entries_;
	std::uint32_t most_ = 0;
	bool entered_ = false; ///< since the last look
	bool reduced_ = false;
	bool concluded_ = false;
	bool first_ = true;
	Sample last_;
	Sample window_;		    ///< where that of foresees_nothing() began
	std::uint64_t touched_ = 0; ///< when something was seen last
	unsigned int bad_ = 0;	    ///< looks in a row
	unsigned int useless_ = 0;  ///< windows in a row
};

} // namespace itmed
