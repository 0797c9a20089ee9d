// SPDX-License-Identifier: GPL-2.0
// itmectl holders
#include "app.hpp"

#include "holders.hpp"

#include <pwd.h>
#include <unistd.h>

namespace itmectl
{
namespace
{

std::string user_name(uid_t uid)
{
	const passwd *account = ::getpwuid(uid);

	return account ? account->pw_name : std::to_string(uid);
}

int holders(Context &ctx)
{
	itme::HolderScan scan;

	scan.magic = ITME_SUPER_MAGIC;
	scan.skip_pid = ::getpid();
	const auto found = itme::find_holders(scan);
	if (!found)
		return ctx.fail(found.error());

	Table table{{{"pid", "PID", Kind::count},
		     {"command", "COMMAND", Kind::text},
		     {"user", "USER", Kind::text},
		     {"kind", "KIND", Kind::text},
		     {"name", "NAME", Kind::text},
		     {"detail", "DETAIL", Kind::text}},
		    {}};
	for (const auto &holder : found->holders)
		table.rows.push_back({static_cast<std::uint64_t>(holder.pid), holder.command,
				      user_name(holder.uid), holder.kind, holder.name,
				      holder.detail});
	if (found->unreadable)
		ctx.warn(
			fmt::format("{} processes cannot be looked into; run it as root to see all",
				    found->unreadable));
	if (table.rows.empty() && !found->unreadable && !ctx.json)
		ctx.warn("nobody holds an itmefs");
	return ctx.show(render_list(table, ctx.style()));
}

} // namespace

void add_holders(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand(
		"holders", "Say who keeps itmefs busy: open files, mappings, mounts elsewhere");

	sub->fallthrough();
	sub->callback([&ctx] { ctx.status = holders(ctx); });
}

} // namespace itmectl
