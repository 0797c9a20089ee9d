// SPDX-License-Identifier: GPL-2.0
// itmectl doctor --root: /proc, /sys and /boot of a machine that is not this one.
#include "fuzz.hpp"
#include "tree.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const std::string node = "sys/devices/system/node/";
	const std::string cxl = "sys/bus/cxl/devices/";
	const std::string dax = "sys/bus/dax/devices/dax0.0/";
	static fuzz::Tree tree({"proc/sys/kernel/osrelease",
				"proc/sys/kernel/modules_disabled",
				"proc/kallsyms",
				"proc/swaps",
				"proc/self/limits",
				"proc/self/mountinfo",
				"boot/config-6.12",
				"lib/modules/6.12/updates/itme.ko",
				"lib/modules/6.12/build/Module.symvers",
				"sys/module/itme/refcnt",
				"sys/module/module/parameters/sig_enforce",
				"sys/kernel/security/lockdown",
				"sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
				"sys/kernel/mm/transparent_hugepage/enabled",
				"sys/devices/virtual/memory_tiering/memory_tier4/nodelist",
				node + "has_cpu",
				node + "has_memory",
				node + "has_normal_memory",
				node + "node0/meminfo",
				node + "node1/meminfo",
				node + "node1/memory32/state",
				cxl + "mem0/ram/size",
				cxl + "region0/size",
				cxl + "region0/driver@",
				dax + "size",
				dax + "target_node",
				dax + "driver@"});
	const bool json = size && data[size - 1] & 1;
	std::vector<std::string> args{"doctor", "--root"};

	tree.fill(fuzz::text_of(data, size));
	args.push_back(tree.path() + "/");
	if (json)
		args.insert(args.begin(), "--json");
	const auto output = fuzz::itmectl(args, {});
	HOLDS(output.status <= 1);
	HOLDS(output.err.empty());
	HOLDS(!output.out.empty());
	// It fails on what it finds, not with a line on stderr.
	fuzz::check({0, output.out, output.err}, json);
	return 0;
}
