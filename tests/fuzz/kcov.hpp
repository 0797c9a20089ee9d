// SPDX-License-Identifier: GPL-2.0
// /sys/kernel/debug/kcov: the places of the kernel that a task has come by.
#pragma once

#include "../../tools/lib/fd.hpp"

#include <cstdint>
#include <span>

namespace fuzz
{

/// One buffer. It is shared with children, one of whose threads fills it.
class Kcov
{
public:
	/// Not valid() where the kernel has no KCOV.
	Kcov();
	Kcov(const Kcov &) = delete;
	Kcov &operator=(const Kcov &) = delete;
	~Kcov();

	bool valid() const { return area_ != nullptr; }

	/// From here on, of the calling thread, until it ends.
	void start();
	/// Of what kernel threads do that the debug build has marked (workers.h).
	bool start_workers();
	void clear();
	/// Return addresses of the calls to __sanitizer_cov_trace_pc(), in order, repeated.
	std::span<const std::uint64_t> pcs() const;

private:
	itme::Fd fd_;
	std::uint64_t *area_ = nullptr;
};

} // namespace fuzz
