// SPDX-License-Identifier: GPL-2.0
#include "op.hpp"

#include <algorithm>
#include <vector>

namespace fuzz
{

std::span<const Op *const> all_ops()
{
	static const std::vector<const Op *> all = [] {
		std::vector<const Op *> ops;

		for (auto table : {ioctl_ops(), mount_ops(), file_ops(), map_ops(), dir_ops(),
				   odd_ops(), prefetch_ops(), swap_ops(), netlink_ops()})
			for (const Op &op : table)
				ops.push_back(&op);
		return ops;
	}();

	return all;
}

const Op *find_op(std::string_view name)
{
	auto ops = all_ops();
	auto found = std::ranges::find(ops, name, &Op::name);

	return found == ops.end() ? nullptr : *found;
}

} // namespace fuzz
