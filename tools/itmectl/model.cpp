// SPDX-License-Identifier: GPL-2.0
// itmectl model
#include "models.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <utility>

namespace itmectl
{
namespace
{

constexpr std::size_t plan_name_max = 63;

} // namespace

std::uint64_t chunk_of(itme::Mount &mount, const std::string &path,
		       std::optional<itme::Model> &last)
{
	struct stat st {
	};

	if (::stat(path.c_str(), &st) || !S_ISREG(st.st_mode))
		return 0;
	if (!last || std::none_of(last->files.begin(), last->files.end(), [&](const auto &file) {
		    return file.ino == st.st_ino && file.dev == st.st_dev;
	    })) {
		auto model = itme::read_model(path);
		last = model ? std::optional(std::move(*model)) : std::nullopt;
	}
	if (!last)
		return 0;
	const std::uint64_t chunk = itme::chunk_for(*last);
	const auto dram = mount.tier(ITME_TIER_DRAM);
	return dram ? itme::chunk_within(chunk, dram->budget) : chunk;
}

itme::Result<std::uint64_t> name_imported(itme::Mount &mount, itme::Model &model)
{
	std::uint64_t chunk = 0;

	for (auto &file : model.files) {
		const auto object = mount.find_import(file.path);
		if (!object)
			return tl::unexpected(object.error());
		if (!*object)
			return itme::fail(ENOENT, "{} is not imported; 'itmectl import' does it",
					  file.path);
		file.name = (*object)->name;
		chunk = std::max<std::uint64_t>(chunk, (*object)->chunk_size);
	}
	return chunk;
}

std::string plan_name(const itme::Model &model)
{
	std::string name = model.files.front().name;
	const std::size_t dot = name.rfind('.');

	if (dot != std::string::npos && dot)
		name.resize(dot);
	if (name.size() <= plan_name_max)
		return name;
	// Not in the middle of a character.
	std::size_t end = plan_name_max;
	while (end && (name[end] & 0xc0) == 0x80)
		end--;
	name.resize(end);
	return name;
}

void warn_left_out(const Context &ctx, const itme::ModelPlan &plan)
{
	if (plan.left_out)
		ctx.warn(fmt::format("{} experts are left out: more triggers than a plan may have",
				     plan.left_out));
}

void add_model(CLI::App &app, Context &ctx)
{
	CLI::App *model = app.add_subcommand(
		"model", "Look into a model's files: what is used in which order");

	model->require_subcommand(1);
	model->fallthrough();
	add_model_show(*model, ctx);
	add_model_plan(*model, ctx);
}

} // namespace itmectl
