// SPDX-License-Identifier: GPL-2.0
// itmectl advise
#include "advise.hpp"
#include "progress.hpp"

#include "names.hpp"
#include "size.hpp"

#include <memory>

namespace itmectl
{
namespace
{

struct Arguments {
	std::string advice;
	std::string name;
	std::string tier = "any";
	std::string offset = "0";
	std::string length = "0";
	std::uint32_t pid = 0;
};

itme::Result<itme::Advice> parse(const Arguments &args)
{
	const auto advice = itme::parse_advice(args.advice);
	const auto tier = itme::parse_tier(args.tier);
	const auto offset = itme::parse_size(args.offset);
	const auto length = itme::parse_size(args.length);

	if (!advice)
		return tl::unexpected(advice.error());
	if (!tier)
		return tl::unexpected(tier.error());
	if (!offset)
		return tl::unexpected(offset.error());
	if (!length)
		return tl::unexpected(length.error());
	return itme::Advice{*advice, *tier, {*offset, *length}};
}

std::string progress_line(itme::File &file, const itme::Advice &advice)
{
	const auto where = file.residency(advice.range);

	if (!where)
		return "";
	return fmt::format("{}: DRAM {}, CXL {}, NVMe {}", printable(file.name()),
			   itme::format_size(where->bytes[ITME_TIER_DRAM]),
			   itme::format_size(where->bytes[ITME_TIER_CXL]),
			   itme::format_size(where->bytes[ITME_TIER_NVME]));
}

int advise(Context &ctx, const Arguments &args)
{
	const auto advice = parse(args);

	if (!advice) {
		ctx.fail(advice.error());
		return exit_usage;
	}
	if (args.pid)
		return advise_process(ctx, args.pid, args.name, *advice);
	auto mount = ctx.mount();
	if (!mount)
		return ctx.fail(mount.error());
	auto file = mount->open(args.name);
	if (!file)
		return ctx.fail(file.error());
	const auto object = file->object();
	if (!object)
		return ctx.fail(object.error());

	itme::Result<std::uint64_t> done = 0;
	const auto work = [&] { done = file->advise(*advice); };
	if (ctx.env().progress)
		with_progress(ctx.env().err, work, [&] { return progress_line(*file, *advice); });
	else
		work();
	if (!done)
		return ctx.fail(done.error());

	const auto &[offset, length] = advice->range;
	const std::uint64_t rest = object->size - std::min(offset, object->size);
	const std::uint64_t asked = length ? std::min(length, rest) : rest;
	const Table table{{{"name", "NAME", Kind::text},
			   {"advice", "ADVICE", Kind::text},
			   {"tier", "TIER", Kind::text},
			   {"offset", "OFFSET", Kind::size},
			   {"length", "LENGTH", Kind::size},
			   {"done", "DONE", Kind::size}},
			  {{args.name, args.advice, args.tier, offset, asked, *done}}};
	if (ctx.json || !ctx.columns.empty())
		return ctx.show(render_record(table, ctx.style()));
	const auto size = [&](std::uint64_t bytes) {
		return ctx.bytes ? std::to_string(bytes) : itme::format_size(bytes);
	};
	ctx.print(fmt::format("{}: {} holds for {} of {}\n", printable(args.name), args.advice,
			      size(*done), size(asked)));
	return exit_ok;
}

} // namespace

void add_advise(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand(
		"advise", "Say what is known about a range of a file, or of a process's memory");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("ADVICE", args->advice,
			"willneed: read it in soon; cold: first to leave; pageout: leave now; hot: "
			"belongs into the tier; pin: bring in and keep; unpin: undo pin")
		->required();
	sub->add_option("NAME|ADDRESS", args->name,
			"As 'itmectl list' shows it; with --pid, an address or all")
		->required();
	sub->add_option("--tier", args->tier, "Target: dram, cxl or nvme (default: any)")
		->type_name("TIER");
	auto *offset =
		sub->add_option("--offset", args->offset, "Start (default: 0)")->type_name("SIZE");
	sub->add_option("--pid", args->pid, "What this process has mapped")
		->type_name("PID")
		->check(CLI::Range(1, 1 << 22))
		->excludes(offset);
	sub->add_option("--length", args->length, "Bytes (default: to the end)")->type_name("SIZE");
	sub->callback([&ctx, args] { ctx.status = advise(ctx, *args); });
}

} // namespace itmectl
