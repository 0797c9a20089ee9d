// SPDX-License-Identifier: GPL-2.0
// Tables of mounts, of this process and of others.
#include "fuzz.hpp"

#include "mount.hpp"
#include "mountinfo.hpp"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const std::string_view text = fuzz::text_of(data, size);
	const auto mounts = itme::parse_mountinfo(text);
	const auto lines = std::count(text.begin(), text.end(), '\n') + 1;

	HOLDS(mounts.size() <= static_cast<std::size_t>(lines));
	for (const auto &mount : mounts) {
		HOLDS(!mount.root.empty() && !mount.point.empty() && !mount.fstype.empty());
		HOLDS(mount.options.size() <= size);
		HOLDS(mount.option("dram").size() <= mount.options.size());
		(void)mount.option("");
	}
	if (const auto found = itme::find_itmefs(mounts))
		HOLDS(found->fstype == "itmefs" && found->root == "/");
	HOLDS(itme::unescape_octal(text).size() <= size);
	return 0;
}
