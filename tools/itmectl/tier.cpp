// SPDX-License-Identifier: GPL-2.0
// itmectl tier list|set
#include "app.hpp"

#include "names.hpp"
#include "size.hpp"

#include <memory>

namespace itmectl
{
namespace
{

Table tier_table(const std::vector<itme::Tier> &tiers)
{
	Table table{{{"tier", "TIER", Kind::text},
		     {"nodes", "NODES", Kind::nodes},
		     {"budget", "BUDGET", Kind::size},
		     {"used", "USED", Kind::size},
		     {"pinned", "PINNED", Kind::size},
		     {"busy", "BUSY", Kind::size},
		     {"capacity", "CAPACITY", Kind::size},
		     {"free", "FREE", Kind::size}},
		    {}};

	for (const auto &tier : tiers)
		table.rows.push_back({itme::tier_name(tier.tier), tier.nodes, tier.budget,
				      tier.used, tier.pinned, tier.busy, tier.capacity, tier.free});
	return table;
}

int list_tiers(Context &ctx)
{
	auto mount = ctx.mount();
	std::vector<itme::Tier> tiers;

	if (!mount)
		return ctx.fail(mount.error());
	for (const auto id : {ITME_TIER_DRAM, ITME_TIER_CXL}) {
		const auto tier = mount->tier(id);
		if (!tier)
			return ctx.fail(tier.error());
		tiers.push_back(*tier);
	}
	return ctx.show(render_list(tier_table(tiers), ctx.style()));
}

int set_tier(Context &ctx, const std::string &name, const std::string &size)
{
	const auto id = itme::parse_tier(name);
	const auto bytes = itme::parse_size(size);

	if (!id || (*id != ITME_TIER_DRAM && *id != ITME_TIER_CXL)) {
		ctx.warn(fmt::format("'{}' has no budget; the tiers are dram and cxl", name));
		return exit_usage;
	}
	if (!bytes) {
		ctx.fail(bytes.error());
		return exit_usage;
	}
	auto mount = ctx.mount();
	if (!mount)
		return ctx.fail(mount.error());
	const auto tier = mount->set_budget(*id, *bytes);
	if (!tier)
		return ctx.fail(tier.error());
	return ctx.show(render_list(tier_table({*tier}), ctx.style()));
}

} // namespace

void add_tier(CLI::App &app, Context &ctx)
{
	CLI::App *tier = app.add_subcommand("tier", "Show or change the memory ITME may hold");
	CLI::App *list = tier->add_subcommand("list", "Nodes, budget and use of each tier");
	CLI::App *set =
		tier->add_subcommand("set", "Change a budget; data above it leaves at once");

	struct Arguments {
		std::string tier;
		std::string size;
	};

	auto args = std::make_shared<Arguments>();

	tier->require_subcommand(1);
	tier->fallthrough();
	list->fallthrough();
	set->fallthrough();
	set->add_option("TIER", args->tier, "dram or cxl")->required();
	set->add_option("SIZE", args->size, "Bytes, or with K, M, G, T; cxl 0 turns it off")
		->required();
	list->callback([&ctx] { ctx.status = list_tiers(ctx); });
	set->callback([&ctx, args] { ctx.status = set_tier(ctx, args->tier, args->size); });
}

} // namespace itmectl
