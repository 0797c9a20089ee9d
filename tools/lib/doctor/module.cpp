// SPDX-License-Identifier: GPL-2.0
// Is the module there, and may it be loaded?
#include "doctor/doctor.hpp"

#include <array>
#include <fmt/format.h>

namespace itme
{
namespace
{

constexpr std::array<std::string_view, 4> places{"updates/dkms", "updates", "extra", "misc"};
constexpr std::array<std::string_view, 4> suffixes{"", ".xz", ".zst", ".gz"};

/// Reasons the kernel has for refusing any module of ours.
Findings check_policy(const Root &root)
{
	Findings findings;

	if (root.read("/proc/sys/kernel/modules_disabled") == "1")
		findings.push_back({"module", Status::fail, "loading modules is disabled",
				    "reboot; kernel.modules_disabled cannot be undone"});
	const auto lockdown = root.read("/sys/kernel/security/lockdown").value_or("[none]");
	const bool enforced = root.read("/sys/module/module/parameters/sig_enforce") == "Y" ||
			      lockdown.find("[none]") == std::string::npos;
	if (enforced)
		findings.push_back({"module", Status::warn,
				    "this kernel loads signed modules only (Secure Boot lockdown)",
				    "sign itme.ko with an enrolled key (DKMS: mokutil --import "
				    "/var/lib/dkms/mok.pub), or turn Secure Boot off"});
	return findings;
}

} // namespace

std::string find_module(const Root &root)
{
	const std::string base = "/lib/modules/" + kernel_release(root) + "/";

	for (const auto place : places)
		for (const auto suffix : suffixes) {
			std::string path = fmt::format("{}{}/itme.ko{}", base, place, suffix);
			if (root.exists(path))
				return path;
		}
	return "";
}

Findings check_module(const Root &root, const std::string &module)
{
	if (root.exists("/sys/module/itme"))
		return {{"module", Status::ok, "itme is loaded", ""}};

	Findings findings = check_policy(root);
	if (!module.empty()) {
		findings.push_back({"module", Status::warn,
				    fmt::format("itme is not loaded; {} was given", module),
				    fmt::format("insmod {}", module)});
		return findings;
	}
	const std::string found = find_module(root);
	if (!found.empty())
		findings.push_back({"module", Status::warn,
				    fmt::format("itme is not loaded; {} is there", found),
				    "modprobe itme"});
	else
		findings.push_back(
			{"module", Status::fail,
			 fmt::format("no itme.ko is installed for kernel {}", kernel_release(root)),
			 "make modules && make install && depmod (or dkms autoinstall)"});
	return findings;
}

} // namespace itme
