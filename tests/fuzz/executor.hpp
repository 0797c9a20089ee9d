// SPDX-License-Identifier: GPL-2.0
// Runs a program's calls, in a process of its own, and judges what comes back.
#pragma once

#include "kcov.hpp"
#include "program.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <initializer_list>
#include <string>

namespace fuzz
{

/// Shared with the parent: what was wrong, first come.
struct Verdict {
	std::atomic<bool> found;
	char text[500];
};

/// What a descriptor is of: @file is an imported one, @written all else on itmefs but the root.
enum class Is { bad, path, root, file, written, other };

struct Mapping {
	char *base = nullptr;
	std::size_t length = 0;
	std::uint64_t offset = 0;
	std::uint64_t file_size = 0; ///< 0 when the content is not ours to know
	bool shared = false;
	bool itmefs = false;  ///< of an imported file,
	bool written = false; ///< or of one that is written
	std::atomic<unsigned> changes = 0;
};

/// Memory handed to the kernel. The map is that of slot 0, so that a fault comes from within a
/// call.
inline constexpr Choice pointers[] = {{"good", 0}, {"null", 1},	    {"kernel", 2}, {"unmapped", 3},
				      {"edge", 4}, {"readonly", 5}, {"map", 6}};
enum class Pointer : std::uint64_t { good, null, kernel, unmapped, edge, readonly, map };

const char *mount_dir();

class Executor
{
public:
	Executor(Verdict &verdict, bool verbose);

	/// Does not return to a caller that needs its descriptors: the process is to end then.
	void run(const Program &program, Kcov &first, Kcov &second);

	int fd(const Call &call, std::string_view field = "fd") const;
	/// Into the slot of the call's argument "to"; closes what was there.
	void put(const Call &call, long fd);
	Mapping &map(const Call &call, std::string_view field = "map");
	/// Where a slot's mappings lie; nothing else ever does.
	static char *map_area(const Mapping *first, const Mapping *map);

	/// Unmaps all that is in a slot.
	void clear(Mapping &map) const;

	char *map_area(const Mapping &map) const { return map_area(maps_.data(), &map); }

	static constexpr std::size_t map_area_size = 1ULL << 30;

	/// All system calls under test: tells, and injects a fault where one is asked for.
	template <class F>
	long sys(const Call &call, F &&function)
	{
		arm();
		errno = 0;
		long result = function();
		int error = errno;
		disarm();
		result = result == -1 ? -error : result;
		told(call, result);
		return result;
	}

	/// The result must be one of these. Not judged where another thread may have had a hand in.
	void expect(const Call &call, long result, std::initializer_list<long> allowed,
		    const char *rule);
	/// As expect(), any error.
	void expect_error(const Call &call, long result, const char *rule);
	void violation(const Call &call, const std::string &what);
	/// Data of a file of that size; from a mapping when so.
	void check_data(const Call &call, std::uint64_t file_size, std::uint64_t offset,
			const void *data, std::size_t length);
	/// Data of any written file.
	void check_written(const Call &call, std::uint64_t offset, const void *data,
			   std::size_t length);

	/// Memory as the call's argument "pointer" says, with room for @size bytes.
	void *place(Pointer how, std::size_t size);

	/// Calls with a struct: copied in and out as far as it goes.
	template <class T>
	long ioctl_struct(const Call &call, unsigned long request, T &arg)
	{
		return ioctl_bytes(call, request, &arg, sizeof(arg));
	}

	static Is identify(int fd);
	/// Whether it is a regular file that is written.
	static bool is_written(int fd);

	bool parallel() const { return parallel_; }

	bool judged() const;

	/// Memory of a mapping was made bad on purpose: reads may fail.
	std::atomic<bool> poisoned = false;
	/// What the kernel was to put into a mapping may have come to that of a written file.
	std::atomic<bool> stained = false;
	/// Workers of the module are made to fail now and then.
	std::atomic<bool> faulty = false;
	/// Of the calling thread.
	static thread_local bool dropped;
	static thread_local unsigned fail_nth;

private:
	void run_thread(const Program &program, bool second, std::size_t start, Kcov &kcov);
	long ioctl_bytes(const Call &call, unsigned long request, void *arg, std::size_t size);
	static void arm();
	static void disarm();
	void told(const Call &call, long result) const;

	Verdict &verdict_;
	bool verbose_;
	std::atomic<bool> parallel_ = false;
	std::array<std::atomic<int>, fd_slots> fds_;
	std::array<Mapping, map_slots> maps_;
};

/// 0, or the signal that reading or writing the memory came to.
int safe_copy(void *to, const void *from, std::size_t length);

/// Where reads go: one a thread.
constexpr std::size_t buffer_size = 8 << 20;
char *read_buffer();

} // namespace fuzz
