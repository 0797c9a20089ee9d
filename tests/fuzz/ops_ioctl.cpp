// SPDX-License-Identifier: GPL-2.0
// The requests of uapi/linux/itme.h, and what their documentation promises.
#include "executor.hpp"
#include "lower.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/itme.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace fuzz
{

static constexpr Choice tiers[] = {{"DRAM", 0}, {"CXL", 1}, {"NVME", 2}, {"NR", 3}, {"ANY", 255}};
static constexpr Choice advices[] = {{"WILLNEED", 0}, {"COLD", 1},  {"PAGEOUT", 2}, {"HOT", 3},
				     {"PIN", 4},      {"UNPIN", 5}, {"NR", 6}};
static constexpr Choice chunks[] = {
	{"default", 0},	  {"64K", 0x10000}, {"128K", 0x20000}, {"1M", 0x100000},   {"2M", 0x200000},
	{"4M", 0x400000}, {"32K", 0x8000},  {"96K", 0x18000},  {"2G", 0x80000000},
};
static constexpr Choice budgets[] = {
	{"0", 0},	    {"4K", 0x1000},    {"8M", 8 << 20},	    {"10M", 10 << 20},
	{"16M", 16 << 20},  {"32M", 32 << 20}, {"7M", 7 << 20},	    {"8M-1", (8 << 20) - 1},
	{"1T", 1ULL << 40}, {"max", ~0ULL},    {"min", 1ULL << 63},
};
static constexpr Choice name_lengths[] = {
	{"whole", 0}, {"none", 1ULL << 32}, {"255", 255}, {"256", 256}, {"max", 0xffffffff}};
static constexpr Choice map_rooms[] = {
	{"none", 0}, {"one", 1}, {"two", 2}, {"page", 4096}, {"max", ~0ULL}};

/// Bits from 31 on are what no version of the header will give a meaning soon.
static constexpr Choice stats_flags[] = {{"none", 0}, {"FILE", 1}, {"2", 2}, {"high", 1ULL << 31}};
static constexpr Choice flags[] = {{"none", 0}, {"1", 1}, {"high", 1ULL << 31}};

/// The last word of an array of them; each must be zero.
template <std::size_t n>
static void reserve(__u64 (&reserved)[n], std::uint64_t value)
{
	reserved[value % n] = value;
}

static bool good(const Call &call)
{
	return call.value("pointer") == 0;
}

static std::uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : static_cast<std::uint64_t>(st.st_size);
}

static void info(Executor &exec, const Call &call)
{
	itme_info arg = {};
	Is is = Executor::identify(exec.fd(call));

	reserve(arg.reserved, call.value("reserved"));
	long result = exec.ioctl_struct(call, ITME_IOC_INFO, arg);
	if (!good(call) || (is != Is::root && is != Is::file))
		return;
	if (call.value("reserved"))
		exec.expect(call, result, {-EINVAL}, "reserved fields must be zero");
	else
		exec.expect(call, result, {0}, "INFO works on any");
}

static void judge_tier(Executor &exec, const Call &call, const itme_tier_info &arg, long result)
{
	if (!result && !exec.parallel() && arg.used > arg.budget)
		exec.violation(call, "used " + std::to_string(arg.used) + " above the budget " +
					     std::to_string(arg.budget));
	if (!result && !exec.parallel() && !exec.poisoned && arg.pinned > arg.used)
		exec.violation(call, "pinned " + std::to_string(arg.pinned) + " above used");
	if (call.value("reserved") || (call.value("flags") & 0xffffffff) ||
	    (call.value("tier") & 0xffffffff) > ITME_TIER_CXL)
		exec.expect(call, result, {-EINVAL}, "unknown tier, flags or reserved fields");
}

