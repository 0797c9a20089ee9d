// SPDX-License-Identifier: GPL-2.0
// What each model has cost, by the control group that used it then. Counters of the module are of a
// file since its import; what they grow by belongs to who has it mapped.
#pragma once

#include <array>
#include <cstdint>
#include <linux/itme.h>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace itmed
{

/// Waits that were told as events, by length.
struct StallHistogram {
	static constexpr std::array<double, 8> bounds{0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5};

	std::array<std::uint64_t, bounds.size() + 1> counts{}; ///< the last one: longer
	double seconds = 0;

	void add(std::uint64_t ns);
};

struct Account {
	itme_stats counters{};
	StallHistogram stalls;
};

/// Whose file it is now.
struct Owner {
	std::string model;
	std::string cgroup;

	// clang-tidy takes the 0 that results are compared with for a pointer.
	auto operator<=>(const Owner &) const = default; // NOLINT(modernize-use-nullptr)
};

/// Used by the thread that is asked for metrics, too.
class Accounts
{
public:
	/// What is not mapped any more keeps its account, so that no counter goes back.
	void set_owners(std::map<std::uint32_t, Owner> owners);

	/// Counters of a file, as they are now.
	void charge(std::uint32_t object, const itme_stats &now);
	void stall(std::uint32_t object, std::uint64_t ns);

	std::map<Owner, Account> all() const;
	std::vector<std::uint32_t> objects() const;

	/// More control groups than that share one account, "other": labels must not grow for ever.
	static constexpr std::size_t accounts_max = 1024;

private:
	Account &account(const Owner &owner);

	mutable std::mutex mutex_;
	std::map<std::uint32_t, Owner> owners_;
	std::map<std::uint32_t, itme_stats> last_;
	std::map<Owner, Account> accounts_;
};

/// The counters of itme_stats that only grow.
struct Counter {
	const char *name;
	const char *help;
	__u64 itme_stats::*member;
};

const std::vector<Counter> &counters();

} // namespace itmed
