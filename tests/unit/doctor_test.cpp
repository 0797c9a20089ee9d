// SPDX-License-Identifier: GPL-2.0
// doctor on trees that look like machines.
#include "doctor/doctor.hpp"

#include "temp_tree.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace itme
{
namespace
{

const std::string release = "6.12.117+deb12-amd64";
const std::string node = "sys/devices/system/node/";

/// Debian with one DRAM node and one CXL node, ITME loaded and mounted.
class Doctor : public ::testing::Test
{
protected:
	Doctor()
	{
		tree.write("proc/sys/kernel/osrelease", release + "\n");
		tree.write("boot/config-" + release,
			   "CONFIG_MODULES=y\nCONFIG_NUMA=y\nCONFIG_MIGRATION=y\n"
			   "CONFIG_TRANSPARENT_HUGEPAGE=y\nCONFIG_CXL_REGION=y\n"
			   "CONFIG_DEV_DAX_CXL=m\nCONFIG_DEV_DAX_KMEM=m\n");
		tree.write("sys/module/itme/refcnt", "1\n");
		tree.write(node + "has_cpu", "0\n");
		tree.write(node + "has_memory", "0-1\n");
		tree.write(node + "has_normal_memory", "0\n");
		tree.write(node + "node0/meminfo", "Node 0 MemTotal:       4194304 kB\n");
		tree.write(node + "node1/meminfo", "Node 1 MemTotal:       1048576 kB\n");
		tree.write(node + "node1/memory32/state", "online\n");
		tree.write("sys/devices/virtual/memory_tiering/memory_tier4/nodelist", "0\n");
		tree.write("sys/devices/virtual/memory_tiering/memory_tier22/nodelist", "1\n");
		tree.write("sys/bus/cxl/devices/mem0/ram/size", "0x40000000\n");
		tree.write("sys/bus/cxl/devices/region0/size", "0x40000000\n");
		tree.link("sys/bus/cxl/devices/region0/driver", "../../drivers/cxl_region");
		tree.write("sys/bus/dax/devices/dax0.0/size", "1073741824\n");
		tree.write("sys/bus/dax/devices/dax0.0/target_node", "1\n");
		tree.link("sys/bus/dax/devices/dax0.0/driver", "../../drivers/kmem");
		tree.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p2 "
					 "partition 8388604 0 -2\n");
		tree.write("sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n");
		tree.write("sys/kernel/mm/transparent_hugepage/enabled",
			   "always [madvise] never\n");
		limits("unlimited", "unlimited");
		mount("rw,dram=512M,cxl=512M");
	}

	void limits(const std::string &memlock, const std::string &space) const
	{
		tree.write("proc/self/limits",
			   "Limit                     Soft Limit           Hard Limit   Units\n"
			   "Max locked memory         " +
				   memlock +
				   "   unlimited   bytes\n"
				   "Max address space         " +
				   space + "   unlimited   bytes\n");
	}

	void mount(const std::string &options) const
	{
		tree.write("proc/self/mountinfo",
			   "40 25 0:45 / /mnt/itme rw - itmefs itme " + options + "\n");
	}

	/// All findings of one check; at least one is expected.
	Findings find(const std::string &check) const
	{
		Findings found;

		for (const auto &finding : run_doctor({tree.path(), ""}))
			if (finding.check == check)
				found.push_back(finding);
		EXPECT_FALSE(found.empty()) << check;
		return found;
	}

	/// The worst finding of a check; anything but ok needs a way out.
	Finding worst(const std::string &check) const
	{
		const auto found = find(check);
		const auto at = std::max_element(
			found.begin(), found.end(),
			[](const Finding &a, const Finding &b) { return a.status < b.status; });

		EXPECT_EQ(at->status == Status::ok, at->fix.empty()) << check;
		EXPECT_EQ(at->fix.find('\n'), std::string::npos);
		return *at;
	}

	test::TempTree tree;
};

bool says(const Finding &finding, std::string_view text)
{
	return finding.text.find(text) != std::string::npos;
}

} // namespace

TEST_F(Doctor, HealthyMachineIsAllOk)
{
	for (const auto &finding : run_doctor({tree.path(), ""}))
		EXPECT_EQ(finding.status, Status::ok) << finding.check << ": " << finding.text;
}

TEST_F(Doctor, EmptyTreeFailsButEveryFindingHasAWayOut)
{
	const test::TempTree empty;
	bool failed = false;

	for (const auto &finding : run_doctor({empty.path(), ""})) {
		failed = failed || finding.status == Status::fail;
		EXPECT_EQ(finding.status == Status::ok, finding.fix.empty()) << finding.check;
	}
	EXPECT_TRUE(failed);
}

TEST_F(Doctor, KernelVersions)
{
	const std::string file = "proc/sys/kernel/osrelease";

	tree.write(file, "6.11.9\n");
	EXPECT_EQ(worst("kernel").status, Status::fail);
	tree.write(file, "5.99.0-rc1\n");
	EXPECT_EQ(worst("kernel").status, Status::fail);
	tree.write(file, "6.12.1-1-cloud\n");
	EXPECT_EQ(worst("kernel").status, Status::ok);
	tree.write(file, "6.13.0\n");
	EXPECT_EQ(worst("kernel").status, Status::fail);
	for (const char *text : {"", "six", "6", "6.", "99999999999.1"}) {
		tree.write(file, text);
		EXPECT_EQ(worst("kernel").status, Status::fail) << text;
	}
}