static itme_tier_info tier_arg(const Call &call)
{
	itme_tier_info arg = {};

	arg.tier = static_cast<__u32>(call.value("tier"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	reserve(arg.reserved, call.value("reserved"));
	return arg;
}

static void tier_get(Executor &exec, const Call &call)
{
	itme_tier_info arg = tier_arg(call);
	Is is = Executor::identify(exec.fd(call));
	long result = exec.ioctl_struct(call, ITME_IOC_TIER_GET, arg);

	if (good(call) && (is == Is::root || is == Is::file))
		judge_tier(exec, call, arg, result);
}

static void tier_set(Executor &exec, const Call &call)
{
	itme_tier_info arg = tier_arg(call);
	Is is = Executor::identify(exec.fd(call));

	arg.budget = call.value("budget");
	long result = exec.ioctl_struct(call, ITME_IOC_TIER_SET, arg);
	if (!good(call) || (is != Is::root && is != Is::file))
		return;
	if (Executor::dropped)
		exec.expect(call, result, {-EPERM}, "TIER_SET needs CAP_SYS_ADMIN");
	else
		judge_tier(exec, call, arg, result);
}

static void import(Executor &exec, const Call &call)
{
	const std::string &name = call.text("name");
	std::uint64_t length = call.value("name_len");
	std::uint64_t chunk = call.value("chunk_size");
	Is is = Executor::identify(exec.fd(call));
	Is lower = Executor::identify(exec.fd(call, "lower"));
	auto how = static_cast<Pointer>(call.value("name_pointer"));
	char *text = static_cast<char *>(exec.place(how, 512));
	char *held = read_buffer() + buffer_size - 512;
	itme_import arg = {};

	/* Not where the struct is put. */
	if (how == Pointer::good)
		text = held;
	safe_copy(text, name.c_str(), name.size() + 1);
	arg.lower_fd = exec.fd(call, "lower");
	arg.flags = static_cast<__u32>(call.value("flags"));
	arg.chunk_size = static_cast<__u32>(chunk);
	arg.name_len = static_cast<__u32>(length ? length : name.size());
	arg.name = reinterpret_cast<std::uintptr_t>(text);
	reserve(arg.reserved, call.value("reserved"));
	bool odd = arg.flags || call.value("reserved");
	bool no_name = !arg.name_len || arg.name_len > ITME_NAME_MAX;
	long result = exec.ioctl_struct(call, ITME_IOC_IMPORT, arg);

	if (!good(call))
		return;
	if (is == Is::file)
		exec.expect(call, result, {-ENOTTY}, "IMPORT is of the root directory");
	if (is != Is::root)
		return;
	if (Executor::dropped)
		exec.expect(call, result, {-EPERM}, "IMPORT needs CAP_SYS_ADMIN");
	else if (odd || no_name)
		exec.expect(call, result, {-EINVAL}, "flags, reserved fields and name_len");
	else if (how == Pointer::good && (lower == Is::bad || lower == Is::path))
		exec.expect(call, result, {-EBADF, -EINVAL}, "the lower file is open for reading");
	else if (lower == Is::root || lower == Is::file)
		exec.expect_error(call, result, "itmefs is no lower file of itself");
	if (!result && size_of(arg.lower_fd) == 0)
		exec.expect_error(call, result, "an empty file cannot be imported");
}

static void object(Executor &exec, const Call &call)
{
	constexpr std::size_t room = 4096;
	auto how = static_cast<Pointer>(call.value("path_pointer"));
	char *path =
		how == Pointer::good ? read_buffer() : static_cast<char *>(exec.place(how, room));
	Is is = Executor::identify(exec.fd(call));
	std::uint64_t size = size_of(exec.fd(call));
	itme_object arg = {};

	arg.path = reinterpret_cast<std::uintptr_t>(path);
	arg.path_len = static_cast<__u32>(call.value("path_len"));
	reserve(arg.reserved, call.value("reserved"));
	if (how == Pointer::good)
		std::memset(path, 0x5a, room);
	std::uint64_t asked = std::min<std::uint64_t>(arg.path_len, room - 1);
	long result = exec.ioctl_struct(call, ITME_IOC_OBJECT, arg);

	if (!good(call))
		return;
	if (is == Is::root)
		exec.expect(call, result, {-ENOTTY}, "OBJECT is of a file");
	if (is != Is::file)
		return;
	if (call.value("reserved")) {
		exec.expect(call, result, {-EINVAL}, "reserved fields must be zero");
	} else if (how == Pointer::good) {
		exec.expect(call, result, {0}, "OBJECT works on a file");
		if (!result && !exec.parallel() && arg.size != size)
			exec.violation(call, "another size than stat's");
		if (!result && path[asked] != 0x5a)
			exec.violation(call, "a path longer than its room");
	}
}

static void advise(Executor &exec, const Call &call)
{
	Is is = Executor::identify(exec.fd(call));
	std::uint64_t size = size_of(exec.fd(call));
	itme_advise arg = {};

	arg.offset = call.value("offset");
	arg.length = call.value("length");
	arg.advice = static_cast<__u32>(call.value("advice"));
	arg.tier = static_cast<__u32>(call.value("tier"));
	arg.flags = static_cast<__u32>(call.value("flags"));
	arg.pad = static_cast<__u32>(call.value("pad"));
	reserve(arg.reserved, call.value("reserved"));
	const itme_advise asked = arg;
	long result = exec.ioctl_struct(call, ITME_IOC_ADVISE, arg);

	if (!good(call))
		return;
	if (is == Is::root)
		exec.expect(call, result, {-ENOTTY}, "ADVISE is of a file");
	if (is != Is::file)
		return;
	if (asked.flags || asked.pad || call.value("reserved") || asked.advice >= ITME_ADVICE_NR ||
	    (asked.tier > ITME_TIER_NVME && asked.tier != ITME_TIER_ANY))
		exec.expect(call, result, {-EINVAL},
			    "flags, pad, reserved fields, advice and tier");
	else if (asked.offset >= size || asked.offset + asked.length < asked.offset)
		exec.expect(call, result, {-EINVAL}, "a range past the end, or that overflows");
	else if (Executor::dropped &&
		 (asked.advice == ITME_ADVICE_PIN || asked.advice == ITME_ADVICE_UNPIN))
		exec.expect(call, result, {-EPERM, -EINVAL}, "PIN and UNPIN need CAP_SYS_ADMIN");
	else if (asked.advice != ITME_ADVICE_PIN && !exec.poisoned)
		exec.expect(call, result, {0, -EINVAL}, "a hint does not fail");
	if (!result && arg.done > (asked.length ? asked.length : size - asked.offset))
		exec.violation(call, "more done than asked");
}

static void judge_residency(Executor &exec, const Call &call, const itme_residency &asked,
			    const itme_residency &arg, std::uint64_t size, const std::uint8_t *map)
{
	std::uint64_t end = std::min<std::uint64_t>(
		size, asked.offset + (asked.length ? asked.length : size - asked.offset));
	std::uint64_t first = asked.offset / arg.chunk_size;
	std::uint64_t last = (end + arg.chunk_size - 1) / arg.chunk_size;
	std::uint64_t want = std::min(size, last * arg.chunk_size) - first * arg.chunk_size;

	if (last < first)
		return;
	if (arg.map_len != last - first)
		exec.violation(call, "map_len " + std::to_string(arg.map_len) + ", not " +
					     std::to_string(last - first));
	/* Chunk by chunk, and folios that straddle nothing: the sum is exact even while they move.
	 */
	if (last > first && arg.bytes[0] + arg.bytes[1] + arg.bytes[2] != want)
		exec.violation(call, "the tiers' bytes are not the range's");
	if (arg.large > arg.bytes[0] + arg.bytes[1])
		exec.violation(call, "more in large folios than in memory");
	if (!map)
		return;
	std::uint64_t room = std::min<std::uint64_t>(asked.map_len, last - first);

	for (std::uint64_t i = 0; i < std::min<std::uint64_t>(room, 4096); i++)
		if ((map[i] & ITME_MAP_TIER_MASK) == ITME_TIER_NR)
			exec.violation(call, "a chunk on no tier");
	if (room < 4096 && map[room] != 0xa5)
		exec.violation(call, "a map longer than its room");
}

static void residency(Executor &exec, const Call &call)
{
	auto how = static_cast<Pointer>(call.value("map_pointer"));
	auto *map = how == Pointer::good ? reinterpret_cast<std::uint8_t *>(read_buffer())
					 : static_cast<std::uint8_t *>(exec.place(how, 4096));
	Is is = Executor::identify(exec.fd(call));
	std::uint64_t size = size_of(exec.fd(call));
	itme_residency arg = {};

	arg.offset = call.value("offset");
	arg.length = call.value("length");
	arg.map = reinterpret_cast<std::uintptr_t>(map);
	arg.map_len = call.value("map_len");
	/* The buffer is finite, which "max" would not know. */
	if (how == Pointer::good)
		arg.map_len = std::min<std::uint64_t>(arg.map_len, buffer_size / 2);
	arg.flags = static_cast<__u32>(call.value("flags"));
	reserve(arg.reserved, call.value("reserved"));
	if (how == Pointer::good)
		std::memset(map, 0xa5, 4097);
	const itme_residency asked = arg;
	long result = exec.ioctl_struct(call, ITME_IOC_RESIDENCY, arg);

	if (!good(call))
		return;
	if (is == Is::root)
		exec.expect(call, result, {-ENOTTY}, "RESIDENCY is of a file");
	if (is != Is::file)
		return;
	if (asked.flags || call.value("reserved"))
		exec.expect(call, result, {-EINVAL}, "flags and reserved fields");
	else if (asked.offset >= size || asked.offset + asked.length < asked.offset)
		exec.expect(call, result, {-EINVAL}, "a range past the end, or that overflows");
	else if (how == Pointer::good)
		exec.expect(call, result, {0}, "RESIDENCY works on a file");
	if (!result && !exec.parallel())
		judge_residency(exec, call, asked, arg, size, how == Pointer::good ? map : nullptr);
}

static void stats(Executor &exec, const Call &call)
{
	Is is = Executor::identify(exec.fd(call));
	itme_stats arg = {};

	arg.flags = static_cast<__u32>(call.value("flags"));
	arg.pad = static_cast<__u32>(call.value("pad"));
	reserve(arg.reserved, call.value("reserved"));
	bool odd = (arg.flags & ~ITME_STATS_FILE) || arg.pad || call.value("reserved");
	bool of_file = arg.flags & ITME_STATS_FILE;
	long result = exec.ioctl_struct(call, ITME_IOC_STATS, arg);

	if (!good(call) || (is != Is::root && is != Is::file))
		return;
	if (odd)
		exec.expect(call, result, {-EINVAL}, "unknown flags, pad and reserved fields");
	else if (of_file && is == Is::root)
		exec.expect(call, result, {-ENOTTY}, "counters of a file are of a file");
	else
		exec.expect(call, result, {0}, "STATS works on any");
}

static constexpr Choice requests[] = {
	{"INFO_short", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x40, 8)},
	{"INFO_long", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x40, 4096)},
	{"INFO_read", _IOC(_IOC_READ, 'I', 0x40, sizeof(itme_info))},
	{"IMPORT_write", _IOC(_IOC_WRITE, 'I', 0x43, sizeof(itme_import))},
	{"IMPORT_none", _IOC(_IOC_NONE, 'I', 0x43, 0)},
	{"TIER_SET_short", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x42, 16)},
	{"ADVISE_max", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x45, 16383)},
	{"STATS_short", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x47, 1)},
	{"PREFETCH_short", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x48, 32)},
	{"SWAP_ADD_long", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x4a, 64)},
	{"SWAP_GET_short", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x4c, 8)},
	{"LIMIT_read", _IOC(_IOC_READ, 'I', 0x4d, sizeof(itme_limit))},
	{"next", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x4e, 64)},
	{"before", _IOC(_IOC_READ | _IOC_WRITE, 'I', 0x3f, 64)},
	{"FIBMAP", FIBMAP},
	{"FIGETBSZ", FIGETBSZ},
	{"FIONREAD", FIONREAD},
	{"GETFLAGS", FS_IOC_GETFLAGS},
	{"SETFLAGS", FS_IOC_SETFLAGS},
	{"FSGETXATTR", FS_IOC_FSGETXATTR},
	{"FIEMAP", FS_IOC_FIEMAP},
	{"FIFREEZE", FIFREEZE},
	{"FITHAW", FITHAW},
	{"FITRIM", FITRIM},
	{"FICLONE", FICLONE},
	{"zero", 0},
};

