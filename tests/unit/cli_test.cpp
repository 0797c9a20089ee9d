// SPDX-License-Identifier: GPL-2.0
// The verbs over a model of the module.
#include "cli_fixture.hpp"
#include "temp_tree.hpp"

#include <sys/stat.h>

namespace itmectl
{

TEST_F(Cli, TierList)
{
	ASSERT_EQ(run({"tier", "list"}), 0);
	EXPECT_EQ(out, "TIER NODES BUDGET USED PINNED BUSY CAPACITY FREE\n"
		       "dram 0       512M   3M      0    0       4G    0\n"
		       "cxl  1-2,4     1G    0      0    0       8G    0\n");
	ASSERT_EQ(run({"tier", "list", "--json"}), 0);
	EXPECT_EQ(json()[0]["budget"], 512 * mib);
	EXPECT_EQ(json()[1]["nodes"], Json({1, 2, 4}));
	ASSERT_EQ(run({"-n", "--bytes", "-o", "tier,used", "tier", "list"}), 0);
	EXPECT_EQ(out, "dram 3145728\ncxl        0\n");
}

TEST_F(Cli, TierSet)
{
	ASSERT_EQ(run({"tier", "set", "dram", "1G"}), 0);
	EXPECT_EQ(module.tiers[0].budget, 1024 * mib);
	ASSERT_EQ(run({"tier", "set", "cxl", "0", "-J"}), 0);
	EXPECT_EQ(json()[0]["budget"], 0);
	EXPECT_EQ(run({"tier", "set", "dram", "0"}), 1);
	EXPECT_NE(err.find("minimum of 8M"), std::string::npos);
	EXPECT_EQ(run({"tier", "set", "dram", "5G"}), 1);
	EXPECT_NE(err.find("more than its nodes have (4G)"), std::string::npos);
	module.tiers[0].pinned = 64 * mib;
	EXPECT_EQ(run({"tier", "set", "dram", "32M"}), 1);
	EXPECT_NE(err.find("unpin"), std::string::npos);
	EXPECT_EQ(module.tiers[0].budget, 1024 * mib);
	EXPECT_EQ(run({"tier", "set", "nvme", "1G"}), 2);
	EXPECT_EQ(run({"tier", "set", "any", "1G"}), 2);
	EXPECT_EQ(run({"tier", "set", "dram", "-1"}), 2);
	EXPECT_EQ(run({"tier", "set", "dram", "1.5G"}), 2);
	EXPECT_EQ(run({"tier", "set", "dram"}), 2);
	EXPECT_EQ(run({"tier"}), 2);
}

TEST_F(Cli, ImportListRemove)
{
	const itme::test::TempTree tree;
	const std::string path = tree.write("m.gguf", std::string(5 * mib, 'x'));

	struct stat st {
	};

	ASSERT_EQ(::stat(path.c_str(), &st), 0);

	ASSERT_EQ(run({"import", path.c_str()}), 0);
	EXPECT_NE(out.find("m.gguf"), std::string::npos);
	ASSERT_EQ(run({"import", path.c_str(), "--name", "-odd name", "--chunk", "64K", "--json"}),
		  0);
	EXPECT_EQ(json()[0]["chunk_size"], 65536);
	EXPECT_EQ(json()[0]["lower_ino"], st.st_ino);
	ASSERT_EQ(run({"list"}), 0);
	EXPECT_EQ(out, "NAME      SIZE CHUNK DRAM CXL OPENS FLAGS LOWER-PATH\n"
		       "-odd name   5M   64K    0   0     0 -     /lower/-odd name\n"
		       "m.gguf      5M    2M    0   0     0 -     /lower/m.gguf\n");
	module.files["m.gguf"].object.opens = 3;
	module.files["m.gguf"].object.flags = ITME_OBJECT_MAPPED | ITME_OBJECT_CHANGED;
	ASSERT_EQ(run({"list", "--json"}), 0);
	EXPECT_EQ(json()[1]["opens"], 2);
	EXPECT_EQ(json()[1]["flags"], Json({"mapped", "changed"}));
	EXPECT_EQ(json()[1]["nvme"], 5 * mib);

	EXPECT_EQ(run({"remove", "m.gguf", "nothing"}), 1);
	EXPECT_NE(err.find("nothing: no such file"), std::string::npos);
	EXPECT_EQ(run({"remove", "--", "-odd name"}), 0);
	EXPECT_TRUE(module.files.empty());
	ASSERT_EQ(run({"list", "-J"}), 0);
	EXPECT_EQ(json(), Json::array());
}

TEST_F(Cli, WrittenFiles)
{
	module.add("shm/kv", 5 * mib, "");
	module.add("empty", 0, "");
	module.files["shm/kv"].object.flags = ITME_OBJECT_NATIVE;
	module.files["shm/kv"].map = {ITME_TIER_DRAM, ITME_TIER_CXL, ITME_TIER_NVME};
	module.files["empty"].object.flags = ITME_OBJECT_NATIVE;
	ASSERT_EQ(run({"list"}), 0);
	EXPECT_EQ(out, "NAME   SIZE CHUNK DRAM CXL OPENS FLAGS  LOWER-PATH\n"
		       "empty     0    2M    0   0     0 native -\n"
		       "shm/kv   5M    2M   2M  2M     0 native -\n");
	ASSERT_EQ(run({"residency", "shm/kv", "-J"}), 0);
	EXPECT_EQ(json()["nvme"], mib);
	EXPECT_EQ(run({"stat", "shm/kv"}), 0);
	for (const char *name : {"/shm/kv", "shm//kv", "shm/../shm/kv", "shm/", "./empty"}) {
		EXPECT_EQ(run({"residency", name}), 1);
		EXPECT_NE(err.find("not the name of a file there"), std::string::npos) << err;
	}
	ASSERT_EQ(run({"remove", "shm/kv"}), 0);
	EXPECT_FALSE(module.files.contains("shm/kv"));
	module.stats.swap_out_bytes = 3 * mib;
	ASSERT_EQ(run({"stat", "-o", "swap_out_bytes,swap_in_bytes"}), 0);
	EXPECT_NE(out.find("3M"), std::string::npos);
}

/// What somebody does to a file of his own keeps nobody from the others.
TEST_F(Cli, FilesThatCannotBeOpened)
{
	module.add("a", 5 * mib, "/a");
	module.add("b", 5 * mib, "");
	for (const int code : {ENOENT, EACCES, ELOOP, EXDEV, ENOTDIR, EISDIR, ENXIO, EAGAIN}) {
		module.unopened["b"] = code;
		ASSERT_EQ(run({"list", "-J"}), 0) << code;
		ASSERT_EQ(json().size(), 1U) << code;
		EXPECT_EQ(json()[0]["name"], "a");
	}
	// Not by him.
	module.unopened["b"] = EMFILE;
	EXPECT_EQ(run({"list"}), 1);
	EXPECT_NE(err.find("Too many open files"), std::string::npos) << err;
}

TEST_F(Cli, ImportBadInput)
{
	const itme::test::TempTree tree;
	const std::string full = tree.write("full", "x");
	const std::string empty = tree.write("empty", "");
	const std::string fifo = tree.path() + "/fifo";
	const std::string longer(256, 'n');
	ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
	const auto error = [&](std::vector<const char *> args, const char *what) {
		args.insert(args.begin(), "import");
		EXPECT_EQ(run(args), 1) << what;
		EXPECT_NE(err.find(what), std::string::npos) << err;
	};

	error({"/nonexistent"}, "no such file");
	error({tree.path().c_str()}, "a directory");
	error({fifo.c_str()}, "not a regular file");
	error({"/dev/null"}, "not a regular file");
	error({empty.c_str()}, "empty");
	error({full.c_str(), "--name", "a/b"}, "cannot be a name");
	error({full.c_str(), "--name", ".."}, "cannot be a name");
	error({full.c_str(), "--name", longer.c_str()}, "longer than 255");
	error({full.c_str(), "--chunk", "3M"}, "power of two from 64K to 2M");
	error({full.c_str(), "--chunk", "4M"}, "power of two");
	EXPECT_EQ(run({"import", full.c_str(), "--chunk", "big"}), 2);
	EXPECT_EQ(run({"import", full.c_str(), empty.c_str(), "--name", "x"}), 2);
	EXPECT_EQ(run({"import"}), 2);
	EXPECT_TRUE(module.files.empty());

	ASSERT_EQ(run({"import", full.c_str()}), 0);
	error({full.c_str()}, "imported already, as 'full'");
	const std::string other = tree.write("sub/full", "y");
	error({other.c_str()}, "the name 'full' is taken");
	for (const auto &[code, what] :
	     std::initializer_list<std::pair<int, const char *>>{{ETXTBSY, "open for writing"},
								 {EPERM, "run it as root"},
								 {EINVAL, "O_DIRECT"},
								 {ELOOP, "itmefs itself"},
								 {ENOMEM, "kernel memory"},
								 {ENOTTY, "does not know"}}) {
		module.errors[ITME_IOC_IMPORT] = code;
		error({full.c_str(), "--name", "n"}, what);
	}
}

TEST_F(Cli, Residency)
{
	module.add("m", 9 * mib, "/m");
	module.files["m"].map = {ITME_TIER_DRAM, ITME_TIER_DRAM | ITME_MAP_PINNED, ITME_TIER_CXL,
				 ITME_TIER_CXL, ITME_TIER_NVME};

	ASSERT_EQ(run({"residency", "m", "--map", "--width", "4"}), 0);
	EXPECT_EQ(out, "NAME OFFSET LENGTH DRAM CXL NVME LARGE\n"
		       "m         0     9M   4M  4M   1M     0\n\n"
		       "       0 DPCC\n"
		       "      8M .\n"
		       "         one letter is 2M; D DRAM, C CXL, . NVMe, P pinned in DRAM\n");
	ASSERT_EQ(run({"residency", "m", "--map", "--json"}), 0);
	EXPECT_EQ(json()["dram"], 4 * mib);
	EXPECT_EQ(json()["map"].size(), 4U);
	EXPECT_EQ(json()["map"][1].dump(),
		  R"({"chunk":1,"count":1,"tier":"dram","flags":["pinned"]})");
	EXPECT_EQ(json()["map"][2]["count"], 2);
	ASSERT_EQ(run({"residency", "m", "--by-range", "head=0:2M", "--by-range", "8M:0", "-J"}),
		  0);
	EXPECT_EQ(json()[0]["label"], "head");
	EXPECT_EQ(json()[0]["dram"], 2 * mib);
	EXPECT_EQ(json()[1]["nvme"], mib);
	EXPECT_EQ(run({"residency", "m", "--by-range", "9M:1"}), 1);
	for (const char *bad : {"", "1", ":", "1:", ":1", "-1:2", "1:2:3", "x=", "1M:1G1"})
		EXPECT_EQ(run({"residency", "m", "--by-range", bad}), 2) << bad;
	EXPECT_EQ(run({"residency", "other"}), 1);
	EXPECT_EQ(run({"residency", "../m"}), 1);
	EXPECT_EQ(run({"residency", ""}), 1);
	EXPECT_EQ(run({"residency", "m", "--map", "--width", "0"}), 2);
}

TEST_F(Cli, Advise)
{
	module.add("m", 8 * mib, "/m");
	const auto &sent = module.files["m"].advices;

	ASSERT_EQ(run({"advise", "pin", "m", "--tier", "cxl", "--offset", "2M", "--length", "4M"}),
		  0);
	EXPECT_EQ(out, "m: pin holds for 4M of 4M\n");
	ASSERT_EQ(sent.size(), 1U);
	EXPECT_EQ(sent[0].advice, ITME_ADVICE_PIN);
	EXPECT_EQ(sent[0].tier, ITME_TIER_CXL);
	EXPECT_EQ(sent[0].offset, 2 * mib);
	EXPECT_EQ(sent[0].length, 4 * mib);
	ASSERT_EQ(run({"advise", "willneed", "m", "-J"}), 0);
	EXPECT_EQ(json().dump(), R"({"name":"m","advice":"willneed","tier":"any","offset":0,)"
				 R"("length":8388608,"done":8388608})");
	EXPECT_EQ(sent[1].tier, ITME_TIER_ANY);
	EXPECT_EQ(sent[1].length, 0U);
	for (const char *word : {"cold", "pageout", "hot", "unpin"})
		EXPECT_EQ(run({"advise", word, "m"}), 0) << word;
	EXPECT_EQ(sent.back().advice, ITME_ADVICE_UNPIN);

	EXPECT_EQ(run({"advise", "lukewarm", "m"}), 2);
	EXPECT_EQ(run({"advise", "pin", "m", "--tier", "tape"}), 2);
	EXPECT_EQ(run({"advise", "pin", "m", "--offset", "-1"}), 2);
	EXPECT_EQ(run({"advise", "pin", "m", "--length", "99999999999999999999"}), 2);
	EXPECT_EQ(run({"advise", "pin", "m", "--offset", "8M"}), 1);
	module.errors[ITME_IOC_ADVISE] = ENOSPC;
	EXPECT_EQ(run({"advise", "pin", "m"}), 1);
	EXPECT_NE(err.find("does not fit the dram tier"), std::string::npos);
}

TEST_F(Cli, Stat)
{
	module.add("m", 8 * mib, "/m");
	module.stats.read_bytes = 3 * mib;
	module.stats.stalls = 7;

	ASSERT_EQ(run({"stat", "-o", "read_bytes,stalls"}), 0);
	EXPECT_EQ(out, "read from drive 3M\nstalls           7\n");
	ASSERT_EQ(run({"stat", "m", "--json"}), 0);
	EXPECT_EQ(json()["read_bytes"], 3 * mib);
	EXPECT_EQ(json().size(), 24U);
	ASSERT_EQ(run({"stat", "-i", "0.01", "-c", "2", "-J"}), 0);
	EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
	EXPECT_EQ(Json::parse(out.substr(0, out.find('\n')))["read_bytes"], 0);
	EXPECT_EQ(run({"stat", "other"}), 1);
	EXPECT_EQ(run({"stat", "-i", "-1"}), 2);
}

TEST_F(Cli, EveryRequestThatFailsIsOneLine)
{
	module.add("m", 8 * mib, "/m");
	for (const unsigned long request : {ITME_IOC_OBJECT, ITME_IOC_RESIDENCY, ITME_IOC_STATS,
					    ITME_IOC_TIER_GET, ITME_IOC_TIER_SET, ITME_IOC_ADVISE})
		module.errors[request] = ENOTTY;
	EXPECT_EQ(run({"list"}), 1);
	EXPECT_EQ(run({"residency", "m"}), 1);
	EXPECT_EQ(run({"stat"}), 1);
	EXPECT_EQ(run({"tier", "list"}), 1);
	EXPECT_EQ(run({"tier", "set", "dram", "1G"}), 1);
	EXPECT_EQ(run({"advise", "cold", "m"}), 1);
	EXPECT_NE(err.find("does not know this request"), std::string::npos);
}

TEST_F(Cli, UsageErrors)
{
	EXPECT_EQ(run({}), 2);
	EXPECT_EQ(run({"bogus"}), 2);
	EXPECT_EQ(run({"list", "--bogus"}), 2);
	EXPECT_EQ(run({"list", "-o", "bogus"}), 2);
	EXPECT_NE(err.find("there are name, id, size"), std::string::npos);
	EXPECT_EQ(run({"run"}), 125);
	EXPECT_EQ(run({"run", "--"}), 125);
	EXPECT_EQ(run({"run", "--bogus", "--", "true"}), 125);
	EXPECT_EQ(run({"run", "--bogus"}), 125);
	EXPECT_EQ(run({"run", "--user", "no such user", "--", "true"}), 125);
	for (const char *size : {"0", "-1", "1.5G", "", "many"})
		EXPECT_EQ(run({"run", "--shm", size, "--", "true"}), 125) << size;
	EXPECT_EQ(run({"run", "--import", "/nonexistent", "--", "true"}), 125);
	EXPECT_EQ(run({"--help"}), 0);
	EXPECT_EQ(run({"tier", "set", "--help"}), 0);
	EXPECT_EQ(run({"--version"}), 0);
	EXPECT_EQ(out.rfind("itmectl ", 0), 0U);
}

TEST_F(Cli, DoctorExitStatusAndJson)
{
	const itme::test::TempTree empty;

	// A verdict, not an error: nothing on stderr.
	EXPECT_EQ(run({"doctor", "--root", empty.path().c_str(), "--json"}, 0), 1);
	for (const auto &finding : json())
		EXPECT_EQ(finding["status"] == "ok", finding["fix"].is_null());
}

} // namespace itmectl
