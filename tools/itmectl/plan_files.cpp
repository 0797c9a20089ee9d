// SPDX-License-Identifier: GPL-2.0
// itmectl plan set|load|save
#include "models.hpp"
#include "plans.hpp"

#include "fd.hpp"
#include "files.hpp"
#include "model/model.hpp"
#include "planfile.hpp"
#include "size.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <unistd.h>

namespace itmectl
{
namespace
{

struct Arguments {
	std::vector<std::string> words; ///< set: a file, or names of imported files
	bool cyclic = false;
	bool once = false;
	std::string stage = "64M";
	std::string lookahead;
	std::string budget;
	std::string name;
	std::string model; ///< set
	std::uint32_t id = 0;
	std::string plan; ///< save
	std::string file; ///< save, load

	/// The plan is told by options, and the words are names.
	bool simple() const { return cyclic || once; }

	bool complete() const
	{
		return model.empty() ? simple() || words.size() == 1 : words.empty() && !simple();
	}
};

/// The whole of that text is written, or it is an error.
itme::Result<void> write_file(const std::string &path, const std::string &text)
{
	const itme::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));

	if (!fd.valid())
		return itme::fail(errno, "{}: {}", path, std::strerror(errno));
	for (std::size_t at = 0; at < text.size();) {
		const ssize_t n = ::write(fd.get(), text.data() + at, text.size() - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return itme::fail(errno, "{}: {}", path, std::strerror(errno));
		at += static_cast<std::size_t>(n);
	}
	return {};
}

itme::Result<itme::PlanFile> read_plan(const std::string &path)
{
	const auto text = itme::read_file(path == "-" ? "/dev/stdin" : path);

	if (!text)
		return tl::unexpected(text.error());
	auto plan = itme::parse_plan(*text);
	if (!plan)
		return itme::fail(plan.error().code, "{}: {}", path, plan.error().message);
	return plan;
}

/// What the options say instead of what the file says.
itme::Result<void> override_plan(const Arguments &args, itme::PlanFile &plan)
{
	for (const auto &[text, member] : {std::pair{&args.lookahead, &itme::PlanFile::lookahead},
					   std::pair{&args.budget, &itme::PlanFile::budget}}) {
		if (text->empty())
			continue;
		const auto size = itme::parse_size(*text);
		if (!size)
			return tl::unexpected(size.error());
		plan.*member = *size;
	}
	if (!args.name.empty())
		plan.name = args.name;
	return {};
}

int install(Context &ctx, itme::Family &family, const itme::PlanFile &plan, std::uint32_t id)
{
	const auto spec = itme::resolve_plan(family, plan);

	if (!spec)
		return ctx.fail(spec.error());
	const auto set = family.set_plan(*spec, id);
	if (!set)
		return ctx.fail(set.error());
	return show_plan_id(ctx, *set, plan.name);
}

/// The order of use of an imported model.
itme::Result<itme::PlanFile> plan_of_model(Context &ctx, const Arguments &args, std::uint64_t stage)
{
	itme::ModelPlanOptions options;
	auto model = itme::read_model(args.model);

	if (!model)
		return tl::unexpected(model.error());
	auto mount = ctx.mount();
	if (!mount)
		return tl::unexpected(mount.error());
	// As by "model plan", so that each replaces the other; below, files get the names of
	// imports.
	options.name = plan_name(*model);
	const auto chunk = name_imported(*mount, *model);
	if (!chunk)
		return tl::unexpected(chunk.error());
	options.stage = stage;
	options.chunk = *chunk;
	auto made = itme::plan_model(*model, options);
	if (!made)
		return tl::unexpected(made.error());
	warn_left_out(ctx, *made);
	return std::move(made->plan);
}

int set(Context &ctx, const Arguments &args)
{
	if (!args.complete()) {
		ctx.warn(
			"give one file with a plan, or --model, or --cyclic or --once and names of "
			"imported files");
		return exit_usage;
	}
	const auto stage = itme::parse_size(args.stage);
	if (!stage) {
		ctx.fail(stage.error());
		return exit_usage;
	}
	// What is wrong with the options or the file is told first, mounted or not.
	itme::PlanFile plan;
	if (!args.simple()) {
		auto read = args.model.empty() ? read_plan(args.words[0])
					       : plan_of_model(ctx, args, *stage);
		if (!read)
			return ctx.fail(read.error());
		plan = std::move(*read);
	}
	if (const auto ret = override_plan(args, plan); !ret) {
		ctx.fail(ret.error());
		return exit_usage;
	}
	auto family = ctx.family();
	if (!family)
		return ctx.fail(family.error());
	if (args.simple()) {
		auto files = itme::plan_of_files(*family, args.words, *stage);
		if (!files)
			return ctx.fail(files.error());
		plan.stages = std::move(files->stages);
		plan.cyclic = args.cyclic;
	}
	return install(ctx, *family, plan, args.id);
}

int load(Context &ctx, const Arguments &args)
{
	const auto plan = read_plan(args.file);
	std::uint32_t id = 0;

	if (!plan)
		return ctx.fail(plan.error());
	auto family = ctx.family();
	if (!family)
		return ctx.fail(family.error());
	if (!plan->name.empty()) {
		const auto there = find_plan(*family, plan->name);
		if (!there && there.error().code != ENOENT)
			return ctx.fail(there.error());
		// A name may look like a number.
		if (there && there->name == plan->name)
			id = there->id;
	}
	return install(ctx, *family, *plan, id);
}

int save(Context &ctx, const Arguments &args)
{
	auto family = ctx.family();

	if (!family)
		return ctx.fail(family.error());
	const auto found = find_plan(*family, args.plan);
	if (!found)
		return ctx.fail(found.error());
	const auto plan = family->plan(found->id);
	if (!plan)
		return ctx.fail(plan.error());
	const auto objects = family->objects();
	if (!objects)
		return ctx.fail(objects.error());

	const auto named = itme::name_plan(*plan, *objects);
	if (named.empty()) {
		ctx.warn("all files of the plan are removed: there is nothing to save");
		return exit_failure;
	}
	if (named.left_out)
		ctx.warn(fmt::format("{} ranges are left out: their files are removed",
				     named.left_out));
	return write_plan(ctx, named.plan, args.file);
}

} // namespace