/// Any request, on memory of one repeated byte.
static void raw_ioctl(Executor &exec, const Call &call)
{
	std::uint64_t request = call.value("request") & 0xffffffff;
	Is is = Executor::identify(exec.fd(call));
	void *at = exec.place(static_cast<Pointer>(call.value("pointer")), 512);
	char bytes[512];

	/* On lower files some of these make lasting harm, to them. */
	if (is != Is::root && is != Is::file && is != Is::written)
		return;
	std::memset(bytes, static_cast<int>(call.value("byte")), sizeof(bytes));
	safe_copy(at, bytes, sizeof(bytes));
	long result = exec.sys(call, [&] { return ioctl(exec.fd(call), request, at); });
	if (_IOC_TYPE(request) == ITME_IOC_MAGIC && _IOC_NR(request) >= 0x40 &&
	    _IOC_NR(request) <= 0x4e && request != ITME_IOC_INFO &&
	    _IOC_SIZE(request) != sizeof(itme_import) &&
	    std::ranges::find(requests, request, &Choice::value) != std::end(requests))
		exec.expect(call, result, {-ENOTTY}, "the size is part of the request");
}

#define POINTER                                                                                    \
	{                                                                                          \
		"pointer", Kind::reserved, pointers                                                \
	}

static constexpr Field info_fields[] = {
	{"fd", Kind::root_fd}, {"reserved", Kind::reserved}, POINTER};
