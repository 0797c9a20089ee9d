// SPDX-License-Identifier: GPL-2.0
// itmectl advise --pid
#include "advise.hpp"

#include "names.hpp"
#include "size.hpp"

#include <limits>

namespace itmectl
{
namespace
{

itme::Result<itme::ProcessAdvice> parse(std::uint32_t pid, const std::string &where,
					const itme::Advice &advice)
{
	itme::ProcessAdvice hint;

	hint.pid = pid;
	hint.advice = advice.advice;
	hint.tier = advice.tier;
	hint.length = advice.range.length;
	if (where == "all") {
		if (hint.length)
			return itme::fail(EINVAL, "--length goes with an address, not with all");
		hint.length = std::numeric_limits<std::uint64_t>::max();
		return hint;
	}
	const auto address = itme::parse_size(where);
	if (!address)
		return itme::fail(EINVAL,
				  "'{}' is not an address; write 0x..., as /proc/{}/maps has it, "
				  "or all",
				  where, pid);
	if (!hint.length)
		return itme::fail(EINVAL, "with an address, give a --length");
	hint.address = *address;
	return hint;
}

} // namespace

int advise_process(Context &ctx, std::uint32_t pid, const std::string &where,
		   const itme::Advice &advice)
{
	const auto hint = parse(pid, where, advice);

	if (!hint) {
		ctx.fail(hint.error());
		return exit_usage;
	}
	auto family = ctx.family();
	if (!family)
		return ctx.fail(family.error());
	const auto done = family->advise(*hint);
	if (!done)
		return ctx.fail(done.error());

	const auto name = itme::advice_name(hint->advice);
	const Table table{
		{{"pid", "PID", Kind::count},
		 {"advice", "ADVICE", Kind::text},
		 {"tier", "TIER", Kind::text},
		 {"address", "ADDRESS", Kind::count},
		 {"length", "LENGTH", Kind::size},
		 {"done", "DONE", Kind::size}},
		{{pid, name, itme::tier_name(hint->tier), hint->address, hint->length, *done}}};
	if (ctx.json || !ctx.columns.empty())
		return ctx.show(render_record(table, ctx.style()));
	ctx.print(fmt::format("{}: {} holds for {}\n", pid, name,
			      ctx.bytes ? std::to_string(*done) : itme::format_size(*done)));
	return exit_ok;
}

} // namespace itmectl