TEST_F(Doctor, MissingConfigOptions)
{
	tree.write("boot/config-" + release, "# CONFIG_NUMA is not set\nCONFIG_MODULES=y\n");
	EXPECT_EQ(worst("config").status, Status::fail);
	EXPECT_EQ(find("config").size(), 6U);
	tree.remove("boot");
	EXPECT_EQ(worst("config").status, Status::warn);
}

TEST_F(Doctor, ModuleNotLoaded)
{
	tree.remove("sys/module/itme");
	EXPECT_EQ(worst("module").status, Status::fail);
	tree.write("lib/modules/" + release + "/updates/dkms/itme.ko.xz", "");
	EXPECT_EQ(worst("module").status, Status::warn);
	EXPECT_EQ(worst("module").fix, "modprobe itme");
	tree.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	EXPECT_EQ(find("module").size(), 2U);
	tree.write("proc/sys/kernel/modules_disabled", "1\n");
	EXPECT_EQ(worst("module").status, Status::fail);
}

TEST_F(Doctor, Symbols)
{
	tree.remove("sys/module/itme");
	EXPECT_EQ(worst("symbols").status, Status::warn);

	std::string symvers;
	for (const char *name :
	     {"filemap_add_folio", "filemap_map_pages", "filemap_migrate_folio", "folio_end_read",
	      "invalidate_inode_pages2_range", "register_filesystem", "thp_get_unmapped_area",
	      "unmap_mapping_pages", "vfs_iocb_iter_read", "alloc_workqueue"})
		symvers += std::string("0x1\t") + name + "\tvmlinux\tEXPORT_SYMBOL\t\n";
	tree.write("lib/modules/" + release + "/build/Module.symvers", symvers);
	EXPECT_EQ(worst("symbols").status, Status::ok);

	tree.write("lib/modules/" + release + "/build/Module.symvers",
		   "0x1\tother\tvmlinux\tX\t\n");
	EXPECT_EQ(worst("symbols").status, Status::fail);
	EXPECT_TRUE(says(worst("symbols"), "filemap_map_pages"));
	tree.remove("lib");
	tree.write("proc/kallsyms", "0 r __ksymtab_filemap_map_pages\n0 T filemap_add_folio\n");
	EXPECT_EQ(worst("symbols").status, Status::fail);
	EXPECT_FALSE(says(worst("symbols"), "filemap_map_pages"));
	EXPECT_TRUE(says(worst("symbols"), "filemap_add_folio"));
}

TEST_F(Doctor, NodeNotOnlinedMovable)
{
	EXPECT_TRUE(says(find("nodes")[1], "memory_tier22"));
	tree.write(node + "has_normal_memory", "0-1\n");
	EXPECT_EQ(worst("nodes").status, Status::warn);
	EXPECT_TRUE(says(worst("nodes"), "not onlined movable"));
}

TEST_F(Doctor, NoMemoryOnlyNode)
{
	tree.write(node + "has_memory", "0\n");
	EXPECT_EQ(worst("nodes").status, Status::warn);
	tree.write(node + "has_memory", "0-99999999999\n");
	EXPECT_EQ(worst("nodes").status, Status::fail);
}

TEST_F(Doctor, DaxDevicesThatAreNoMemoryYet)
{
	tree.write(node + "node1/memory33/state", "offline\n");
	EXPECT_EQ(worst("dax").fix, "daxctl online-memory dax0.0");
	tree.remove("sys/bus/dax/devices/dax0.0/driver");
	EXPECT_TRUE(says(worst("dax"), "no driver"));
	tree.link("sys/bus/dax/devices/dax0.0/driver", "../../drivers/device_dax");
	EXPECT_EQ(worst("dax").fix, "daxctl reconfigure-device --mode=system-ram dax0.0");
	tree.write("sys/bus/dax/devices/dax0.1/size", "0\n"); // a seed
	EXPECT_EQ(find("dax").size(), 1U);
}

TEST_F(Doctor, CxlMemoryWithoutRegion)
{
	tree.remove("sys/bus/cxl/devices/region0/driver");
	EXPECT_EQ(worst("cxl").fix, "cxl enable-region region0");
	tree.remove("sys/bus/cxl/devices/region0");
	EXPECT_TRUE(says(worst("cxl"), "regions cover 0"));
	tree.remove("sys/bus/cxl");
	EXPECT_EQ(worst("cxl").status, Status::ok);
}

TEST_F(Doctor, SwapThpLimits)
{
	tree.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
	EXPECT_EQ(worst("swap").status, Status::warn);
	tree.write("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
	EXPECT_EQ(worst("thp").status, Status::ok);
	tree.remove("sys/kernel/mm/transparent_hugepage");
	EXPECT_EQ(worst("thp").status, Status::warn);
	limits("8388608", "unlimited");
	EXPECT_TRUE(says(worst("limits"), "only 8M"));
	limits("unlimited", "1073741824");
	EXPECT_TRUE(says(worst("limits"), "limited to 1G"));
}

TEST_F(Doctor, Budgets)
{
	mount("rw,dram=4000M,cxl=1G");
	EXPECT_EQ(worst("budget").status, Status::warn);
	mount("rw,dram=5G");
	EXPECT_EQ(worst("budget").status, Status::fail);
	mount("rw,dram=512M,cxl=1G,cxl_nodes=7");
	EXPECT_EQ(worst("budget").status, Status::fail);
	mount("rw,dram=huge,cxl_nodes=-");
	tree.write("proc/self/mountinfo", "");
	EXPECT_EQ(worst("mount").status, Status::warn);
}

} // namespace itme
