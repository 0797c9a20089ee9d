// SPDX-License-Identifier: GPL-2.0
// itmectl swap add|remove|list
#include "app.hpp"
#include "progress.hpp"

#include "size.hpp"

#include <memory>

namespace itmectl
{
namespace
{

struct Arguments {
	std::vector<std::string> names;
	std::int32_t prio = -1;
	bool check = false;
	bool all = false;
};

Json flag_words(std::uint32_t flags)
{
	Json words = Json::array();

	if (flags & ITME_SWAP_CHECK)
		words.push_back("check");
	if (flags & ITME_SWAP_BAD)
		words.push_back("bad");
	if (flags & ITME_SWAP_DRAINING)
		words.push_back("draining");
	return words;
}

Table swap_table(const std::vector<itme::SwapArea> &areas)
{
	Table table{{{"path", "PATH", Kind::text},
		     {"id", "ID", Kind::count, false},
		     {"size", "SIZE", Kind::size},
		     {"used", "USED", Kind::size},
		     {"prio", "PRIO", Kind::count},
		     {"read_bytes", "READ", Kind::size},
		     {"written_bytes", "WRITTEN", Kind::size},
		     {"errors", "ERRORS", Kind::count},
		     {"flags", "FLAGS", Kind::text},
		     {"label", "LABEL", Kind::text, false},
		     {"uuid", "UUID", Kind::text, false}},
		    {}};

	for (const auto &area : areas)
		table.rows.push_back({area.path, area.id, area.bytes, area.used, area.prio,
				      area.read_bytes, area.write_bytes, area.errors,
				      flag_words(area.flags), area.label, area.uuid});
	return table;
}

int list(Context &ctx)
{
	auto mount = ctx.mount();

	if (!mount)
		return ctx.fail(mount.error());
	const auto areas = mount->swap_areas();
	if (!areas)
		return ctx.fail(areas.error());
	return ctx.show(render_list(swap_table(*areas), ctx.style()));
}

int add(Context &ctx, const Arguments &args)
{
	std::vector<itme::SwapArea> added;
	int status = exit_ok;
	auto mount = ctx.mount();

	if (!mount)
		return ctx.fail(mount.error());
	for (const auto &path : args.names) {
		auto area = mount->swap_add({path, args.prio, args.check});
		if (area)
			added.push_back(std::move(*area));
		else
			status = ctx.fail(area.error());
	}
	if (added.empty() && !ctx.json)
		return status;
	const int shown = ctx.show(render_list(swap_table(added), ctx.style()));
	return status ? status : shown;
}

std::string progress_line(itme::Mount &mount, const itme::SwapArea &area)
{
	const auto areas = mount.swap_areas();

	if (!areas)
		return "";
	for (const auto &now : *areas)
		if (now.id == area.id)
			return fmt::format("{}: {} of {} left; Ctrl-C keeps it in use",
					   printable(area.path), itme::format_size(now.used),
					   itme::format_size(area.used));
	return "";
}

itme::Result<void> remove_one(const Context &ctx, itme::Mount &mount, const itme::SwapArea &area)
{
	itme::Result<void> done;

	interruptible(
		ctx.env().progress ? ctx.env().err : nullptr,
		[&] { done = mount.swap_remove(area); },
		[&] { return progress_line(mount, area); });
	return done;
}

int remove(Context &ctx, const Arguments &args)
{
	std::vector<itme::SwapArea> removed;
	int status = exit_ok;
	auto mount = ctx.mount();

	if (!mount)
		return ctx.fail(mount.error());
	const auto areas = mount->swap_areas();
	if (!areas)
		return ctx.fail(areas.error());

	std::vector<itme::SwapArea> wanted;
	if (args.all)
		wanted = *areas;
	for (const auto &name : args.names) {
		const auto found = itme::find_swap(*areas, name);
		if (found)
			wanted.push_back(*found);
		else
			status = ctx.fail({ENOENT, fmt::format("{}: not a swap area; 'itmectl swap "
							       "list' shows them",
							       name)});
	}
	for (const auto &area : wanted) {
		const auto done = remove_one(ctx, *mount, area);
		if (done) {
			removed.push_back(area);
			continue;
		}
		status = ctx.fail(done.error());
		if (done.error().code == EINTR)
			break;
	}
	if (!ctx.json)
		return status;
	const int shown = ctx.show(render_list(swap_table(removed), ctx.style()));
	return status ? status : shown;
}

} // namespace

void add_swap(CLI::App &app, Context &ctx)
{
	CLI::App *swap =
		app.add_subcommand("swap", "Drives for written data that has no place in memory");
	CLI::App *add_sub =
		swap->add_subcommand("add", "Use a device or file that mkswap prepared");
	CLI::App *remove_sub = swap->add_subcommand(
		"remove", "Empty an area and let go of it; Ctrl-C keeps it in use");
	CLI::App *list_sub = swap->add_subcommand("list", "Size, use and traffic of each area");
	auto args = std::make_shared<Arguments>();

	swap->require_subcommand(1);
	swap->fallthrough();
	for (CLI::App *sub : {add_sub, remove_sub, list_sub})
		sub->fallthrough();
	add_sub->add_option("PATH", args->names, "A partition, other block device, or file")
		->required();
	add_sub->add_option("-p,--prio", args->prio,
			    "Those of a higher one are filled first, equal ones in turn; by "
			    "default the lowest")
		->type_name("N")
		->check(CLI::Range(0, ITME_SWAP_PRIO_MAX));
	add_sub->add_flag(
		"--check", args->check,
		"Verify what comes back by CRC32C; an error to the reader if it is wrong");
	CLI::Option *names = remove_sub->add_option(
		"AREA", args->names, "Path or number, as 'itmectl swap list' shows them");
	CLI::Option *all = remove_sub->add_flag("-a,--all", args->all, "All areas");
	names->excludes(all);
	list_sub->callback([&ctx] { ctx.status = list(ctx); });
	add_sub->callback([&ctx, args] { ctx.status = add(ctx, *args); });
	remove_sub->callback([&ctx, args] {
		if (args->names.empty() && !args->all)
			throw CLI::RequiredError("AREA or --all");
		ctx.status = remove(ctx, *args);
	});
}

} // namespace itmectl
