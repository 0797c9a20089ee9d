// SPDX-License-Identifier: GPL-2.0
#include "faults.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace fuzz
{

static const std::string debug = "/sys/kernel/debug/";
static const char *const directories[] = {"fail_page_alloc", "failslab", "fail_make_request"};

static void write_text(const std::string &path, const std::string &text)
{
	/* Where the kernel has none of this, nothing happens, and no program fails for it. */
	std::ofstream(path) << text;
}

static std::string module_text()
{
	std::ifstream in("/sys/module/itme/sections/.text");
	std::string address;

	in >> address;
	return address;
}

void prepare_faults()
{
	std::string start = module_text();

	for (const std::string name :
	     {"fail_page_alloc", "failslab", "fail_make_request", "fail_usercopy"}) {
		const std::string dir = debug + name + "/";

		write_text(dir + "probability", "0");
		write_text(dir + "verbose", "0");
		write_text(dir + "ignore-gfp-wait", "N");
		write_text(dir + "ignore-gfp-highmem", "N");
		write_text(dir + "min-order", "0");
	}
	write_text("/sys/block/nvme0n1/make-it-fail", "1");
	if (start.empty())
		return;
	/* The module's text is smaller than that, and nothing follows it so soon that is called by
	 * it. */
	char end[32];

	std::snprintf(end, sizeof(end), "0x%llx", std::stoull(start, nullptr, 16) + (1ULL << 20));
	for (const std::string name : directories) {
		write_text(debug + name + "/stacktrace-depth", "32");
		write_text(debug + name + "/require-end", end);
		write_text(debug + name + "/require-start", start);
	}
}

void begin_faults(std::uint64_t kind, unsigned percent, unsigned times)
{
	const std::string dir = debug + directories[kind % std::size(directories)] + "/";

	write_text(dir + "times", std::to_string(times));
	write_text(dir + "probability", std::to_string(std::min(percent, 100U)));
}

void end_faults()
{
	for (const std::string name : directories)
		write_text(debug + name + "/probability", "0");
}

void fail_nth(unsigned nth)
{
	char text[16];
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
	int length = std::snprintf(text, sizeof(text), "%u", nth);

	if (fd < 0)
		return;
	[[maybe_unused]] ssize_t written = write(fd, text, static_cast<std::size_t>(length));
	close(fd);
}

} // namespace fuzz
