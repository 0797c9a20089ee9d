// SPDX-License-Identifier: GPL-2.0
// /proc of other processes: maps, tables of mounts, names; all of it is theirs to choose.
#include "fuzz.hpp"
#include "tree.hpp"

#include "holders.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	static fuzz::Tree tree({"1/maps", "1/mountinfo", "1/comm", "1/ns/mnt@", "1/cwd@", "1/fd/3@",
				"1/exe@", "22/maps", "22/mountinfo", "22/comm", "22/ns/mnt@",
				"22/root@", "self@", "3x/comm", "999999999999/comm"});
	itme::HolderScan scan;

	tree.fill(fuzz::text_of(data, size));
	scan.proc = tree.path();
	scan.magic = 0x49544d45;

	struct stat st {
	};

	// Links into the tree lead to this device, which shall be an itmefs.
	if (!::stat(tree.path().c_str(), &st))
		scan.devices.insert(st.st_dev);

	const auto found = itme::find_holders(scan);
	HOLDS(found);
	for (const auto &holder : found->holders) {
		HOLDS(holder.pid == 1 || holder.pid == 22);
		HOLDS(holder.kind == "fd" || holder.kind == "map" || holder.kind == "cwd" ||
		      holder.kind == "root" || holder.kind == "exe" || holder.kind == "mount");
		HOLDS(!holder.command.ends_with('\n'));
		HOLDS(fuzz::harmless(itmectl::printable(holder.name)));
	}
	return 0;
}
