// SPDX-License-Identifier: GPL-2.0
// Swap areas, and what the files below a directory may take.
#include "executor.hpp"

#include <cstring>
#include <linux/itme.h>

namespace fuzz
{

static constexpr std::size_t path_room = 4096;

static constexpr Choice add_flags[] = {{"none", 0}, {"CHECK", 1}, {"BAD", 2}, {"high", 1ULL << 31}};
static constexpr Choice prios[] = {{"0", 0},
				   {"next", ~0ULL},
				   {"1", 1},
				   {"max", ITME_SWAP_PRIO_MAX},
				   {"above", ITME_SWAP_PRIO_MAX + 1},
				   {"-2", ~1ULL}};
/// They are numbered from 1 on.
static constexpr Choice ids[] = {
	{"none", 0}, {"first", 1}, {"second", 2}, {"third", 3}, {"max", 0xffffffff}};
static constexpr Choice rooms[] = {{"none", 0}, {"one", 1}, {"path", path_room}, {"max", ~0ULL}};
static constexpr Choice flags[] = {{"none", 0}, {"1", 1}, {"high", 1ULL << 31}};
static constexpr Choice limits[] = {{"none", 0},       {"page", 4096},	   {"less", 4095},
				    {"64K", 64 << 10}, {"4M", 4 << 20},	   {"1T", 1ULL << 40},
				    {"max", ~0ULL},    {"min", 1ULL << 63}};

template <std::size_t n>
static void reserve(__u64 (&reserved)[n], std::uint64_t value)
{
	reserved[value % n] = value;
}

static bool good(const Call &call)
{
	return call.value("pointer") == 0;
}

static void swap_add(Executor &exec, const Call &call)
{
	Is is = Executor::identify(exec.fd(call));
	Is area = Executor::identify(exec.fd(call, "area"));
	itme_swap_add arg = {};

	arg.fd = exec.fd(call, "area");
	arg.prio = static_cast<__s32>(call.value("prio"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	reserve(arg.reserved, call.value("reserved"));
	bool odd = arg.flags & ~ITME_SWAP_CHECK || arg.prio < -1 || arg.prio > ITME_SWAP_PRIO_MAX ||
		   call.value("reserved");
	long result = exec.ioctl_struct(call, ITME_IOC_SWAP_ADD, arg);

	if (!good(call))
		return;
	if (is == Is::file)
		exec.expect(call, result, {-ENOTTY}, "SWAP_ADD is of the root directory");
	if (is != Is::root)
		return;
	if (Executor::dropped)
		exec.expect(call, result, {-EPERM}, "SWAP_ADD needs CAP_SYS_ADMIN");
	else if (odd)
		exec.expect(call, result, {-EINVAL}, "unknown flags, priority or reserved fields");
	else if (area == Is::bad || area == Is::path)
		exec.expect(call, result, {-EBADF}, "an area is open for reading and writing");
	else if (area != Is::other)
		exec.expect_error(call, result, "itmefs keeps no area of itself");
}

static void swap_remove(Executor &exec, const Call &call)
{
	Is is = Executor::identify(exec.fd(call));
	itme_swap_remove arg = {};

	arg.id = static_cast<__u32>(call.value("id"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	reserve(arg.reserved, call.value("reserved"));
	const itme_swap_remove asked = arg;
	long result = exec.ioctl_struct(call, ITME_IOC_SWAP_REMOVE, arg);

	if (!good(call))
		return;
	if (is == Is::file)
		exec.expect(call, result, {-ENOTTY}, "SWAP_REMOVE is of the root directory");
	if (is != Is::root)
		return;
	if (Executor::dropped)
		exec.expect(call, result, {-EPERM}, "SWAP_REMOVE needs CAP_SYS_ADMIN");
	else if (asked.flags || call.value("reserved"))
		exec.expect(call, result, {-EINVAL}, "flags and reserved fields must be zero");
	else if (!asked.id)
		exec.expect(call, result, {-ENOENT}, "no area is number 0");
}

static void swap_get(Executor &exec, const Call &call)
{
	auto how = static_cast<Pointer>(call.value("path_pointer"));
	char *path = how == Pointer::good ? read_buffer()
					  : static_cast<char *>(exec.place(how, path_room));
	Is is = Executor::identify(exec.fd(call));
	itme_swap arg = {};

	arg.id = static_cast<__u32>(call.value("id"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	arg.path = reinterpret_cast<std::uintptr_t>(path);
	arg.path_len = static_cast<__u32>(call.value("path_len"));
	reserve(arg.reserved, call.value("reserved"));
	const itme_swap asked = arg;
	long result = exec.ioctl_struct(call, ITME_IOC_SWAP_GET, arg);

	if (!good(call) || is != Is::root)
		return;
	if (asked.flags || call.value("reserved"))
		exec.expect(call, result, {-EINVAL}, "flags and reserved fields must be zero");
	else if (how == Pointer::good)
		exec.expect(call, result, {0, -ENOENT}, "SWAP_GET finds one or none");
	if (!result && !exec.parallel() && (arg.id < asked.id || arg.used > arg.bytes))
		exec.violation(call, "area " + std::to_string(arg.id) + " holds " +
					     std::to_string(static_cast<long long>(arg.used)) +
					     " of " +
					     std::to_string(static_cast<long long>(arg.bytes)));
}

static void limit(Executor &exec, const Call &call)
{
	Is is = Executor::identify(exec.fd(call));
	itme_limit arg = {};

	arg.bytes = call.value("bytes");
	arg.flags = static_cast<__u32>(call.value("flags"));
	arg.pad = static_cast<__u32>(call.value("pad"));
	reserve(arg.reserved, call.value("reserved"));
	bool odd = arg.flags & ~ITME_LIMIT_SET || arg.pad || call.value("reserved");
	bool set = arg.flags & ITME_LIMIT_SET;
	long result = exec.ioctl_struct(call, ITME_IOC_LIMIT, arg);

	if (!good(call))
		return;
	if (is == Is::root || is == Is::file)
		exec.expect(call, result, {-ENOTTY}, "a limit is of a directory below the root");
	else if (is == Is::written && odd)
		exec.expect(call, result, {-EINVAL, -ENOTTY},
			    "unknown flags, pad, reserved fields");
	else if (is == Is::written && set && Executor::dropped)
		exec.expect(call, result, {-EPERM, -ENOTTY}, "to set a limit needs CAP_SYS_ADMIN");
}

#define POINTER                                                                                    \
	{                                                                                          \
		"pointer", Kind::reserved, pointers                                                \
	}

static constexpr Field add_fields[] = {
	{"fd", Kind::root_fd},	       {"area", Kind::lower_fd},
	{"prio", Kind::choice, prios}, {"flags", Kind::choice, add_flags},
	{"reserved", Kind::reserved},  POINTER};
static constexpr Field remove_fields[] = {{"fd", Kind::root_fd},
					  {"id", Kind::choice, ids},
					  {"flags", Kind::reserved, flags},
					  {"reserved", Kind::reserved},
					  POINTER};
static constexpr Field get_fields[] = {{"fd", Kind::root_fd},
				       {"id", Kind::choice, ids},
				       {"path_len", Kind::choice, rooms},
				       {"path_pointer", Kind::reserved, pointers},
				       {"flags", Kind::reserved, flags},
				       {"reserved", Kind::reserved},
				       POINTER};
static constexpr Field limit_fields[] = {
	{"fd", Kind::file_fd},	 {"bytes", Kind::choice, limits}, {"flags", Kind::choice, flags},
	{"pad", Kind::reserved}, {"reserved", Kind::reserved},	  POINTER};

static constexpr Op ops[] = {
	{"swap_add", 4, add_fields, swap_add},
	{"swap_remove", 4, remove_fields, swap_remove},
	{"swap_get", 2, get_fields, swap_get},
	{"limit", 2, limit_fields, limit},
};

std::span<const Op> swap_ops()
{
	return ops;
}

} // namespace fuzz
