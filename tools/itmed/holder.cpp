// SPDX-License-Identifier: GPL-2.0
#include "holder.hpp"

#include "files.hpp"

#include <charconv>
#include <ctime>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

namespace itmed
{
namespace
{

constexpr std::uint64_t second = 1'000'000'000;

/// The 22nd field: after the name, which may have anything in it.
std::optional<std::uint64_t> start_ticks(std::string_view stat)
{
	constexpr int field = 20; // of those after the ")"
	std::size_t at = stat.rfind(')');

	for (int i = 0; i < field && at != std::string_view::npos; i++)
		at = stat.find(' ', at + 1);
	if (at == std::string_view::npos)
		return std::nullopt;
	std::uint64_t ticks = 0;
	const auto text = stat.substr(at + 1);
	const auto ret = std::from_chars(text.data(), text.data() + text.size(), ticks);
	return ret.ec == std::errc() ? std::optional(ticks) : std::nullopt;
}

std::uint64_t clock_ns(clockid_t clock)
{
	timespec now{};

	::clock_gettime(clock, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * second +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

std::string parse_cgroup(std::string_view text)
{
	while (!text.empty()) {
		const auto end = text.find('\n');
		const auto line = text.substr(0, end);
		if (line.starts_with("0::"))
			return std::string(line.substr(3));
		text = end == std::string_view::npos ? "" : text.substr(end + 1);
	}
	return "";
}

std::string cgroup_of(std::uint32_t pid, std::uint64_t time, const std::string &proc)
{
	const std::string dir = fmt::format("{}/{}", proc, pid);
	const auto cgroup = itme::read_file(dir + "/cgroup");
	const auto stat = itme::read_file(dir + "/stat");

	if (!cgroup || !stat)
		return "";
	const auto ticks = start_ticks(*stat);
	if (!ticks)
		return "";
	// A process's start counts from boot, with the time it slept.
	const std::uint64_t slept = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
	const std::uint64_t start =
		*ticks * (second / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
	if (time && start > time + slept)
		return "";
	return parse_cgroup(*cgroup);
}

std::string boot_id()
{
	auto id = itme::read_file("/proc/sys/kernel/random/boot_id");

	if (!id)
		return "";
	while (!id->empty() && id->back() == '\n')
		id->pop_back();
	return *id;
}

} // namespace itmed
