// SPDX-License-Identifier: GPL-2.0
// Swap, huge pages and the limits of processes.
#include "doctor/doctor.hpp"

#include "size.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace itme
{
namespace
{

constexpr std::uint64_t enough_memlock = 1ULL << 30;

/// The soft limit of a line of /proc/PID/limits; nullopt is unlimited.
std::optional<std::uint64_t> soft_limit(const std::string &text, std::string_view name)
{
	std::size_t at = text.find(name);

	if (at == std::string::npos)
		return std::nullopt;
	at = text.find_first_not_of(' ', at + name.size());
	if (at == std::string::npos)
		return std::nullopt;
	const auto value =
		parse_size(std::string_view(text).substr(at, text.find_first_of(" \n", at) - at));
	return value ? std::optional(*value) : std::nullopt;
}

} // namespace

Findings check_swap(const Root &root)
{
	const auto text = root.read("/proc/swaps");

	if (!text)
		return {{"swap", Status::warn, "/proc/swaps cannot be read", "mount /proc"}};
	const auto areas = std::count(text->begin(), text->end(), '\n');
	if (!areas)
		return {{"swap", Status::warn,
			 "no swap area: anonymous memory (KV caches, repacked weights) cannot make "
			 "room",
			 "mkswap /dev/nvme... && swapon /dev/nvme..."}};
	return {{"swap", Status::ok, fmt::format("{} swap area(s)", areas), ""}};
}

Findings check_thp(const Root &root)
{
	const std::string dir = "/sys/kernel/mm/transparent_hugepage/";
	const auto size = root.read_number(dir + "hpage_pmd_size");

	if (!size)
		return {{"thp", Status::warn,
			 "no transparent huge pages: models are mapped in 4 KiB pages",
			 "boot a kernel with CONFIG_TRANSPARENT_HUGEPAGE"}};
	if (root.read(dir + "enabled").value_or("").find("[never]") != std::string::npos)
		return {{"thp", Status::ok,
			 fmt::format(
				 "PMD size {}; 'never' is for anonymous memory, files of itmefs "
				 "are mapped huge all the same",
				 format_size(*size)),
			 ""}};
	return {{"thp", Status::ok, fmt::format("PMD size {}", format_size(*size)), ""}};
}

Findings check_limits(const Root &root)
{
	const auto text = root.read("/proc/self/limits");
	Findings findings;

	if (!text)
		return {{"limits", Status::warn, "/proc/self/limits cannot be read",
			 "mount /proc"}};
	const auto memlock = soft_limit(*text, "Max locked memory");
	if (memlock && *memlock < enough_memlock)
		findings.push_back({"limits", Status::warn,
				    fmt::format("only {} can be locked: engines with --mlock or a "
						"GPU fail on a model",
						format_size(*memlock)),
				    "ulimit -l unlimited (systemd: LimitMEMLOCK=infinity)"});
	if (const auto space = soft_limit(*text, "Max address space"))
		findings.push_back({"limits", Status::warn,
				    fmt::format("address space is limited to {}: larger models "
						"cannot be mapped",
						format_size(*space)),
				    "ulimit -v unlimited (systemd: LimitAS=infinity)"});
	if (findings.empty())
		findings.push_back({"limits", Status::ok,
				    "locked memory and address space are large enough", ""});
	return findings;
}

} // namespace itme
