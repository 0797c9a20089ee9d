// SPDX-License-Identifier: GPL-2.0
#include "progress.hpp"

#include "wait.hpp"

#include <chrono>
#include <csignal>
#include <future>
#include <sys/eventfd.h>
#include <thread>

namespace itmectl
{
namespace
{

using namespace std::chrono_literals;

void print_line(std::FILE *terminal, const std::string &text)
{
	std::fprintf(terminal, "\r\033[K%s", text.c_str());
	std::fflush(terminal);
}

/// A signal that does nothing but end a system call; as before when it goes out of scope.
class Wakeup
{
public:
	static constexpr int number = SIGUSR1;

	Wakeup()
	{
		struct sigaction action {
		};

		action.sa_handler = [](int) {};
		::sigaction(number, &action, &before_);
	}

	Wakeup(const Wakeup &) = delete;
	Wakeup &operator=(const Wakeup &) = delete;
	Wakeup(Wakeup &&) = delete;
	Wakeup &operator=(Wakeup &&) = delete;

	~Wakeup() { ::sigaction(number, &before_, nullptr); }

	/// For the calling thread.
	static void unblock()
	{
		sigset_t set;

		::sigemptyset(&set);
		::sigaddset(&set, number);
		::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
	}

private:
	struct sigaction before_ {
	};
};

} // namespace

void with_progress(std::FILE *terminal, const std::function<void()> &work,
		   const std::function<std::string()> &line)
{
	auto done = std::async(std::launch::async, work);
	bool printed = false;

	while (done.wait_for(500ms) == std::future_status::timeout) {
		print_line(terminal, line());
		printed = true;
	}
	if (printed)
		print_line(terminal, "");
	done.get();
}

void interruptible(std::FILE *terminal, const std::function<void()> &work,
		   const std::function<std::string()> &line)
{
	// Before the thread, which inherits what is blocked: these come to us alone.
	const Signals signals{SIGINT, SIGTERM, SIGHUP};
	const Wakeup wakeup;
	const itme::Fd ended(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	std::thread thread([&] {
		Wakeup::unblock();
		work();
		::eventfd_write(ended.get(), 1);
	});
	eventfd_t done = 0;
	bool printed = false;
	bool stop = false;

	for (;;) {
		wait_readable({signals.fd(), ended.get()}, stop ? 20ms : 500ms);
		if (!::eventfd_read(ended.get(), &done))
			break;
		stop = stop || signals.take();
		// Again and again, as it may come before the system call has begun.
		if (stop) {
			::pthread_kill(thread.native_handle(), Wakeup::number);
		} else if (terminal) {
			print_line(terminal, line());
			printed = true;
		}
	}
	thread.join();
	if (printed)
		print_line(terminal, "");
}

} // namespace itmectl
