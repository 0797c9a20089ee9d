// SPDX-License-Identifier: GPL-2.0
#include "app.hpp"

#include <algorithm>
#include <cstdlib>

namespace itmectl
{
namespace
{

std::vector<std::string> split_columns(const std::string &text)
{
	std::vector<std::string> names;
	std::size_t at = 0;

	while (at < text.size()) {
		const std::size_t end = std::min(text.find(',', at), text.size());
		if (end > at)
			names.push_back(text.substr(at, end - at));
		at = end + 1;
	}
	return names;
}

void add_globals(CLI::App &app, Context &ctx)
{
	app.set_version_flag("--version", "itmectl " ITME_VERSION);
	app.set_help_flag("-h,--help", "Print this help and exit");
	app.add_option("-m,--mount", ctx.mount_dir, "The itmefs mount; found by itself otherwise")
		->envname("ITME_MOUNT")
		->type_name("DIR");
	app.add_flag("-J,--json", ctx.json, "Print JSON: raw bytes, keys that do not change");
	app.add_flag("-b,--bytes", ctx.bytes, "Print sizes in bytes");
	app.add_flag("-n,--noheadings", ctx.noheadings, "Do not print the line of headings");
	app.add_option("-o,--output", ctx.columns, "The columns to print")->type_name("COL,COL");
}

/// What follows -- after run belongs to the command, whatever it looks like, and is not parsed.
/// Returns how many
/// arguments come before it; the command begins with the --.
int split_command(int argc, const char *const *argv, std::vector<std::string> &command)
{
	const char *const *end = argv + argc;
	const auto is = [](std::string_view word) {
		return [word](const char *arg) { return arg == word; };
	};
	const char *const *mark = std::find_if(argv, end, is("--"));

	if (mark == end || std::find_if(argv, mark, is("run")) == mark)
		return argc;
	command.assign(mark, end);
	return static_cast<int>(mark - argv);
}

} // namespace

Style Context::style() const
{
	return {json, bytes, !noheadings, split_columns(columns)};
}

itme::Result<itme::Family> Context::family() const
{
	auto channel = env_.open_channel();

	if (!channel)
		return tl::unexpected(channel.error());
	return itme::Family(std::move(*channel));
}

void Context::warn(const std::string &text) const
{
	std::fprintf(env_.err, "itmectl: %s\n", printable(text).c_str());
}

int Context::fail(const itme::Error &error) const
{
	warn(error.message);
	return exit_failure;
}

int Context::show(const itme::Result<std::string> &rendered) const
{
	if (!rendered) {
		fail(rendered.error());
		return exit_usage;
	}
	print(*rendered);
	return exit_ok;
}

int run_itmectl(int argc, const char *const *argv, const Environment &env)
{
	Context ctx(env);
	CLI::App app("Place models on DRAM, CXL memory and NVMe: the control of itmefs", "itmectl");

	add_globals(app, ctx);
	app.require_subcommand(0, 1);
	app.fallthrough();
	app.get_formatter()->column_width(36);
	app.footer("Sizes take K, M, G and T (binary). See itmectl(8).");
	add_tier(app, ctx);
	add_swap(app, ctx);
	add_import(app, ctx);
	add_remove(app, ctx);
	add_list(app, ctx);
	add_residency(app, ctx);
	add_advise(app, ctx);
	add_model(app, ctx);
	add_plan(app, ctx);
	add_run(app, ctx);
	add_stat(app, ctx);
	add_status(app, ctx);
	add_monitor(app, ctx);
	add_top(app, ctx);
	add_holders(app, ctx);
	add_doctor(app, ctx);

	try {
		app.parse(split_command(argc, argv, ctx.command), argv);
		if (app.get_subcommands().empty())
			throw CLI::RequiredError("A verb");
	} catch (const CLI::Success &done) { // --help, --version
		std::ostringstream out;
		std::ostringstream err;
		app.exit(done, out, err);
		ctx.print(out.str());
	} catch (const CLI::ParseError &error) {
		const bool run = app.got_subcommand("run");
		std::string text = error.what();
		std::replace(text.begin(), text.end(), '\n', ' ');
		ctx.warn(text + "; see 'itmectl --help' or itmectl(8)");
		ctx.status = run ? exit_run_failed : exit_usage;
	}
	// A full disk or closed pipe must not pass for success.
	if (std::fflush(env.out) || std::ferror(env.out)) {
		ctx.warn("cannot write to stdout");
		ctx.status = ctx.status ? ctx.status : exit_failure;
	}
	return ctx.status;
}

} // namespace itmectl
