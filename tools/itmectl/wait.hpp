// SPDX-License-Identifier: GPL-2.0
// To wait for input and signals at once.
#pragma once

#include "fd.hpp"

#include <chrono>
#include <csignal>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace itmectl
{

/// Signals that are taken when we look, not when they come; as before when it ends.
class Signals
{
public:
	explicit Signals(std::initializer_list<int> numbers);
	Signals(const Signals &) = delete;
	Signals &operator=(const Signals &) = delete;
	Signals(Signals &&) = delete;
	Signals &operator=(Signals &&) = delete;
	~Signals();

	int fd() const { return fd_.get(); }

	/// One that has come.
	std::optional<int> take() const;

private:
	sigset_t before_{};
	itme::Fd fd_;
};

/// Until one of them is readable, or the time is over; for ever without a time.
void wait_readable(std::initializer_list<int> fds,
		   std::optional<std::chrono::nanoseconds> time = std::nullopt);

} // namespace itmectl
