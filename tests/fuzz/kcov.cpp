// SPDX-License-Identifier: GPL-2.0
#include "kcov.hpp"

#include "workers.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

namespace fuzz
{

/// The first word is the count of those that follow. When it is full, what comes later is lost.
static constexpr std::size_t words = 128 << 10;
/// For each run of a worker, in words.
static constexpr std::uint32_t worker_words = 16 << 10;

Kcov::Kcov() : fd_(open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC))
{
	if (!fd_.valid() || ioctl(fd_.get(), KCOV_INIT_TRACE, words))
		return;
	void *area = mmap(nullptr, words * sizeof(*area_), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd_.get(), 0);
	if (area != MAP_FAILED)
		area_ = static_cast<std::uint64_t *>(area);
}

Kcov::~Kcov()
{
	if (area_)
		munmap(area_, words * sizeof(*area_));
}

void Kcov::start()
{
	if (area_)
		ioctl(fd_.get(), KCOV_ENABLE, KCOV_TRACE_PC);
}

bool Kcov::start_workers()
{
	kcov_remote_arg arg = {};

	arg.trace_mode = KCOV_TRACE_PC;
	arg.area_size = worker_words;
	arg.common_handle = KCOV_SUBSYSTEM_COMMON | FUZZ_WORKERS_INSTANCE;
	return area_ && !ioctl(fd_.get(), KCOV_REMOTE_ENABLE, &arg);
}

void Kcov::clear()
{
	if (area_)
		__atomic_store_n(area_, 0, __ATOMIC_RELAXED);
}

std::span<const std::uint64_t> Kcov::pcs() const
{
	if (!area_)
		return {};
	return {area_ + 1,
		std::min<std::uint64_t>(__atomic_load_n(area_, __ATOMIC_RELAXED), words - 1)};
}

} // namespace fuzz
