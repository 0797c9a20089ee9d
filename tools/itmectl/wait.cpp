// SPDX-License-Identifier: GPL-2.0
#include "wait.hpp"

#include <algorithm>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vector>

namespace itmectl
{

Signals::Signals(std::initializer_list<int> numbers)
{
	sigset_t set;

	::sigemptyset(&set);
	for (const int number : numbers)
		::sigaddset(&set, number);
	::pthread_sigmask(SIG_BLOCK, &set, &before_);
	fd_ = itme::Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

Signals::~Signals()
{
	::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::take() const
{
	signalfd_siginfo info{};

	if (::read(fd_.get(), &info, sizeof(info)) != sizeof(info))
		return std::nullopt;
	return static_cast<int>(info.ssi_signo);
}

void wait_readable(std::initializer_list<int> fds, std::optional<std::chrono::nanoseconds> time)
{
	std::vector<pollfd> polls;
	timespec left{};

	// Those below 0 are not looked at, as by poll() itself.
	for (const int fd : fds)
		polls.push_back({fd, POLLIN, 0});
	if (time) {
		const auto ns = std::max<std::chrono::nanoseconds>(*time, {}).count();
		left.tv_sec = ns / 1'000'000'000;
		left.tv_nsec = ns % 1'000'000'000;
	}
	::ppoll(polls.data(), polls.size(), time ? &left : nullptr, nullptr);
}

} // namespace itmectl
