// SPDX-License-Identifier: GPL-2.0
// What goes on around a program: privileges, memory, faults, and changes of lower files.
#include "executor.hpp"
#include "faults.hpp"
#include "lower.hpp"

#include <algorithm>
#include <fcntl.h>
#include <iterator>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fuzz
{

static constexpr Choice drops[] = {{"sys_admin", 0}, {"all", 1}, {"uid", 2}};

/// Of the calling thread, for good. The system calls themselves, as libc's are for all threads.
static void drop_privileges(Executor &exec, const Call &call)
{
	__user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	__user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (call.value("how") == 2)
		syscall(SYS_setresuid, 65534, 65534, 65534);
	if (call.value("how") == 0) {
		syscall(SYS_capget, &header, data);
		data[CAP_SYS_ADMIN / 32].effective &= ~(1U << (CAP_SYS_ADMIN % 32));
		data[CAP_SYS_ADMIN / 32].permitted &= ~(1U << (CAP_SYS_ADMIN % 32));
	}
	if (!exec.sys(call, [&] { return syscall(SYS_capset, &header, data); }))
		Executor::dropped = true;
}

/// The nth allocation that the next call makes fails, where the kernel can do that.
static void fail_next(Executor &, const Call &call)
{
	Executor::fail_nth = static_cast<unsigned>(call.value("nth")) & 0xff;
}

/// What is done by workers too.
static void fail_some(Executor &exec, const Call &call)
{
	exec.faulty = true;
	begin_faults(call.value("what"), static_cast<unsigned>(5 * (call.value("percent") & 31)),
		     1 + static_cast<unsigned>(call.value("times") & 31));
}

static constexpr Choice proc_files[] = {
	{"mounts", 0}, {"mountinfo", 1}, {"smaps", 2}, {"numa_maps", 3}, {"fdinfo", 4}};

/// Files of proc that ask the module, or walk its mappings.
static void read_proc(Executor &exec, const Call &call)
{
	static const char *const paths[] = {"/proc/self/mounts", "/proc/self/mountinfo",
					    "/proc/self/smaps", "/proc/self/numa_maps",
					    "/proc/self/fdinfo/4"};
	int fd = open(paths[call.value("what") % std::size(paths)], O_RDONLY | O_CLOEXEC);

	exec.sys(call, [&] {
		ssize_t n;

		while ((n = read(fd, read_buffer(), 4096)) > 0)
			;
		return n;
	});
	if (fd >= 0)
		close(fd);
}

static void write_text(Executor &exec, const Call &call, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	exec.sys(call, [&] { return write(fd, text, 1); });
	if (fd >= 0)
		close(fd);
}

static void drop_caches(Executor &exec, const Call &call)
{
	static const char *const what[] = {"1", "2", "3"};

	write_text(exec, call, "/proc/sys/vm/drop_caches", what[call.value("what") % 3]);
}

/// The module's tracepoints; they stay as they are set.
static void trace(Executor &exec, const Call &call)
{
	write_text(exec, call, "/sys/kernel/tracing/events/itme/enable",
		   call.value("on") ? "1" : "0");
}

static void compact(Executor &exec, const Call &call)
{
	write_text(exec, call, "/proc/sys/vm/compact_memory", "1");
}

static void wait_some(Executor &exec, const Call &call)
{
	auto time = static_cast<unsigned>(std::min<std::uint64_t>(call.value("ms"), 50));

	exec.sys(call, [&] { return usleep(time * 1000); });
}

static constexpr Choice changes[] = {{"shrink", 0}, {"grow", 1},  {"unlink", 2}, {"write", 3},
				     {"rename", 4}, {"touch", 5}, {"punch", 6},	 {"empty", 7}};

/// Of the scratch file: what may happen to a lower file while, before and after it is imported.
static void change_lower(Executor &exec, const Call &call)
{
	std::string path = lower_path(Lower::scratch);
	std::string other = path + ".old";

	exec.sys(call, [&]() -> long {
		long result = 0;

		switch (call.value("how")) {
		case 0:
			return truncate(path.c_str(), 4096 + 1);
		case 1:
			return truncate(path.c_str(), (9 << 20) + 1);
		case 2:
			return unlink(path.c_str());
		case 4:
			return rename(path.c_str(), other.c_str());
		case 5:
			return utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
		case 7:
			return truncate(path.c_str(), 0);
		default:
			break;
		}
		int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return -1;
		if (call.value("how") == 3)
			result = pwrite(fd, "fuzz", 4, 4096);
		else
			result = fallocate(fd, 3, 0, 1 << 20);
		close(fd);
		return result;
	});
}

static constexpr Field drop_fields[] = {{"how", Kind::choice, drops}};
static constexpr Field fail_fields[] = {{"nth", Kind::small}};
static constexpr Field some_fields[] = {
	{"what", Kind::choice, fault_kinds}, {"percent", Kind::small}, {"times", Kind::small}};
static constexpr Field proc_fields[] = {{"what", Kind::choice, proc_files}};
static constexpr Field trace_fields[] = {{"on", Kind::small}};
static constexpr Field caches_fields[] = {{"what", Kind::small}};
static constexpr Field wait_fields[] = {{"ms", Kind::small}};
static constexpr Field change_fields[] = {{"how", Kind::choice, changes}};

static constexpr Op ops[] = {
	{"drop_privileges", 2, drop_fields, drop_privileges},
	{"fail_next", 8, fail_fields, fail_next},
	{"fail_some", 3, some_fields, fail_some},
	{"read_proc", 2, proc_fields, read_proc},
	{"trace", 1, trace_fields, trace},
	{"drop_caches", 2, caches_fields, drop_caches},
	{"compact", 1, {}, compact},
	{"wait", 2, wait_fields, wait_some},
	{"change_lower", 4, change_fields, change_lower},
};

std::span<const Op> odd_ops()
{
	return ops;
}

} // namespace fuzz
