// SPDX-License-Identifier: GPL-2.0
// itmectl residency
#include "app.hpp"
#include "picture.hpp"

#include "names.hpp"
#include "size.hpp"

#include <memory>
#include <sys/ioctl.h>

namespace itmectl
{
namespace
{

struct Arguments {
	std::string name;
	bool map = false;
	std::size_t width = 0;
	std::vector<std::string> ranges;
};

struct Part {
	std::string label;
	itme::Range range;
};

/// "[LABEL=]OFF:LEN"
itme::Result<Part> parse_part(const std::string &text)
{
	const std::size_t equals = text.rfind('=');
	const std::string numbers = equals == std::string::npos ? text : text.substr(equals + 1);
	const std::size_t colon = numbers.find(':');
	Part part;

	if (colon == std::string::npos)
		return itme::fail(EINVAL, "'{}' is not a range; write OFFSET:LENGTH", text);
	const auto offset = itme::parse_size(numbers.substr(0, colon));
	const auto length = itme::parse_size(numbers.substr(colon + 1));
	if (!offset)
		return tl::unexpected(offset.error());
	if (!length)
		return tl::unexpected(length.error());
	part.label = equals == std::string::npos ? "" : text.substr(0, equals);
	part.range = {*offset, *length};
	return part;
}

/// Chunks of the same kind in a row are one entry.
Json map_json(const itme::Residency &residency)
{
	Json runs = Json::array();

	for (std::size_t i = 0; i < residency.map.size();) {
		std::size_t end = i;
		while (end < residency.map.size() && residency.map[end] == residency.map[i])
			end++;
		Json run = Json::object();
		run["chunk"] = i;
		run["count"] = end - i;
		run["tier"] = itme::tier_name(residency.map[i] & ITME_MAP_TIER_MASK);
		run["flags"] = itme::map_flag_names(residency.map[i]);
		runs.push_back(std::move(run));
		i = end;
	}
	return runs;
}

std::size_t default_width(bool terminal)
{
	winsize size{};

	if (terminal && !::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20)
		return std::min<std::size_t>(size.ws_col - 10U, 128);
	return 64;
}

int residency(Context &ctx, const Arguments &args)
{
	std::vector<Part> parts;

	for (const auto &text : args.ranges) {
		const auto part = parse_part(text);
		if (!part) {
			ctx.fail(part.error());
			return exit_usage;
		}
		parts.push_back(*part);
	}
	if (parts.empty())
		parts.emplace_back();

	auto mount = ctx.mount();
	if (!mount)
		return ctx.fail(mount.error());
	auto file = mount->open(args.name);
	if (!file)
		return ctx.fail(file.error());

	const bool labels = std::any_of(parts.begin(), parts.end(),
					[](const Part &part) { return !part.label.empty(); });
	Table table{{{"name", "NAME", Kind::text},
		     {"label", "LABEL", Kind::text, labels},
		     {"offset", "OFFSET", Kind::size},
		     {"length", "LENGTH", Kind::size},
		     {"dram", "DRAM", Kind::size},
		     {"cxl", "CXL", Kind::size},
		     {"nvme", "NVME", Kind::size},
		     {"large", "LARGE", Kind::size},
		     {"chunk_size", "CHUNK", Kind::size, false},
		     {"chunks", "CHUNKS", Kind::count, false}},
		    {}};
	if (args.map && ctx.json)
		table.columns.push_back({"map", "MAP", Kind::text, false});
	std::string pictures;
	for (const auto &part : parts) {
		const auto where = file->residency(part.range, args.map);
		if (!where)
			return ctx.fail(where.error());
		table.rows.push_back({args.name, part.label, where->offset, where->length,
				      where->bytes[ITME_TIER_DRAM], where->bytes[ITME_TIER_CXL],
				      where->bytes[ITME_TIER_NVME], where->large, where->chunk_size,
				      where->chunks});
		if (args.map && ctx.json)
			table.rows.back().push_back(map_json(*where));
		else if (args.map)
			pictures += "\n" + draw_map(*where,
						    args.width ? args.width
							       : default_width(ctx.env().color),
						    ctx.env().color);
	}
	// Without --by-range it is one thing: one object.
	const bool one = args.ranges.empty() && ctx.json;
	const int status =
		ctx.show(one ? render_record(table, ctx.style()) : render_list(table, ctx.style()));
	if (status == exit_ok)
		ctx.print(pictures);
	return status;
}

} // namespace

void add_residency(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand("residency", "Show on which tiers a file lies");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("NAME", args->name, "As 'itmectl list' shows it")->required();
	sub->add_flag("--map", args->map, "Draw the file chunk by chunk (JSON: runs of chunks)");
	sub->add_option("--width", args->width, "Chunks in a row of the drawing")
		->type_name("N")
		->check(CLI::Range(1, 4096));
	sub->add_option("--by-range", args->ranges,
			"A line for each range; may be given many times")
		->type_name("[LABEL=]OFF:LEN")
		->allow_extra_args(false);
	sub->callback([&ctx, args] { ctx.status = residency(ctx, *args); });
}

} // namespace itmectl
