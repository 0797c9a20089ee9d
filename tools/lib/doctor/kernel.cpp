// SPDX-License-Identifier: GPL-2.0
// Version and configuration of the kernel.
#include "doctor/doctor.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace itme
{
namespace
{

using Version = std::pair<int, int>;

constexpr Version oldest{6, 12};
constexpr Version newest{6, 12}; // kmod/compat.h refuses others

std::optional<Version> parse_version(std::string_view text)
{
	Version version;
	const char *end = text.data() + text.size();
	const auto major = std::from_chars(text.data(), end, version.first);

	if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.')
		return std::nullopt;
	if (std::from_chars(major.ptr + 1, end, version.second).ec != std::errc())
		return std::nullopt;
	return version;
}

struct Option {
	std::string_view name;
	Status missing;
	std::string_view consequence;
};

constexpr std::array<Option, 7> options{{
	{"MODULES", Status::fail, "itme.ko cannot be loaded"},
	{"NUMA", Status::fail, "memory cannot be placed on nodes"},
	{"MIGRATION", Status::warn, "nodes in use cannot be offlined"},
	{"TRANSPARENT_HUGEPAGE", Status::warn, "models are mapped in 4 KiB pages"},
	{"CXL_REGION", Status::warn, "CXL memory that the firmware did not map cannot be used"},
	{"DEV_DAX_CXL", Status::warn, "CXL regions do not become dax devices"},
	{"DEV_DAX_KMEM", Status::warn, "CXL memory cannot be onlined as a node"},
}};

} // namespace

std::string kernel_release(const Root &root)
{
	return root.read("/proc/sys/kernel/osrelease").value_or("");
}

Findings check_kernel(const Root &root)
{
	const std::string release = kernel_release(root);
	const auto version = parse_version(release);
	const std::string range = fmt::format("{}.{}", oldest.first, oldest.second);

	if (!version)
		return {{"kernel", Status::fail, fmt::format("release '{}' is not known", release),
			 "mount /proc"}};
	if (*version < oldest)
		return {{"kernel", Status::fail,
			 fmt::format("{} is too old; supported: {}", release, range),
			 "install a newer one: apt install linux-image-6.12-amd64"}};
	if (*version > newest)
		return {{"kernel", Status::fail,
			 fmt::format("{} is too new; supported: {}", release, range),
			 "boot a supported kernel: apt install linux-image-6.12-amd64"}};
	return {{"kernel", Status::ok, fmt::format("{} (supported: {})", release, range), ""}};
}

Findings check_config(const Root &root)
{
	const std::string release = kernel_release(root);
	std::optional<std::string> text;
	Findings findings;

	for (const auto &path : {"/boot/config-" + release, "/lib/modules/" + release + "/config",
				 "/lib/modules/" + release + "/build/.config"})
		if (!text)
			text = root.read(path);
	if (!text)
		return {{"config", Status::warn,
			 fmt::format("the configuration of {} is not installed", release),
			 fmt::format("put it at /boot/config-{}", release)}};

	const std::string lines = "\n" + *text + "\n";
	for (const auto &option : options) {
		const std::string set = fmt::format("\nCONFIG_{}=", option.name);
		const std::size_t at = lines.find(set);
		const char value = at == std::string::npos ? 'n' : lines[at + set.size()];
		if (value != 'y' && value != 'm')
			findings.push_back({"config", option.missing,
					    fmt::format("CONFIG_{} is not set: {}", option.name,
							option.consequence),
					    "boot a kernel that has it; Debian's have all"});
	}
	if (findings.empty())
		findings.push_back(
			{"config", Status::ok,
			 fmt::format("{} options ITME relies on are set", options.size()), ""});
	return findings;
}

} // namespace itme
