// SPDX-License-Identifier: GPL-2.0
// itmefuzz: runs programs of hostile and ordinary calls against a loaded itme.ko. See --help.
#include "corpus.hpp"
#include "faults.hpp"
#include "fuzzer.hpp"
#include "generate.hpp"
#include "lower.hpp"
#include "mountpoint.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <getopt.h>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fuzz
{

static constexpr char help[] =
	"itmefuzz [--corpus DIR]... [--seconds N]    search, from these programs on\n"
	"itmefuzz --replay FILE|DIR...               run these once, in order\n"
	"itmefuzz --corpus DIR... --minimise DIR     write what is needed of a corpus\n"
	"itmefuzz --generate N                       print N programs, run nothing\n"
	"  --seed N     (ITME_SEED)       of the search; else a new one each time\n"
	"  --keep DIR   (/results in the lab) for the programs found\n"
	"  --verbose                      tell what each call came to, on stderr\n"
	"Environment: ITME_LOWER_DIR, an empty directory of a file system with O_DIRECT; ITME_KO, "
	"the\n"
	"module's file, for the coverage; ITME_KCOV=required where a kernel without KCOV is a "
	"failure.\n";

struct Options {
	std::vector<std::string> corpus;
	std::vector<std::string> replay;
	std::string minimise;
	std::string keep;
	std::uint64_t seed = 0;
	unsigned seconds = 60;
	unsigned generate = 0;
	bool verbose = false;
};

/// KTAP.
class Tap
{
public:
	Tap() { std::puts("TAP version 13"); }

	void result(bool good, const std::string &name, const std::string &comment = "")
	{
		count_++;
		failed_ += !good;
		std::printf("%sok %u %s\n", good ? "" : "not ", count_, name.c_str());
		if (!good && !comment.empty())
			std::printf("# %s\n", comment.c_str());
		std::fflush(stdout);
	}

	void skip(const std::string &name, const char *why)
	{
		std::printf("ok %u %s # SKIP %s\n", ++count_, name.c_str(), why);
	}

	int finish() const
	{
		std::printf("1..%u\n", count_);
		return failed_ ? EXIT_FAILURE : EXIT_SUCCESS;
	}

private:
	unsigned count_ = 0;
	unsigned failed_ = 0;
};

static const char *environment(const char *name, const char *otherwise)
{
	const char *value = std::getenv(name);

	return value && *value ? value : otherwise;
}

static void write_text(const std::string &path, const char *text)
{
	std::ofstream(path) << text;
}

/// Each unmount waits for RCU many times; in an emulated debug kernel that would be all it does.
static void hurry_rcu()
{
	write_text("/sys/kernel/rcu_expedited", "1");
}

static Options parse_options(int argc, char **argv)
{
	enum { CORPUS = 256, SECONDS, REPLAY, MINIMISE, GENERATE, SEED, KEEP, VERBOSE, HELP };

	static const option longs[] = {
		{"corpus", required_argument, nullptr, CORPUS},
		{"seconds", required_argument, nullptr, SECONDS},
		{"replay", no_argument, nullptr, REPLAY},
		{"minimise", required_argument, nullptr, MINIMISE},
		{"generate", required_argument, nullptr, GENERATE},
		{"seed", required_argument, nullptr, SEED},
		{"keep", required_argument, nullptr, KEEP},
		{"verbose", no_argument, nullptr, VERBOSE},
		{"help", no_argument, nullptr, HELP},
		{},
	};

	Options options;
	bool replay = false;

	options.seed = std::random_device()();
	options.seed = std::strtoull(environment("ITME_SEED", std::to_string(options.seed).c_str()),
				     nullptr, 0);
	options.keep = std::getenv("LAB_DIR") ? "/results" : environment("ITME_LOWER_DIR", "/tmp");
	for (int c; (c = getopt_long(argc, argv, "", longs, nullptr)) != -1;) {
		switch (c) {
		case CORPUS:
			options.corpus.emplace_back(optarg);
			break;
		case SECONDS:
			options.seconds = static_cast<unsigned>(std::strtoul(optarg, nullptr, 0));
			break;
		case REPLAY:
			replay = true;
			break;
		case MINIMISE:
			options.minimise = optarg;
			break;
		case GENERATE:
			options.generate = static_cast<unsigned>(std::strtoul(optarg, nullptr, 0));
			break;
		case SEED:
			options.seed = std::strtoull(optarg, nullptr, 0);
			break;
		case KEEP:
			options.keep = optarg;
			break;
		case VERBOSE:
			options.verbose = true;
			break;
		case HELP:
			std::fputs(help, stdout);
			std::exit(EXIT_SUCCESS);
		default:
			std::fputs(help, stderr);
			std::exit(2);
		}
	}
	if (replay && optind == argc)
		throw std::runtime_error("--replay of nothing");
	for (; optind < argc; optind++) {
		if (std::filesystem::is_directory(argv[optind]))
			for (const std::string &file : corpus_files(argv[optind]))
				options.replay.push_back(file);
		else
			options.replay.emplace_back(argv[optind]);
	}
	return options;
}

/// A program and the name of its file.
using Named = std::pair<std::string, Program>;

static std::vector<Named> load_all(const std::vector<std::string> &files)
{
	std::vector<Named> programs;

	for (const std::string &file : files)
		programs.emplace_back(std::filesystem::path(file).filename(), load(file));
	return programs;
}

static void replay(Runner &runner, Cover &cover, Tap &tap, const std::vector<Named> &programs)
{
	bool over = false;

	for (const auto &[name, program] : programs) {

		if (over) {
			tap.result(false, name, "not run: the kernel is not what it was");
			continue;
		}
		Outcome outcome = runner.run(program);
		cover.add(outcome.places);
		over = outcome.fatal;
		for (std::size_t at; (at = outcome.wrong.find('\n')) != outcome.wrong.npos;)
			outcome.wrong.replace(at, 1, " | ");
		tap.result(outcome.wrong.empty(), name, outcome.wrong);
	}
}

static void minimise(Fuzzer &fuzzer, const std::string &dir)
{
	unsigned nr = 0;

	std::filesystem::create_directories(dir);
	for (const Program &program : fuzzer.minimised()) {
		char name[32];

		std::snprintf(name, sizeof(name), "/%03u.fuzz", ++nr);
		std::ofstream(dir + name) << program.text();
	}
}

static void search(const Options &options, Runner &runner, Journal &journal, Cover &cover, Tap &tap)
{
	Fuzzer fuzzer(runner, journal, cover, options.seed);
	std::vector<Program> corpus;

	for (const std::string &dir : options.corpus)
		for (Program &program : load_corpus(dir))
			corpus.push_back(std::move(program));
	std::printf("# seed %llu, %zu programs to begin with\n",
		    static_cast<unsigned long long>(options.seed), corpus.size());
	fuzzer.start_from(std::move(corpus));
	if (!options.minimise.empty())
		minimise(fuzzer, options.minimise);
	else
		fuzzer.search(std::chrono::seconds(options.seconds));
	fuzzer.tell();
	std::string all;

	for (const std::string &finding : fuzzer.findings())
		all += (all.empty() ? "" : " | ") + finding;
	tap.result(all.empty(), "search", all);
}

static int run(const Options &options)
{
	const char *lower_dir = std::getenv("ITME_LOWER_DIR");
	const char *file = std::getenv("ITME_KO");
	bool required = environment("ITME_KCOV", "") == std::string("required");

	if (options.generate) {
		Random random(options.seed);

		for (unsigned i = 0; i < options.generate; i++) {
			Program program = generate(random);

			std::printf("# %u\n%s\n", i, program.text().c_str());
			if (parse(program.text()) != program)
				throw std::runtime_error("this one reads as another");
		}
		return EXIT_SUCCESS;
	}
	/* First, so that a bad one is told of anywhere. */
	std::vector<Named> programs = load_all(options.replay);
	Tap tap;

	if (!lower_dir || !std::filesystem::exists("/sys/module/itme")) {
		tap.skip("itmefuzz", "ITME_LOWER_DIR is not given, or itme.ko not loaded");
		return tap.finish();
	}
	prepare_faults();
	hurry_rcu();
	prepare_mountpoint();
	make_lowers(lower_dir);
	auto module = file ? std::make_unique<Module>(file) : std::make_unique<Module>();
	Cover cover(*module);
	Journal journal(options.keep);
	Runner runner(journal, cover, options.verbose);
	bool sees = runner.sees() && module->places();

	if (sees || required)
		tap.result(sees, "KCOV", "no KCOV in the kernel, or in the module");
	else
		tap.skip("KCOV", "not in the kernel, or not in the module: the search is blind");
	if (sees)
		std::printf("# %zu places; what workers do is %s\n", module->places(),
			    runner.sees_workers() ? "seen if the module marks it" : "not seen");
	if (!programs.empty())
		replay(runner, cover, tap, programs);
	else
		search(options, runner, journal, cover, tap);
	if (sees)
		for (const std::string &line : cover.report())
			std::printf("# %s\n", line.c_str());
	return tap.finish();
}

} // namespace fuzz

int main(int argc, char **argv)
{
	try {
		return fuzz::run(fuzz::parse_options(argc, argv));
	} catch (const std::exception &e) {
		std::printf("Bail out! %s\n", e.what());
		return 2;
	}
}
