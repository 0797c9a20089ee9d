// SPDX-License-Identifier: GPL-2.0
// /etc/itme/itmed.toml: what the operator wants. See itmed.toml(5).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itmed
{

/// How memory is onlined: movable can be taken offline again, but nothing long-term can be pinned
/// there.
enum class Online { no, movable, kernel };

/// Where a model's plan comes from.
enum class PlanFrom {
	automatic, ///< what was learned before, else the header, else it is learned
	header,	   ///< the header, whatever has been learned
	learned,   ///< never the header
	none,	   ///< nothing is done
};

struct TierConfig {
	std::optional<std::uint64_t> budget;
	Online online = Online::no;
};

struct ModelConfig {
	std::string path;
	std::string name;	 ///< empty: the last component of the path
	std::uint64_t chunk = 0; ///< 0: the module's default
};

struct SwapConfig {
	std::string path;
	int priority = -1; ///< below all that are there
	bool check = false;
};

/// The first one that matches counts. Patterns as of fnmatch(3); an empty one matches all.
struct Rule {
	std::string path;   ///< of the lower file
	std::string cgroup; ///< of who maps it
	std::string unit;   ///< its service or scope
	PlanFrom plan = PlanFrom::automatic;
	std::uint64_t dram = 0; ///< budget of the plan; 0: a share
	std::uint64_t lookahead = 0;
	double share = 1; ///< beside the other models that are in use
};

struct ParserLimits {
	std::uint64_t memory = std::uint64_t{256} << 20;
	std::chrono::seconds cpu{20};
	std::chrono::seconds timeout{60};
};

struct WatchConfig {
	std::chrono::milliseconds interval{10'000}; ///< while a model is in use
	std::chrono::seconds unused{60};	    ///< read once and then left alone for so long
	unsigned int wrong = 3; ///< looks in a row at which the plan did not fit
};

struct Config {
	std::string mount; ///< empty: the first itmefs there is
	std::string state_dir = "/var/lib/itme";
	std::string socket = "/run/itme/itmed.sock";
	std::string group; ///< who may ask besides root
	std::string log_level = "info";
	std::string metrics_listen; ///< ADDRESS:PORT; empty: not served
	ParserLimits parser;
	WatchConfig watch;
	TierConfig dram;
	TierConfig cxl;
	std::vector<ModelConfig> models;
	std::vector<SwapConfig> swap;
	std::vector<Rule> rules;
};

struct ConfigProblem {
	std::uint32_t line = 0; ///< 0: of the file as a whole
	std::uint32_t column = 0;
	std::string what;
	std::string remedy;
};

struct ConfigResult {
	Config config;
	std::vector<ConfigProblem> problems; ///< none: the config can be used
};

ConfigResult parse_config(std::string_view text);
/// A file that cannot be read is a problem, too.
ConfigResult load_config(const std::string &path);

/// "FILE:LINE:COLUMN: what; remedy"
std::string format_problem(const std::string &path, const ConfigProblem &problem);

} // namespace itmed
