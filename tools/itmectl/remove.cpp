// SPDX-License-Identifier: GPL-2.0
// itmectl remove
#include "app.hpp"

#include <memory>

namespace itmectl
{
namespace
{

int remove(Context &ctx, const std::vector<std::string> &names)
{
	auto mount = ctx.mount();
	Table table{{{"name", "REMOVED", Kind::text}}, {}};
	int status = exit_ok;

	if (!mount)
		return ctx.fail(mount.error());
	for (const auto &name : names) {
		const auto ret = mount->remove(name);
		if (ret)
			table.rows.push_back({name});
		else
			status = ctx.fail(ret.error());
	}
	if (!ctx.json)
		return status;
	const int shown = ctx.show(render_list(table, ctx.style()));
	return status ? status : shown;
}

} // namespace

void add_remove(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand(
		"remove", "Remove imported files; who has them open or mapped keeps the data");
	auto names = std::make_shared<std::vector<std::string>>();

	sub->fallthrough();
	sub->add_option("NAME", *names, "As 'itmectl list' shows them")->required();
	sub->callback([&ctx, names] { ctx.status = remove(ctx, *names); });
}

} // namespace itmectl
