// SPDX-License-Identifier: GPL-2.0
#include "accounts.hpp"

#include <algorithm>

namespace itmed
{

const std::vector<Counter> &counters()
{
	static const std::vector<Counter> all{
		{"read_bytes", "Read from the lower file", &itme_stats::read_bytes},
		{"demand_bytes", "Read while somebody waited for it: what had left, or was new",
		 &itme_stats::demand_bytes},
		{"prefetch_bytes", "Read ahead of use", &itme_stats::prefetch_bytes},
		{"prefetch_used_bytes", "Read ahead and then used",
		 &itme_stats::prefetch_used_bytes},
		{"prefetch_late_bytes", "Read ahead, but wanted before it was there",
		 &itme_stats::prefetch_late_bytes},
		{"prefetch_wasted_bytes", "Read ahead and dropped without a use",
		 &itme_stats::prefetch_wasted_bytes},
		{"dropped_bytes", "Left memory", &itme_stats::dropped_bytes},
		{"promoted_bytes", "Moved from CXL to DRAM", &itme_stats::promoted_bytes},
		{"demoted_bytes", "Moved from DRAM to CXL", &itme_stats::demoted_bytes},
		{"stalls", "Waits of a fault or read", &itme_stats::stalls},
		{"stall_nanoseconds", "Time of those waits", &itme_stats::stall_ns},
		{"io_errors", "Chunks that could not be read", &itme_stats::io_errors},
	};

	return all;
}

void StallHistogram::add(std::uint64_t ns)
{
	const double length = static_cast<double>(ns) / 1e9;
	const auto at = std::lower_bound(bounds.begin(), bounds.end(), length);

	counts[static_cast<std::size_t>(at - bounds.begin())]++;
	seconds += length;
}

Account &Accounts::account(const Owner &owner)
{
	if (accounts_.size() < accounts_max || accounts_.contains(owner))
		return accounts_[owner];
	return accounts_[{"other", "other"}];
}

void Accounts::set_owners(std::map<std::uint32_t, Owner> owners)
{
	const std::lock_guard lock(mutex_);

	owners_ = std::move(owners);
	std::erase_if(last_, [&](const auto &entry) { return !owners_.contains(entry.first); });
}

void Accounts::charge(std::uint32_t object, const itme_stats &now)
{
	const std::lock_guard lock(mutex_);
	const auto owner = owners_.find(object);

	if (owner == owners_.end())
		return;
	auto &last = last_[object];
	auto &account = this->account(owner->second);
	for (const auto &counter : counters()) {
		const std::uint64_t before = last.*counter.member;
		const std::uint64_t value = now.*counter.member;
		account.counters.*counter.member += value > before ? value - before : 0;
	}
	last = now;
}

void Accounts::stall(std::uint32_t object, std::uint64_t ns)
{
	const std::lock_guard lock(mutex_);

	if (const auto owner = owners_.find(object); owner != owners_.end())
		account(owner->second).stalls.add(ns);
}

std::map<Owner, Account> Accounts::all() const
{
	const std::lock_guard lock(mutex_);

	return accounts_;
}

std::vector<std::uint32_t> Accounts::objects() const
{
	const std::lock_guard lock(mutex_);
	std::vector<std::uint32_t> objects;

	for (const auto &[object, owner] : owners_)
		objects.push_back(object);
	return objects;
}

} // namespace itmed
