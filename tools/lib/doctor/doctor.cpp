// SPDX-License-Identifier: GPL-2.0
#include "doctor/doctor.hpp"

#include <iterator>

namespace itme
{

std::string_view status_name(Status status)
{
	switch (status) {
	case Status::ok:
		return "ok";
	case Status::warn:
		return "warn";
	case Status::fail:
		return "fail";
	}
	return "?";
}

Findings run_doctor(const DoctorRequest &request)
{
	const Root root(request.root);
	Findings all;
	const auto add = [&](Findings some) {
		all.insert(all.end(), std::make_move_iterator(some.begin()),
			   std::make_move_iterator(some.end()));
	};

	add(check_kernel(root));
	add(check_config(root));
	add(check_module(root, request.module));
	add(check_symbols(root, request.module));
	add(check_nodes(root));
	add(check_cxl(probe_hardware(root)));
	add(check_swap(root));
	add(check_thp(root));
	add(check_limits(root));
	add(check_mounts(root));
	return all;
}

} // namespace itme
