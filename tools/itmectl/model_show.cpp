// SPDX-License-Identifier: GPL-2.0
// itmectl model show
#include "models.hpp"

#include "model/bound.hpp"
#include "model/measure.hpp"
#include "names.hpp"
#include "size.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace itmectl
{
namespace
{

constexpr std::array all_tiers{ITME_TIER_DRAM, ITME_TIER_CXL, ITME_TIER_NVME};

struct Arguments {
	std::string path;
	bool tensors = false;
	bool measure = false;
	/// By tier; of NVMe there is no budget.
	std::array<std::string, ITME_TIER_NR> budget;
	std::array<std::string, ITME_TIER_NR> speed;
};

/// What there is to put a model into, and how fast it is.
struct Machine {
	std::array<std::optional<std::uint64_t>, ITME_TIER_NR> budgets;
	std::array<std::vector<int>, ITME_TIER_NR> nodes;
	itme::Bandwidths bandwidths;

	bool known() const { return budgets[ITME_TIER_DRAM].has_value(); }
};

itme::Result<Machine> told(const Arguments &args)
{
	Machine machine;

	for (const auto tier : all_tiers)
		for (auto [text, to] :
		     {std::pair{&args.budget.at(tier), &machine.budgets.at(tier)},
		      std::pair{&args.speed.at(tier), &machine.bandwidths.at(tier)}}) {
			if (text->empty())
				continue;
			const auto size = itme::parse_size(*text);
			if (!size)
				return tl::unexpected(size.error());
			*to = *size;
		}
	if (machine.known() && !machine.budgets[ITME_TIER_CXL])
		machine.budgets[ITME_TIER_CXL] = 0;
	return machine;
}

/// What was not told is asked from the mount, if there is one.
void ask_mount(Context &ctx, Machine &machine)
{
	auto mount = ctx.mount();

	if (!mount)
		return;
	for (const auto tier : {ITME_TIER_DRAM, ITME_TIER_CXL}) {
		const auto now = mount->tier(tier);
		if (!now)
			return;
		machine.nodes.at(tier) = now->nodes;
		if (!machine.budgets.at(tier))
			machine.budgets.at(tier) = now->budget;
	}
}

itme::Result<void> measure(const itme::Model &model, Machine &machine)
{
	auto &bandwidths = machine.bandwidths;
	const auto largest =
		std::max_element(model.files.begin(), model.files.end(),
				 [](const auto &a, const auto &b) { return a.size < b.size; });

	for (const auto tier : all_tiers) {
		const bool unused = tier == ITME_TIER_CXL &&
				    (machine.nodes.at(tier).empty() || !machine.budgets.at(tier));
		if (bandwidths.at(tier) || unused)
			continue;
		const auto &nodes = machine.nodes.at(tier);
		const auto speed =
			tier == ITME_TIER_NVME
				? itme::measure_file(largest->path)
				: itme::measure_memory(nodes.empty() ? std::nullopt
								     : std::optional(nodes[0]));
		if (!speed)
			return tl::unexpected(speed.error());
		bandwidths.at(tier) = *speed;
	}
	return {};
}

Table head_table(const itme::Model &model)
{
	Table table{{{"name", "NAME", Kind::text},
		     {"format", "FORMAT", Kind::text},
		     {"architecture", "ARCHITECTURE", Kind::text},
		     {"files", "FILES", Kind::count},
		     {"tensors", "TENSORS", Kind::count},
		     {"layers", "LAYERS", Kind::count},
		     {"experts", "EXPERTS", Kind::count},
		     {"experts_used", "EXPERTS-USED", Kind::count},
		     {"tied", "TIED", Kind::text},
		     {"bytes", "SIZE", Kind::size},
		     {"per_token", "PER-TOKEN", Kind::size}},
		    {}};
	std::uint64_t bytes = 0;
	std::uint64_t per_token = 0;

	for (const auto &tensor : model.tensors) {
		bytes += tensor.size;
		per_token += tensor.per_token;
	}
	table.rows.push_back({model.files.front().name, itme::format_name(model.format),
			      model.architecture, model.files.size(), model.tensors.size(),
			      model.layers, model.expert_count, model.expert_used, model.tied,
			      bytes, per_token});
	return table;
}

/// In the order of use: what comes before the layers, each layer, what comes after.
Table layer_table(const itme::Model &model)
{
	Table table{{{"layer", "LAYER", Kind::text},
		     {"files", "FILES", Kind::text, model.files.size() > 1},
		     {"offset", "OFFSET", Kind::size},
		     {"bytes", "SIZE", Kind::size},
		     {"per_token", "PER-TOKEN", Kind::size},
		     {"attention", "ATTENTION", Kind::size},
		     {"ffn", "FFN", Kind::size},
		     {"experts", "EXPERTS", Kind::size},
		     {"other", "OTHER", Kind::size},
		     {"tensors", "TENSORS", Kind::count}},
		    {}};
	const auto name = [](const itme::Tensor &tensor) -> std::string {
		if (tensor.use == itme::Use::never)
			return "not used";
		if (tensor.layer)
			return std::to_string(*tensor.layer);
		return std::string(role_name(tensor.role));
	};

	for (std::size_t i = 0; i < model.tensors.size();) {
		const std::string group = name(model.tensors[i]);
		std::uint64_t offset = model.tensors[i].offset;
		std::uint64_t bytes = 0;
		std::uint64_t per_token = 0;
		std::array<std::uint64_t, 4> parts{};
		std::vector<std::uint32_t> files;
		std::size_t end = i;
		for (; end < model.tensors.size() && name(model.tensors[end]) == group; end++) {
			const auto &tensor = model.tensors[end];
			const std::size_t part = tensor.role == itme::Role::attention ? 0
						 : tensor.role == itme::Role::ffn     ? 1
						 : tensor.role == itme::Role::expert  ? 2
										      : 3;
			parts.at(part) += tensor.size;
			bytes += tensor.size;
			per_token += tensor.per_token;
			offset = std::min(offset, tensor.offset);
			if (files.empty() || files.back() != tensor.file)
				files.push_back(tensor.file);
		}
		std::sort(files.begin(), files.end());
		files.erase(std::unique(files.begin(), files.end()), files.end());
		Json names = Json::array();
		for (const auto file : files)
			names.push_back(model.files.at(file).name);
		table.rows.push_back({group, names, offset, bytes, per_token, parts[0], parts[1],
				      parts[2], parts[3], end - i});
		i = end;
	}
	return table;
}

Table tensor_table(const itme::Model &model)
{
	Table table{{{"name", "NAME", Kind::text},
		     {"layer", "LAYER", Kind::count},
		     {"role", "ROLE", Kind::text},
		     {"use", "USE", Kind::text},
		     {"type", "TYPE", Kind::text},
		     {"file", "FILE", Kind::text, model.files.size() > 1},
		     {"offset", "OFFSET", Kind::size},
		     {"bytes", "SIZE", Kind::size},
		     {"per_token", "PER-TOKEN", Kind::size},
		     {"experts", "EXPERTS", Kind::count, false},
		     {"stride", "STRIDE", Kind::size, false}},
		    {}};

	for (const auto &tensor : model.tensors) {
		const auto &experts = tensor.experts;
		table.rows.push_back({tensor.name, tensor.layer ? Json(*tensor.layer) : Json(),
				      role_name(tensor.role), use_name(tensor.use), tensor.type,
				      model.files.at(tensor.file).name, tensor.offset, tensor.size,
				      tensor.per_token, experts ? Json(experts->count) : Json(),
				      experts ? Json(experts->stride) : Json()});
	}
	return table;
}

Table tier_table(const Machine &machine, const itme::ModelPlacement &placement)
{
	Table table{{{"tier", "TIER", Kind::text},
		     {"budget", "BUDGET", Kind::size},
		     {"holds", "HOLDS", Kind::size},
		     {"per_token", "PER-TOKEN", Kind::size},
		     {"bandwidth", "BANDWIDTH", Kind::size}},
		    {}};
	const auto cell = [](const std::optional<std::uint64_t> &value) {
		return value ? Json(*value) : Json();
	};

	for (const auto tier : all_tiers)
		table.rows.push_back({itme::tier_name(tier), cell(machine.budgets.at(tier)),
				      placement.at(tier).holds, placement.at(tier).per_token,
				      cell(machine.bandwidths.at(tier))});
	return table;
}

/// "NVMe 0.0121 s (1.2G at 100G/s), memory ..."
std::string arithmetic(const itme::ModelPlacement &placement, const itme::Bandwidths &speed,
		       const itme::TokenTime &time)
{
	const auto part = [&](itme_tier tier, std::uint64_t bytes) {
		return fmt::format("{} at {}/s", itme::format_size(bytes),
				   itme::format_size(speed.at(tier).value_or(0)));
	};
	const std::uint64_t nvme = placement[ITME_TIER_NVME].per_token;
	const std::uint64_t cxl = placement[ITME_TIER_CXL].per_token;
	std::string text =
		fmt::format("memory {:.6f} s: {} from DRAM", time.memory,
			    part(ITME_TIER_DRAM, placement[ITME_TIER_DRAM].per_token + nvme));

	if (cxl)
		text += fmt::format(", {} from CXL", part(ITME_TIER_CXL, cxl));
	if (nvme)
		text += fmt::format("\ndrive  {:.6f} s: {}", time.drive,
				    part(ITME_TIER_NVME, nvme));
	return text;
}

/// What fits, and the bound; as text, or into the object.
std::string tiers_text(const Machine &machine, const itme::Model &model, const Style &style,
		       Table &head)
{
	if (!machine.known())
		return style.json ? ""
				  : "\nNo itmefs is mounted: give --dram and --cxl to see what "
				    "fits.\n";
	const auto placement = itme::place_model(model, *machine.budgets[ITME_TIER_DRAM],
						 machine.budgets[ITME_TIER_CXL].value_or(0));
	const auto time = itme::token_time(placement, machine.bandwidths);
	const double bound = time ? time->bound() : 0;
	Style plain = style;

	plain.columns.clear();
	const auto tiers = render_list(tier_table(machine, placement), plain);
	if (style.json) {
		head.columns.push_back({"tier_list", "TIER-LIST", Kind::text});
		head.rows[0].push_back(Json::parse(*tiers));
		head.columns.push_back({"tokens_per_second", "TOKENS/S", Kind::count});
		head.rows[0].push_back(bound > 0 ? Json(1 / bound) : Json());
		return "";
	}
	if (bound <= 0)
		return fmt::format("\n{}\nGive --nvme-bps, --dram-bps and --cxl-bps, or --measure, "
				   "for tokens a second.\n",
				   *tiers);
	return fmt::format("\n{}\nAt most {:.2f} tokens/s, the longer of:\n{}\n", *tiers, 1 / bound,
			   arithmetic(placement, machine.bandwidths, *time));
}

int show(Context &ctx, const Arguments &args)
{
	auto machine = told(args);
	if (!machine) {
		ctx.fail(machine.error());
		return exit_usage;
	}
	const auto model = itme::read_model(args.path);
	if (!model)
		return ctx.fail(model.error());
	const Table list = args.tensors ? tensor_table(*model) : layer_table(*model);
	// Columns are those of the list.
	if (!ctx.columns.empty())
		return ctx.show(render_list(list, ctx.style()));
	ask_mount(ctx, *machine);
	if (args.measure)
		if (const auto ret = measure(*model, *machine); !ret)
			return ctx.fail(ret.error());

	Table head = head_table(*model);
	const auto tiers = tiers_text(*machine, *model, ctx.style(), head);
	const auto rows = render_list(list, ctx.style());
	if (ctx.json) {
		const char *key = args.tensors ? "tensor_list" : "layer_list";
		head.columns.push_back({key, "LIST", Kind::text});
		head.rows[0].push_back(Json::parse(*rows));
		return ctx.show(render_record(head, ctx.style()));
	}
	if (const int status = ctx.show(render_record(head, ctx.style())); status)
		return status;
	ctx.print("\n" + *rows + tiers);
	if (model->expert_count && !model->expert_used)
		ctx.warn("how many experts a token uses is not known: all of them are counted");
	return exit_ok;
}

} // namespace

void add_model_show(CLI::App &model, Context &ctx)
{
	CLI::App *sub = model.add_subcommand(
		"show", "Layers and sizes in the order of use, what fits where, how fast at best");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("MODEL", args->path, "A file of it, or its directory")->required();
	sub->add_flag("--tensors", args->tensors, "List tensors instead of layers");
	sub->add_option("--dram", args->budget[ITME_TIER_DRAM],
			"Size of the tier (default: the mount's budget)")
		->type_name("SIZE");
	sub->add_option("--cxl", args->budget[ITME_TIER_CXL], "The same of CXL memory")
		->type_name("SIZE");
	sub->add_option("--dram-bps", args->speed[ITME_TIER_DRAM], "Bytes a second from DRAM")
		->type_name("SIZE");
	sub->add_option("--cxl-bps", args->speed[ITME_TIER_CXL], "The same of CXL memory")
		->type_name("SIZE");
	sub->add_option("--nvme-bps", args->speed[ITME_TIER_NVME], "The same of the drive")
		->type_name("SIZE");
	sub->add_flag("--measure", args->measure,
		      "Measure what is not given: reads memory, and the file past the page cache");
	sub->callback([&ctx, args] { ctx.status = show(ctx, *args); });
}

} // namespace itmectl
