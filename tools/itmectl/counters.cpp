// SPDX-License-Identifier: GPL-2.0
#include "counters.hpp"

#include <array>

namespace itmectl
{
namespace
{

constexpr std::array<Counter, 24> counters{{
	{"read_bytes", "read from drive", Kind::size, &itme_stats::read_bytes},
	{"reads", "reads", Kind::count, &itme_stats::reads},
	{"demand_bytes", "waited for", Kind::size, &itme_stats::demand_bytes},
	{"prefetch_bytes", "prefetched", Kind::size, &itme_stats::prefetch_bytes},
	{"prefetch_used_bytes", "prefetched, used", Kind::size, &itme_stats::prefetch_used_bytes},
	{"prefetch_late_bytes", "prefetched, late", Kind::size, &itme_stats::prefetch_late_bytes},
	{"prefetch_wasted_bytes", "prefetched, wasted", Kind::size,
	 &itme_stats::prefetch_wasted_bytes},
	{"dropped_bytes", "dropped", Kind::size, &itme_stats::dropped_bytes},
	{"promoted_bytes", "CXL to DRAM", Kind::size, &itme_stats::promoted_bytes},
	{"demoted_bytes", "DRAM to CXL", Kind::size, &itme_stats::demoted_bytes},
	{"stalls", "stalls", Kind::count, &itme_stats::stalls},
	{"stall_ns", "stall time, ns", Kind::count, &itme_stats::stall_ns},
	{"stall_max_ns", "longest stall, ns", Kind::count, &itme_stats::stall_max_ns},
	{"io_errors", "I/O errors", Kind::count, &itme_stats::io_errors},
	{"small_folio_chunks", "chunks of small folios", Kind::count,
	 &itme_stats::small_folio_chunks},
	{"alloc_fails", "allocations failed", Kind::count, &itme_stats::alloc_fails},
	{"busy_fails", "could not leave", Kind::count, &itme_stats::busy_fails},
	{"hints", "hints", Kind::count, &itme_stats::hints},
	{"hints_dropped", "hints dropped", Kind::count, &itme_stats::hints_dropped},
	{"swap_out_bytes", "swapped out", Kind::size, &itme_stats::swap_out_bytes},
	{"swap_in_bytes", "swapped in", Kind::size, &itme_stats::swap_in_bytes},
	{"swap_zero_bytes", "swapped out, zero", Kind::size, &itme_stats::swap_zero_bytes},
	{"swap_clean_bytes", "swapped out, unchanged", Kind::size, &itme_stats::swap_clean_bytes},
	{"swap_errors", "swap errors", Kind::count, &itme_stats::swap_errors},
}};

} // namespace

std::span<const Counter> all_counters()
{
	return counters;
}

std::uint64_t added(const Counter &counter, const itme_stats &now, const itme_stats &before)
{
	const std::uint64_t value = now.*counter.member;
	const std::uint64_t old = before.*counter.member;

	if (counter.member == &itme_stats::stall_max_ns || old > value)
		return value;
	return value - old;
}

} // namespace itmectl
