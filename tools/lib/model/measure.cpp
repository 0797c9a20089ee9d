// SPDX-License-Identifier: GPL-2.0
#include "model/measure.hpp"

#include "fd.hpp"
#include "files.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <memory>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace itme
{
namespace
{

using Clock = std::chrono::steady_clock;

constexpr std::size_t block = std::size_t{2} << 20;
constexpr auto duration = std::chrono::milliseconds(500);
/// Reads in flight at the drive.
constexpr unsigned int depth = 8;
/// More than caches hold.
constexpr std::size_t buffer_max = std::size_t{512} << 20;
constexpr std::size_t buffer_min = 8 * block;
constexpr int nodes_max = 1024;

std::uint64_t per_second(std::uint64_t bytes, Clock::duration time)
{
	const double seconds = std::chrono::duration<double>(time).count();

	return seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds) : 0;
}

/// Reads blocks of the file, one after the other with the other threads, until the time is over.
struct FileReaders {
	int fd = -1;
	std::uint64_t size = 0;
	Clock::time_point end;
	std::atomic<std::uint64_t> next = 0;
	std::atomic<std::uint64_t> bytes = 0;
	std::atomic<int> error = 0;

	void run()
	{
		const std::unique_ptr<void, void (*)(void *)> buffer(
			std::aligned_alloc(4096, block), std::free);

		if (!buffer) {
			error = ENOMEM;
			return;
		}
		while (!error && Clock::now() < end) {
			const std::uint64_t at = next.fetch_add(block);
			if (at >= size)
				return;
			const ssize_t n = ::pread(fd, buffer.get(), block, static_cast<off_t>(at));
			if (n < 0)
				error = errno;
			else
				bytes += static_cast<std::uint64_t>(n);
		}
	}
};

/// Of a node; of all of them.
std::uint64_t free_memory(std::optional<int> node)
{
	struct sysinfo info {
	};

	if (!node)
		return ::sysinfo(&info) ? 0 : std::uint64_t{info.freeram} * info.mem_unit;
	const auto text = read_file(fmt::format("/sys/devices/system/node/node{}/meminfo", *node));
	constexpr std::string_view key = "MemFree:";
	const std::size_t at = text ? text->find(key) : std::string::npos;
	return at == std::string::npos
		       ? 0
		       : std::strtoull(text->c_str() + at + key.size(), nullptr, 10) << 10;
}

/// Memory of a node, which it takes some of a second to fill: as much as that is.
class Buffer
{
public:
	explicit Buffer(std::size_t size) :
		size_(size), at_(::mmap(nullptr, size, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))
	{
	}

	Buffer(const Buffer &) = delete;
	Buffer &operator=(const Buffer &) = delete;
	Buffer(Buffer &&) = delete;
	Buffer &operator=(Buffer &&) = delete;

	~Buffer()
	{
		if (at_ != MAP_FAILED)
			::munmap(at_, size_);
	}

	bool valid() const { return at_ != MAP_FAILED; }

	int bind(int node)
	{
		std::array<unsigned long, nodes_max / (8 * sizeof(unsigned long))> mask{};
		const auto bit = static_cast<std::size_t>(node);

		if (node < 0 || node >= nodes_max)
			return EINVAL;
		mask.at(bit / (8 * sizeof(unsigned long))) |= 1UL
							      << bit % (8 * sizeof(unsigned long));
		return ::syscall(SYS_mbind, at_, size_, MPOL_BIND, mask.data(), nodes_max + 1, 0)
			       ? errno
			       : 0;
	}

	void fill()
	{
		const auto end = Clock::now() + duration;

		while (filled_ < size_ && Clock::now() < end) {
			std::memset(static_cast<char *>(at_) + filled_, 1, block);
			filled_ += block;
		}
	}

	std::size_t filled() const { return filled_; }

	std::uint64_t sum(std::size_t offset, std::size_t length) const
	{
		const auto *words = reinterpret_cast<const std::uint64_t *>(
			static_cast<const char *>(at_) + offset);
		std::uint64_t total = 0;

		for (std::size_t i = 0; i < length / sizeof(*words); i++)
			total += words[i];
		return total;
	}

private:
	std::size_t size_;
	void *at_;
	std::size_t filled_ = 0;
};

struct MemoryReaders {
	const Buffer *buffer = nullptr;
	Clock::time_point end;
	std::atomic<std::uint64_t> next = 0;
	std::atomic<std::uint64_t> bytes = 0;
	std::atomic<std::uint64_t> sum = 0; ///< so that what is read is used

	void run()
	{
		while (Clock::now() < end) {
			const std::uint64_t at = next.fetch_add(block) % buffer->filled();
			sum += buffer->sum(at, block);
			bytes += block;
		}
	}
};

template <class Readers>
Clock::duration run(Readers &readers, unsigned int count)
{
	std::vector<std::thread> threads;
	const auto start = Clock::now();

	readers.end = start + duration;
	for (unsigned int i = 1; i < count; i++)
		threads.emplace_back([&] { readers.run(); });
	readers.run();
	for (auto &thread : threads)
		thread.join();
	return Clock::now() - start;
}

} // namespace

Result<std::uint64_t> measure_file(const std::string &path)
{
	const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
	FileReaders readers;

	struct stat st {
	};

	if (!fd.valid() && errno == EINVAL)
		return fail(EINVAL, "{}: its file system cannot read past the page cache", path);
	if (!fd.valid() || ::fstat(fd.get(), &st))
		return fail(errno, "{}: {}", path, std::strerror(errno));
	readers.fd = fd.get();
	readers.size = static_cast<std::uint64_t>(st.st_size);
	const auto time = run(readers, depth);
	if (readers.error)
		return fail(readers.error, "{}: {}", path, std::strerror(readers.error));
	if (!readers.bytes)
		return fail(EINVAL, "{}: nothing to read", path);
	return per_second(readers.bytes, time);
}

Result<std::uint64_t> measure_memory(std::optional<int> node)
{
	// Half of what is free: more, of one node only, could call the OOM killer there.
	const std::size_t size =
		std::min<std::uint64_t>(buffer_max, free_memory(node) / 2) / block * block;
	MemoryReaders readers;

	if (size < buffer_min)
		return fail(ENOMEM, "too little free memory {}to measure; give its speed instead",
			    node ? fmt::format("in node {} ", *node) : "");
	Buffer buffer(size);
	if (!buffer.valid())
		return fail(errno, "no memory to measure: {}", std::strerror(errno));
	if (node)
		if (const int error = buffer.bind(*node); error)
			return fail(error, "no memory of node {}: {}", *node, std::strerror(error));
	buffer.fill();
	readers.buffer = &buffer;
	const auto time = run(readers, std::max(1U, std::thread::hardware_concurrency()));
	return per_second(readers.bytes, time);
}

} // namespace itme