int write_plan(Context &ctx, const itme::PlanFile &plan, const std::string &path)
{
	const auto text = itme::format_plan(plan);

	if (!text)
		return ctx.fail(text.error());
	if (path.empty() || path == "-") {
		ctx.print(*text);
		return exit_ok;
	}
	if (const auto ret = write_file(path, *text); !ret)
		return ctx.fail(ret.error());
	return exit_ok;
}

void add_plan_files(CLI::App &plan, Context &ctx)
{
	CLI::App *set_verb = plan.add_subcommand(
		"set", "Install a plan from a file, or of whole files one after the other");
	CLI::App *load_verb =
		plan.add_subcommand("load", "As set, in place of the plan of the same name");
	CLI::App *save_verb = plan.add_subcommand("save", "Write a plan as set and load take it");
	auto args = std::make_shared<Arguments>();

	for (CLI::App *sub : {set_verb, load_verb, save_verb})
		sub->fallthrough();
	set_verb->add_option("FILE|NAME", args->words,
			     "A file with a plan, - for stdin; after --cyclic or --once, imported "
			     "files");
	set_verb->add_option("--model", args->model,
			     "The order of use of this imported model, from its header")
		->type_name("FILE");
	auto *cyclic = set_verb->add_flag("--cyclic", args->cyclic,
					  "These files, in that order, again and again");
	set_verb->add_flag("--once", args->once, "These files, in that order")->excludes(cyclic);
	set_verb->add_option("--stage", args->stage,
			     "With --cyclic, --once or --model, bytes of a stage (default: 64M)")
		->type_name("SIZE");
	set_verb->add_option("--name", args->name, "Name of the plan")->type_name("NAME");
	set_verb->add_option("--lookahead", args->lookahead,
			     "Be ahead by that much at most (default: as there is room)")
		->type_name("SIZE");
	set_verb->add_option("--budget", args->budget,
			     "DRAM for what stays (default: a fair share)")
		->type_name("SIZE");
	set_verb->add_option("--id", args->id, "In place of the plan with this number")
		->type_name("N");
	load_verb->add_option("FILE", args->file, "A file with a plan, - for stdin")->required();
	save_verb->add_option("PLAN", args->plan, "Its number or name")->required();
	save_verb->add_option("FILE", args->file, "Where to (default: stdout)");
	set_verb->callback([&ctx, args] { ctx.status = set(ctx, *args); });
	load_verb->callback([&ctx, args] { ctx.status = load(ctx, *args); });
	save_verb->callback([&ctx, args] { ctx.status = save(ctx, *args); });
}

} // namespace itmectl
