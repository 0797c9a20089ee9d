// SPDX-License-Identifier: GPL-2.0
#include "runner.hpp"

#include "faults.hpp"
#include "lower.hpp"
#include "mountpoint.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace fuzz
{

using Clock = std::chrono::steady_clock;

static constexpr auto time_limit = std::chrono::seconds(15);
/// From the kill on; also what must be finished before a task can die.
static constexpr auto death_limit = std::chrono::seconds(20);

Runner::Runner(Journal &journal, const Cover &cover, bool verbose) :
	journal_(journal), cover_(cover), verbose_(verbose), workers_on_(workers_.start_workers())
{
	void *memory = mmap(nullptr, sizeof(Verdict), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	verdict_ = new (memory) Verdict;
}

Runner::~Runner()
{
	munmap(verdict_, sizeof(*verdict_));
}

/// Where each thread of a process is in the kernel.
static std::string stacks(int pid)
{
	std::string text;
	std::error_code error;

	for (const auto &task :
	     std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
		std::ifstream in(task.path() / "stack");

		text += "thread " + task.path().filename().string() + ":\n";
		text.append(std::istreambuf_iterator<char>(in), {});
	}
	return text;
}

static bool ended(int child, Clock::duration limit)
{
	auto end = Clock::now() + limit;
	useconds_t nap = 200;

	while (waitpid(child, nullptr, WNOHANG) == 0) {
		if (Clock::now() > end)
			return false;
		usleep(nap);
		nap = std::min<useconds_t>(nap * 2, 5000);
	}
	return true;
}

void Runner::reap(int child, Outcome &outcome)
{
	if (ended(child, time_limit))
		return;
	outcome.timed_out = true;
	if (verbose_)
		std::fprintf(stderr, "# killed\n%s", stacks(child).c_str());
	kill(child, SIGKILL);
	if (ended(child, death_limit))
		return;
	outcome.wrong = "a process that cannot be killed\n" + stacks(child);
	outcome.fatal = true;
}

void Runner::judge(Outcome &outcome)
{
	if (verdict_->found && outcome.wrong.empty())
		outcome.wrong = verdict_->text;
	if (!outcome.fatal) {
		std::string left;
		/* A thread, as this one's record is that of the workers. */
		std::thread reset([&] {
			third_.start();
			left = reset_mountpoint();
		});

		reset.join();

		/* What it holds on to would be found with each program that follows. */
		if (!left.empty()) {
			outcome.wrong += outcome.wrong.empty() ? left : "\n" + left;
			outcome.fatal = true;
		}
	}
	std::string report = kernel_log_.report();
	if (!report.empty()) {
		outcome.wrong += (outcome.wrong.empty() ? "" : "\n") + report;
		outcome.fatal = true;
	}
}

Outcome Runner::run(const Program &program)
{
	Outcome outcome;

	journal_.running(program);
	verdict_->found = false;
	for (Kcov *kcov : {&first_, &second_, &third_, &workers_})
		kcov->clear();
	std::fflush(nullptr);
	int child = fork();
	if (!child) {
		rlimit no_core = {0, 0};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CORE, &no_core);
		/* On the heap: a thread of it may still be at work when it is killed. */
		auto *executor = new Executor(*verdict_, verbose_);

		executor->run(program, first_, second_);
		_exit(0);
	}
	if (child < 0) {
		outcome.wrong = std::string("fork: ") + std::strerror(errno);
		outcome.fatal = true;
		return outcome;
	}
	reap(child, outcome);
	end_faults();
	judge(outcome);
	for (Kcov *kcov : {&first_, &second_, &third_, &workers_})
		cover_.locate(kcov->pcs(), outcome.places);
	if (!outcome.fatal)
		remake_scratch();
	return outcome;
}

} // namespace fuzz
