// SPDX-License-Identifier: GPL-2.0
#include "progress.hpp"

#include <chrono>
#include <future>

namespace itmectl
{

void with_progress(std::FILE *terminal, const std::function<void()> &work,
		   const std::function<std::string()> &line)
{
	using namespace std::chrono_literals;

	auto done = std::async(std::launch::async, work);
	bool printed = false;

	while (done.wait_for(500ms) == std::future_status::timeout) {
		std::fprintf(terminal, "\r\033[K%s", line().c_str());
		std::fflush(terminal);
		printed = true;
	}
	if (printed)
		std::fputs("\r\033[K", terminal);
	done.get();
}

} // namespace itmectl
