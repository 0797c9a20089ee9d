// SPDX-License-Identifier: GPL-2.0
// The keeper: stages of a plan that nobody uses.
#include "keeper.hpp"

#include "printable.hpp"

#include <algorithm>
#include <cerrno>
#include <spdlog/spdlog.h>

namespace itmed
{
namespace
{

/// So many passes after a stage was taken out it is not expected back.
constexpr std::uint64_t probe_passes = 3;

itme::Result<itme::File> open_part(const Model &model, std::uint32_t object, itme::Mount &mount)
{
	const auto at = std::find_if(model.have.begin(), model.have.end(), [&](const auto &part) {
		return part.second.info.id == object;
	});

	if (at == model.have.end())
		return itme::fail(ENOENT, "no such part");
	return mount.open(at->second.info.name);
}

/// Nothing of it is in memory but what was read ahead and not used since.
bool is_out(const Model &model, std::size_t stage, itme::Mount &mount)
{
	const auto &ranges = model.full.stages.at(stage);

	return std::all_of(ranges.begin(), ranges.end(), [&](const auto &range) {
		auto file = open_part(model, range.object, mount);
		if (!file)
			return false;
		const auto where = file->residency({range.offset, range.length}, true);
		return where &&
		       std::all_of(where->map.begin(), where->map.end(), [](std::uint8_t chunk) {
			       return (chunk & ITME_MAP_TIER_MASK) == ITME_TIER_NVME ||
				      chunk & ITME_MAP_PREFETCHED;
		       });
	});
}

void page_out(const Model &model, std::size_t stage, itme::Mount &mount)
{
	for (const auto &range : model.full.stages.at(stage))
		if (auto file = open_part(model, range.object, mount))
			(void)file->advise({ITME_ADVICE_PAGEOUT,
					    ITME_TIER_NVME,
					    {range.offset, range.length}});
}

std::uint64_t bytes_of(const Model &model, std::size_t stage)
{
	std::uint64_t bytes = 0;

	for (const auto &range : model.full.stages.at(stage))
		bytes += range.length;
	return bytes;
}

/// Taken out in vain it has to be read again.
std::size_t smallest(const Model &model, const std::vector<std::size_t> &stages)
{
	return *std::min_element(stages.begin(), stages.end(), [&](std::size_t a, std::size_t b) {
		return bytes_of(model, a) < bytes_of(model, b);
	});
}

} // namespace

/// Stages that are not used on this machine are left out: layers that run elsewhere, weights that
/// the engine has copied. Of those in memory nobody can tell, so one of them is taken out first: if
/// it is not read again, the others are not used, either.
void Keeper::reduce(Model &model)
{
	auto mount = outside_.open_mount(config_.mount);
	auto unused = model.judge.rarely_entered();
	std::vector<std::size_t> resident;

	if (!mount)
		return;
	for (std::size_t i = 0; i < unused.size(); i++)
		if (unused[i] && !is_out(model, i, *mount))
			resident.push_back(i);
	if (!model.probe && !resident.empty()) {
		const auto stage = smallest(model, resident);
		model.probe = Probe{stage, model.judge.entries(stage), model.info.passes};
		page_out(model, stage, *mount);
		return;
	}
	bool gone = false;
	if (model.probe) {
		const bool back = model.judge.entries(model.probe->stage) != model.probe->entries ||
				  !is_out(model, model.probe->stage, *mount);
		if (!back && model.info.passes < model.probe->passes + probe_passes)
			return;
		gone = !back;
	}
	for (const auto stage : resident) {
		unused[stage] = gone;
		if (gone)
			page_out(model, stage, *mount);
	}
	const auto nr = static_cast<std::size_t>(std::count(unused.begin(), unused.end(), true));
	const auto empty = static_cast<std::size_t>(
		std::count_if(model.full.stages.begin(), model.full.stages.end(),
			      [](const auto &stage) { return stage.empty(); }));
	if (nr <= empty || nr == unused.size()) {
		model.judge.conclude();
		return;
	}
	if (!install(model, unused))
		return;
	model.note = fmt::format("{} of {} stages are not used on this machine", nr, unused.size());
	spdlog::info("{}: {}", printable(model.name), model.note);
}

} // namespace itmed
