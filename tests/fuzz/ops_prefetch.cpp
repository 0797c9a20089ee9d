// SPDX-License-Identifier: GPL-2.0
// Prefetches that are waited for: their ioctls, and the descriptor of one.
#include "executor.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <linux/itme.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fuzz
{

static constexpr Choice tiers[] = {{"DRAM", 0}, {"CXL", 1}, {"NVME", 2}, {"NR", 3}, {"ANY", 255}};
static constexpr Choice flags[] = {{"none", 0}, {"1", 1}, {"high", 1ULL << 31}};
static constexpr Choice counts[] = {{"1", 1},	    {"2", 2},	    {"5", 5},		{"none", 0},
				    {"1024", 1024}, {"1025", 1025}, {"max", 0xffffffff}};
static constexpr Choice strides[] = {{"none", 0},	    {"64K", 0x10000},
				     {"2M", 0x200000},	    {"4M-1", 0x3fffff},
				     {"-2M", -0x200000ULL}, {"high", 1ULL << 62}};
static constexpr Choice timeouts[] = {{"none", 0},	  {"1us", 1000},   {"20ms", 20000000},
				      {"5s", 5000000000}, {"ever", ~0ULL}, {"min", 1ULL << 63},
				      {"max", INT64_MAX}};
static constexpr Choice uses[] = {{"read", 0},		{"poll", 1},  {"read_in_child", 2},
				  {"dup_and_close", 3}, {"short", 4}, {"close_unread", 5}};

template <std::size_t n>
static void reserve(__u64 (&reserved)[n], std::uint64_t value)
{
	reserved[value % n] = value;
}

static std::uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : static_cast<std::uint64_t>(st.st_size);
}

