// SPDX-License-Identifier: GPL-2.0
#include "areas.hpp"
#include "config.hpp"
#include "parser.hpp"
#include "printable.hpp"
#include "service.hpp"
#include "tier.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <string>
#include <unistd.h>

namespace
{

constexpr const char *default_config = "/etc/itme/itmed.toml";

struct Arguments {
	std::string config = default_config;
	bool check = false;
	bool online = false;
	bool offline = false;
	bool swapon = false;
	bool swapoff = false;
};

/// To the journal where stderr would go there anyway; else to stderr.
void start_log(const std::string &level)
{
	if (std::getenv("JOURNAL_STREAM"))
		spdlog::set_default_logger(spdlog::systemd_logger_mt("itmed"));
	else
		spdlog::set_default_logger(spdlog::stderr_logger_mt("itmed"));
	spdlog::set_level(spdlog::level::from_str(level));
	spdlog::set_pattern("itmed: %v");
}

int run(const Arguments &args, bool named)
{
	auto result = itmed::load_config(args.config);

	// Without a file it runs with what it would have written in there.
	if (!named && ::access(args.config.c_str(), F_OK))
		result = {};
	for (const auto &problem : result.problems)
		std::fprintf(stderr, "itmed: %s\n",
			     itmed::printable(itmed::format_problem(args.config, problem)).c_str());
	if (!result.problems.empty())
		return 2;
	if (args.check) {
		std::printf("%s: fine\n", args.config.c_str());
		return 0;
	}
	start_log(result.config.log_level);
	if (args.online)
		return itmed::bring_online(result.config);
	if (args.offline)
		return itmed::take_offline();
	if (args.swapon)
		return itmed::add_areas(result.config);
	if (args.swapoff)
		return itmed::remove_areas(result.config);
	itmed::Service service(args.config, std::move(result.config));
	return service.run();
}

} // namespace

int main(int argc, char **argv)
{
	// Not an option for people: the service starts itself so.
	if (argc > 1 && std::string(argv[1]) == "--read-model")
		return itmed::read_model_main(argc, argv);

	Arguments args;
	CLI::App app("Keep a plan for each model in itmefs", "itmed");
	app.set_version_flag("--version", "itmed " ITME_VERSION);
	auto *config = app.add_option("-c,--config", args.config, "Its configuration")
			       ->type_name("FILE")
			       ->capture_default_str();
	auto *check = app.add_flag("--check-config", args.check,
				   "Tell what is wrong with the configuration, and exit");
	auto *online = app.add_flag("--online", args.online,
				    "Bring CXL memory online as configured, and exit")
			       ->excludes(check);
	auto *offline = app.add_flag("--offline", args.offline, "Undo that, and exit")
				->excludes(check)
				->excludes(online);
	auto *swapon = app.add_flag("--swapon", args.swapon,
				    "Add the swap areas that are configured, and exit")
			       ->excludes(check)
			       ->excludes(online)
			       ->excludes(offline);
	app.add_flag("--swapoff", args.swapoff, "Remove them, and exit")
		->excludes(check)
		->excludes(online)
		->excludes(offline)
		->excludes(swapon);
	app.footer("See itmed(8) and itmed.toml(5).");
	CLI11_PARSE(app, argc, argv);
	try {
		return run(args, config->count() != 0);
	} catch (const std::exception &error) { // out of memory: nothing else is thrown
		std::fprintf(stderr, "itmed: %s\n", error.what());
		return 1;
	}
}