static constexpr Field get_fields[] = {{"fd", Kind::root_fd},
				       {"tier", Kind::choice, tiers},
				       {"flags", Kind::reserved, flags},
				       {"reserved", Kind::reserved},
				       POINTER};
static constexpr Field set_fields[] = {{"fd", Kind::root_fd},
				       {"tier", Kind::choice, tiers},
				       {"budget", Kind::choice, budgets},
				       {"flags", Kind::reserved, flags},
				       {"reserved", Kind::reserved},
				       POINTER};
static constexpr Field import_fields[] = {
	{"fd", Kind::root_fd},
	{"lower", Kind::lower_fd},
	{"name", Kind::name},
	{"chunk_size", Kind::choice, chunks},
	{"name_len", Kind::reserved, name_lengths},
	{"name_pointer", Kind::reserved, pointers},
	{"flags", Kind::reserved, flags},
	{"reserved", Kind::reserved},
	POINTER,
};
static constexpr Field object_fields[] = {{"fd", Kind::file_fd},
					  {"path_len", Kind::choice, map_rooms},
					  {"path_pointer", Kind::choice, pointers},
					  {"reserved", Kind::reserved},
					  POINTER};
static constexpr Field advise_fields[] = {
	{"fd", Kind::file_fd},
	{"offset", Kind::offset},
	{"length", Kind::length},
	{"advice", Kind::choice, advices},
	{"tier", Kind::choice, tiers},
	{"flags", Kind::reserved, flags},
	{"pad", Kind::reserved},
	{"reserved", Kind::reserved},
	POINTER,
};
static constexpr Field residency_fields[] = {
	{"fd", Kind::file_fd},
	{"offset", Kind::offset},
	{"length", Kind::length},
	{"map_len", Kind::choice, map_rooms},
	{"map_pointer", Kind::choice, pointers},
	{"flags", Kind::reserved, flags},
	{"reserved", Kind::reserved},
	POINTER,
};
static constexpr Field stats_fields[] = {{"fd", Kind::file_fd},
					 {"flags", Kind::choice, stats_flags},
					 {"pad", Kind::reserved},
					 {"reserved", Kind::reserved},
					 POINTER};
static constexpr Field raw_fields[] = {
	{"fd", Kind::file_fd}, {"request", Kind::choice, requests}, {"byte", Kind::small}, POINTER};

static constexpr Op ops[] = {
	{"info", 2, info_fields, info},
	{"tier_get", 3, get_fields, tier_get},
	{"tier_set", 8, set_fields, tier_set},
	{"import", 10, import_fields, import},
	{"object", 4, object_fields, object},
	{"advise", 24, advise_fields, advise},
	{"residency", 8, residency_fields, residency},
	{"stats", 4, stats_fields, stats},
	{"ioctl", 4, raw_fields, raw_ioctl},
};

std::span<const Op> ioctl_ops()
{
	return ops;
}

} // namespace fuzz