static void prefetch(Executor &exec, const Call &call)
{
	auto how = static_cast<Pointer>(call.value("spans_pointer"));
	Is is = Executor::identify(exec.fd(call));
	std::uint64_t size = size_of(exec.fd(call));
	auto *held = reinterpret_cast<itme_span *>(read_buffer() + buffer_size / 2);
	auto *spans = how == Pointer::good ? held : static_cast<itme_span *>(exec.place(how, 4096));
	auto count = static_cast<std::uint32_t>(call.value("count"));
	bool odd = false;
	itme_prefetch arg = {};

	for (std::uint32_t i = 0; i < std::min<std::uint32_t>(count, ITME_SPANS_MAX + 1); i++) {
		itme_span span = {call.value("offset") + i * call.value("stride"),
				  call.value("length")};

		odd = odd || !span.length || span.offset >= size ||
		      span.offset + span.length < span.offset;
		if (safe_copy(spans + i, &span, sizeof(span)))
			break;
	}
	arg.spans = reinterpret_cast<std::uintptr_t>(spans);
	arg.count = count;
	arg.tier = static_cast<__u32>(call.value("tier"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	reserve(arg.reserved, call.value("reserved"));
	odd = odd || !count || count > ITME_SPANS_MAX || arg.flags || call.value("reserved") ||
	      (arg.tier > ITME_TIER_CXL && arg.tier != ITME_TIER_ANY);
	arg.fd = -1;
	long result = exec.ioctl_struct(call, ITME_IOC_PREFETCH, arg);

	/* Where the struct could not be written there is no descriptor; the module must see to
	 * that. */
	if (!result && call.value("pointer") == 0)
		exec.put(call, arg.fd);
	if (call.value("pointer") || how != Pointer::good)
		return;
	if (is == Is::root)
		exec.expect(call, result, {-ENOTTY}, "PREFETCH is of a file");
	if (is != Is::file)
		return;
	if (odd)
		exec.expect_error(call, result, "spans, tier, flags and reserved fields");
	else
		exec.expect(call, result, {0, -EAGAIN, -ENOTTY}, "a prefetch of good ranges");
	if (!result && (arg.fd < 0 || (!exec.parallel() && fcntl(arg.fd, F_GETFD) != FD_CLOEXEC)))
		exec.violation(call, "no descriptor, or not closed on exec");
}

/// Bytes can leave again, so there is little to say of an answer but its size.
static void judge_result(Executor &exec, const Call &call, long result, std::size_t room)
{
	if (result > 0 && result != static_cast<long>(sizeof(itme_prefetch_result)))
		exec.violation(call, "an answer of another size");
	if (result > static_cast<long>(room))
		exec.violation(call, "an answer larger than its room");
	itme_prefetch_result answer;

	if (result != sizeof(answer) || safe_copy(&answer, read_buffer(), sizeof(answer)))
		return;
	if (answer.failed > answer.missing || answer.reserved)
		exec.violation(call, "more failed than is missing, or a reserved field");
}

static void use_prefetch(Executor &exec, const Call &call)
{
	int fd = exec.fd(call);
	std::uint64_t what = call.value("what");
	std::size_t room = what == 4 ? 8 : sizeof(itme_prefetch_result);
	struct pollfd poll_fd = {fd, POLLIN, 0};

	/* Sockets do not wait, and files of itmefs do not either; anything else might, for ever. */
	if (Executor::identify(fd) == Is::path)
		return;
	switch (what) {
	case 1:
		exec.sys(call, [&] { return poll(&poll_fd, 1, 100); });
		return;
	case 2: {
		pid_t child = fork();

		if (!child) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(read(fd, read_buffer(), room) < 0);
		}
		close(fd);
		if (child > 0)
			waitpid(child, nullptr, 0);
		return;
	}
	case 3: {
		int copy = dup(fd);

		close(fd);
		if (copy >= 0)
			dup2(copy, fd), close(copy);
		break;
	}
	case 5:
		exec.sys(call, [&] { return close(fd); });
		return;
	default:
		break;
	}
	/* Only of what is ready is it known that a read comes back; a prefetch always does. */
	if (poll(&poll_fd, 1, 1000) <= 0)
		return;
	long result = exec.sys(call, [&] { return read(fd, read_buffer(), room); });
	if (!exec.parallel() && Executor::identify(fd) == Is::other &&
	    call.value("fd") >= first_prefetch)
		judge_result(exec, call, result, room);
}

static void wait_for(Executor &exec, const Call &call)
{
	Is is = Executor::identify(exec.fd(call));
	std::uint64_t size = size_of(exec.fd(call));
	itme_wait arg = {};

	arg.offset = call.value("offset");
	arg.length = call.value("length");
	arg.timeout_ns = static_cast<__s64>(call.value("timeout"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	arg.pad = static_cast<__u32>(call.value("pad"));
	reserve(arg.reserved, call.value("reserved"));
	const itme_wait asked = arg;
	long result = exec.ioctl_struct(call, ITME_IOC_WAIT, arg);

	if (call.value("pointer"))
		return;
	if (is == Is::root)
		exec.expect(call, result, {-ENOTTY}, "WAIT is of a file");
	if (is != Is::file)
		return;
	if (asked.flags || asked.pad || call.value("reserved") || asked.offset >= size ||
	    asked.offset + asked.length < asked.offset)
		exec.expect_error(call, result, "flags, reserved fields, and the range");
	else
		exec.expect(call, result, {0, -ENOTTY}, "WAIT of a good range");
}

#define POINTER                                                                                    \
	{                                                                                          \
		"pointer", Kind::reserved, pointers                                                \
	}

static constexpr Field prefetch_fields[] = {
	{"fd", Kind::file_fd},
	{"offset", Kind::offset},
	{"length", Kind::length},
	{"stride", Kind::choice, strides},
	{"count", Kind::choice, counts},
	{"tier", Kind::choice, tiers},
	{"flags", Kind::reserved, flags},
	{"reserved", Kind::reserved},
	{"spans_pointer", Kind::reserved, pointers},
	POINTER,
	{"to", Kind::prefetch},
};
static constexpr Field use_fields[] = {{"fd", Kind::prefetch}, {"what", Kind::choice, uses}};
static constexpr Field wait_fields[] = {
	{"fd", Kind::file_fd},
	{"offset", Kind::offset},
	{"length", Kind::length},
	{"timeout", Kind::choice, timeouts},
	{"flags", Kind::reserved, flags},
	{"pad", Kind::reserved},
	{"reserved", Kind::reserved},
	POINTER,
};

static constexpr Op ops[] = {
	{"prefetch", 10, prefetch_fields, prefetch},
	{"use_prefetch", 6, use_fields, use_prefetch},
	{"wait_for", 4, wait_fields, wait_for},
};

std::span<const Op> prefetch_ops()
{
	return ops;
}

} // namespace fuzz
