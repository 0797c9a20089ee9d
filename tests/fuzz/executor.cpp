// SPDX-License-Identifier: GPL-2.0
#include "executor.hpp"

#include "content.hpp"
#include "faults.hpp"
#include "lower.hpp"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/itme.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>

namespace fuzz
{

thread_local bool Executor::dropped;
thread_local unsigned Executor::fail_nth;

/// Whether the last call of this thread was one with a fault injected.
static thread_local bool injected;
static thread_local sigjmp_buf jump;
static thread_local volatile bool jumping; // as the copy between its changes may end otherwise

static constexpr std::uintptr_t map_areas = 0x100000000000;
static constexpr std::size_t page = 4096;

const char *mount_dir()
{
	return "/tmp/itmefuzz";
}

static void on_fault(int signal)
{
	if (jumping)
		siglongjmp(jump, signal);
	/* Not one of ours: a defect of the fuzzer, which must not look like an empty program. */
	std::signal(signal, SIG_DFL);
}

int safe_copy(void *to, const void *from, std::size_t length)
{
	int signal = sigsetjmp(jump, 1);

	if (!signal) {
		jumping = true;
		std::memcpy(to, from, length);
	}
	jumping = false;
	return signal;
}

static char *anonymous(std::size_t size)
{
	void *memory =
		mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? nullptr : static_cast<char *>(memory);
}

char *read_buffer()
{
	static thread_local char *buffer = anonymous(buffer_size);

	return buffer;
}

Executor::Executor(Verdict &verdict, bool verbose) : verdict_(verdict), verbose_(verbose)
{
	for (auto &fd : fds_)
		fd = -1;
	for (int signal : {SIGBUS, SIGSEGV}) {
		struct sigaction action = {};

		action.sa_handler = on_fault;
		sigaction(signal, &action, nullptr);
	}
	for (int signal : {SIGIO, SIGPIPE, SIGALRM, SIGXFSZ})
		std::signal(signal, SIG_IGN);
}

int Executor::fd(const Call &call, std::string_view field) const
{
	return fds_[call.value(field) % fd_slots];
}

void Executor::put(const Call &call, long fd)
{
	if (fd < 0)
		return;
	int old = fds_[call.value("to") % fd_slots].exchange(static_cast<int>(fd));

	if (old >= 0 && old != fd)
		close(old);
}

Mapping &Executor::map(const Call &call, std::string_view field)
{
	return maps_[call.value(field) % map_slots];
}

char *Executor::map_area(const Mapping *first, const Mapping *map)
{
	return reinterpret_cast<char *>(map_areas +
					static_cast<std::size_t>(map - first) * 2 * map_area_size);
}

void Executor::clear(Mapping &map) const
{
	munmap(map_area(map), 2 * map_area_size);
	map.base = nullptr;
}

bool Executor::judged() const
{
	return !parallel_ && !injected && !faulty;
}

void Executor::expect(const Call &call, long result, std::initializer_list<long> allowed,
		      const char *rule)
{
	if (judged() && std::ranges::find(allowed, result) == allowed.end())
		violation(call, "result " + std::to_string(result) + ", against: " + rule);
}

void Executor::expect_error(const Call &call, long result, const char *rule)
{
	if (judged() && result >= 0)
		violation(call, "result " + std::to_string(result) + ", against: " + rule);
}

void Executor::violation(const Call &call, const std::string &what)
{
	if (verdict_.found.exchange(true))
		return;
	std::snprintf(verdict_.text, sizeof(verdict_.text), "%s: %s", call.op->name.data(),
		      what.c_str());
}

void Executor::check_data(const Call &call, std::uint64_t file_size, std::uint64_t offset,
			  const void *data, std::size_t length)
{
	std::int64_t wrong = first_wrong(file_size, offset, data, length);

	if (wrong >= 0)
		violation(call, "wrong byte at " + std::to_string(wrong) + " of the file of " +
					std::to_string(file_size) + " bytes");
}

void Executor::check_written(const Call &call, std::uint64_t offset, const void *data,
			     std::size_t length)
{
	if (stained)
		return;
	std::int64_t wrong =
		first_not_written({static_cast<const std::uint8_t *>(data), length}, offset);

	if (wrong >= 0)
		violation(call, "byte at " + std::to_string(wrong) +
					" of a written file that nobody has written");
}

void *Executor::place(Pointer how, std::size_t size)
{
	/* A good page, a read-only one, and an unmapped one. */
	static thread_local char *area = [] {
		char *memory = anonymous(3 * page);

		std::memset(memory, 0, 2 * page);
		mprotect(memory + page, page, PROT_READ);
		munmap(memory + 2 * page, page);
		return memory;
	}();

	switch (how) {
	case Pointer::null:
		return nullptr;
	case Pointer::kernel:
		return reinterpret_cast<void *>(0xffff888000000000);
	case Pointer::unmapped:
		return reinterpret_cast<void *>(0x200000000000);
	case Pointer::edge:
		return area + page - size / 2;
	case Pointer::readonly:
		return area + page;
	case Pointer::map:
		/* Another thread may map one there meanwhile. */
		if (parallel_)
			stained = true;
		/* Those of written files have what is known only. */
		if (maps_[0].base && !maps_[0].written)
			return maps_[0].base;
		break;
	default:
		break;
	}
	return size <= page ? area : read_buffer();
}

long Executor::ioctl_bytes(const Call &call, unsigned long request, void *arg, std::size_t size)
{
	auto how = static_cast<Pointer>(call.value("pointer"));
	void *at = place(how, size);

	if (how != Pointer::readonly && safe_copy(at, arg, size))
		injected = true; /* what is there is not what was meant */
	long result = sys(call, [&] { return ioctl(fd(call), request, at); });
	if (result >= 0)
		safe_copy(arg, at, size);
	return result;
}

Is Executor::identify(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	itme_object object = {};
	struct statfs fs;
	struct stat st;

	if (flags < 0 || fstatfs(fd, &fs) || fstat(fd, &st))
		return Is::bad;
	if (flags & O_PATH)
		return Is::path;
	if (fs.f_type != ITME_SUPER_MAGIC)
		return Is::other;
	if (S_ISDIR(st.st_mode))
		return st.st_ino == 1 ? Is::root : Is::written;
	if (!S_ISREG(st.st_mode) || ioctl(fd, ITME_IOC_OBJECT, &object) ||
	    object.flags & ITME_OBJECT_NATIVE)
		return Is::written;
	return Is::file;
}

bool Executor::is_written(int fd)
{
	struct stat st;

	return identify(fd) == Is::written && !fstat(fd, &st) && S_ISREG(st.st_mode);
}

void Executor::arm()
{
	injected = fail_nth != 0;
	if (fail_nth)
		fuzz::fail_nth(fail_nth);
}

void Executor::disarm()
{
	if (injected)
		fuzz::fail_nth(0);
	fail_nth = 0;
}

void Executor::told(const Call &call, long result) const
{
	if (!verbose_)
		return;
	std::fprintf(stderr, "#   %s%s = %ld%s%s\n", call.second ? "& " : "", call.op->name.data(),
		     result, result < 0 ? " " : "",
		     result < 0 ? strerrorname_np(static_cast<int>(-result)) : "");
}

void Executor::run_thread(const Program &program, bool second, std::size_t start, Kcov &kcov)
{
	kcov.start();
	for (std::size_t i = start; i < program.calls.size(); i++) {
		const Call &call = program.calls[i];

		if (call.second == second)
			call.op->run(*this, call);
	}
}

void Executor::run(const Program &program, Kcov &first, Kcov &second)
{
	auto split = std::ranges::find(program.calls, true, &Call::second);
	auto at = static_cast<std::size_t>(split - program.calls.begin());
	Program head;

	if (split == program.calls.end()) {
		run_thread(program, false, 0, first);
		return;
	}
	head.calls.assign(program.calls.begin(), split);
	run_thread(head, false, 0, first);
	parallel_ = true;
	std::thread other([&, privileges = dropped] {
		dropped = privileges;
		run_thread(program, true, at, second);
	});
	for (std::size_t i = at; i < program.calls.size(); i++)
		if (!program.calls[i].second)
			program.calls[i].op->run(*this, program.calls[i]);
	other.join();
}

} // namespace fuzz
