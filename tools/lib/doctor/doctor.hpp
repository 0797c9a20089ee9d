// SPDX-License-Identifier: GPL-2.0
// Can this machine run ITME, and how well? Every answer comes with a way out.
//
// Each check is a function of a Root (and of the hardware), so that all of them run on a fixture.
#pragma once

#include "doctor/hardware.hpp"
#include "doctor/root.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace itme
{

enum class Status { ok, warn, fail };

std::string_view status_name(Status status);

struct Finding {
	std::string check;
	Status status = Status::ok;
	std::string text;
	std::string fix; ///< a command or one line of advice; empty when ok
};

using Findings = std::vector<Finding>;

struct DoctorRequest {
	std::string root;   ///< "" is the running system
	std::string module; ///< an itme.ko; "" looks where modules are installed
};

/// The release of the kernel under a root: of the running one, or "" when it is not known.
std::string kernel_release(const Root &root);

Findings check_kernel(const Root &root);
Findings check_config(const Root &root);
Findings check_module(const Root &root, const std::string &module);
Findings check_symbols(const Root &root, const std::string &module);
Findings check_nodes(const Root &root);
Findings check_cxl(const Hardware &hardware);
Findings check_swap(const Root &root);
Findings check_thp(const Root &root);
Findings check_limits(const Root &root);
Findings check_mounts(const Root &root);

/// All of them, in this order.
Findings run_doctor(const DoctorRequest &request);

/// The itme.ko installed for the kernel of root; "" when there is none.
std::string find_module(const Root &root);

} // namespace itme
