// SPDX-License-Identifier: GPL-2.0
// itmectl model plan
#include "models.hpp"

#include "planfile.hpp"
#include "size.hpp"

#include <memory>
#include <utility>

namespace itmectl
{
namespace
{

struct Arguments {
	std::string path;
	std::string file;
	std::string name;
	std::string stage = "64M";
	std::string chunk;
	std::string lookahead;
	std::string budget;
	bool no_triggers = false;
};

itme::Result<void> set_size(std::uint64_t &to, const std::string &text)
{
	if (text.empty())
		return {};
	const auto size = itme::parse_size(text);
	if (!size)
		return tl::unexpected(size.error());
	to = *size;
	return {};
}

int plan(Context &ctx, const Arguments &args)
{
	itme::ModelPlanOptions options;
	std::uint64_t lookahead = 0;
	std::uint64_t budget = 0;

	for (const auto &[to, text] :
	     {std::pair{&options.stage, &args.stage}, std::pair{&options.chunk, &args.chunk},
	      std::pair{&lookahead, &args.lookahead}, std::pair{&budget, &args.budget}})
		if (const auto ret = set_size(*to, *text); !ret) {
			ctx.fail(ret.error());
			return exit_usage;
		}
	const auto model = itme::read_model(args.path);
	if (!model)
		return ctx.fail(model.error());
	options.name = args.name.empty() ? plan_name(*model) : args.name;
	options.triggers = !args.no_triggers;
	if (args.chunk.empty())
		options.chunk = itme::chunk_for(*model);
	auto made = itme::plan_model(*model, options);
	if (!made)
		return ctx.fail(made.error());
	warn_left_out(ctx, *made);
	made->plan.lookahead = lookahead;
	made->plan.budget = budget;
	return write_plan(ctx, made->plan, args.file);
}

} // namespace

void add_model_plan(CLI::App &model, Context &ctx)
{
	CLI::App *sub = model.add_subcommand(
		"plan", "Write the order of use as a plan, which 'plan load' takes");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("MODEL", args->path, "A file of it, or its directory")->required();
	sub->add_option("FILE", args->file, "Where to (default: stdout)");
	sub->add_option("--name", args->name, "Name of the plan (default: that of the file)")
		->type_name("NAME");
	sub->add_option("--stage", args->stage, "Bytes of a stage at most (default: 64M)")
		->type_name("SIZE");
	sub->add_option(
		   "--chunk", args->chunk,
		   "Chunk of the imported files (default: as import takes it); 0: ranges as in "
		   "the files")
		->type_name("SIZE");
	sub->add_option("--lookahead", args->lookahead,
			"Be ahead by that much at most (default: as there is room)")
		->type_name("SIZE");
	sub->add_option("--budget", args->budget, "DRAM for what stays (default: a fair share)")
		->type_name("SIZE");
	sub->add_flag("--no-triggers", args->no_triggers, "Leave experts out");
	sub->callback([&ctx, args] { ctx.status = plan(ctx, *args); });
}

} // namespace itmectl
