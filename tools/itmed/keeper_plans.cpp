// SPDX-License-Identifier: GPL-2.0
// The keeper: plans are made, watched, and let go.
#include "keeper.hpp"

#include "printable.hpp"
#include "shares.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <spdlog/spdlog.h>

namespace itmed
{
namespace
{

constexpr std::string_view prefix = "itmed:";
constexpr std::size_t plan_name_max = 63;
/// Chunks that somebody waited for, after which what was left alone is used again.
constexpr std::uint64_t used_again = 4;
constexpr std::int64_t day = 86'400;

/// By this name a plan of ours is known after a restart.
std::string plan_name(const Model &model)
{
	return (std::string(prefix) + model.name).substr(0, plan_name_max);
}

std::vector<KeptFile> kept_files(const Model &model)
{
	std::vector<KeptFile> files;

	for (const auto &[number, part] : model.have)
		files.push_back({part.info.name, part.identity});
	return files;
}

itme::PlanSpec spec_of(const itme::Plan &plan)
{
	itme::PlanSpec spec{plan.info.name,   plan.info.cyclic, plan.info.lookahead,
			    plan.info.budget, plan.stages,	plan.triggers};

	// Files that are gone leave ranges without a length.
	for (auto &stage : spec.stages)
		std::erase_if(stage, [](const auto &range) { return !range.length; });
	for (auto &trigger : spec.triggers)
		std::erase_if(trigger.targets, [](const auto &range) { return !range.length; });
	std::erase_if(spec.triggers, [](const auto &trigger) {
		return !trigger.source.length || trigger.targets.empty();
	});
	return spec;
}

/// The stages of one that another one lacks; empty: none.
std::vector<bool> missing(const itme::PlanSpec &from, const itme::PlanSpec &in)
{
	std::vector<bool> stages(from.stages.size());

	for (std::size_t i = 0; i < stages.size(); i++)
		stages[i] =
			!from.stages[i].empty() && (i >= in.stages.size() || in.stages[i].empty());
	if (std::find(stages.begin(), stages.end(), true) == stages.end())
		stages.clear();
	return stages;
}

/// Budgets that differ by less are not worth to set a plan anew.
bool about_equal(std::uint64_t a, std::uint64_t b)
{
	constexpr std::uint64_t part = 20;

	return (a == 0) == (b == 0) && std::max(a, b) - std::min(a, b) <= std::max(a, b) / part;
}

} // namespace

Record *Keeper::find_record(const Model &model)
{
	std::vector<FileIdentity> identities;

	for (const auto &[number, part] : model.have)
		identities.push_back(part.identity);
	return state_.find(identities);
}

Record &Keeper::record_of(const Model &model)
{
	Record &record = state_.at(kept_files(model));

	record.day = ::time(nullptr) / day;
	changed_ = true;
	return record;
}

const std::set<std::uint32_t> &Keeper::members(const itme::PlanInfo &plan)
{
	const std::pair key{plan.id, plan.bytes + plan.triggers};
	const auto known = members_.find(key);

	if (known != members_.end())
		return known->second;
	auto &members = members_[key];
	if (const auto whole = family_->plan(plan.id)) {
		for (const auto &stage : whole->stages)
			for (const auto &range : stage)
				members.insert(range.object);
		for (const auto &trigger : whole->triggers) {
			members.insert(trigger.source.object);
			for (const auto &target : trigger.targets)
				members.insert(target.object);
		}
	}
	return members;
}

/// What has become of ours, and whether somebody else has set one.
void Keeper::find_plans(const Plans &plans)
{
	std::set<std::uint32_t> ours;
	std::set<std::uint32_t> theirs;
	std::set<std::pair<std::uint32_t, std::uint64_t>> there;

	for (const auto &[name, model] : models_)
		if (model.plan)
			ours.insert(model.plan);
	for (const auto &plan : plans) {
		there.insert({plan.id, plan.bytes + plan.triggers});
		if (plan.pid || ours.contains(plan.id) || plan.name.starts_with(prefix))
			continue;
		const auto &named = members(plan);
		theirs.insert(named.begin(), named.end());
	}
	std::erase_if(members_, [&](const auto &entry) { return !there.contains(entry.first); });
	for (auto &[name, entry] : models_) {
		Model &model = entry;
		const auto at = std::find_if(plans.begin(), plans.end(), [&](const auto &plan) {
			return model.plan && plan.id == model.plan;
		});
		if (model.plan && at == plans.end()) {
			model.plan = 0;
			model.phase = Phase::off;
			model.note = "somebody has deleted its plan; it is left alone";
		} else if (model.plan) {
			model.info = *at;
		}
		const bool taken =
			std::any_of(model.have.begin(), model.have.end(), [&](const auto &part) {
				return theirs.contains(part.second.info.id);
			});
		if (taken && model.phase != Phase::manual && model.phase != Phase::off) {
			remove_plan(model);
			model.phase = Phase::manual;
			model.note = "somebody else has set a plan";
		} else if (!taken && model.phase == Phase::manual) {
			model.phase = Phase::waiting;
			model.note.clear();
		}
	}
}

/// After a restart: the plan that we set before is there still, and so is what was seen.
void Keeper::adopt(Model &model, const Plans &plans)
{
	const auto files = files_of(model);
	const Record *record = find_record(model);

	if (record && record->holder.boot == outside_.boot &&
	    record->holder.object == model.have.begin()->second.info.id &&
	    model.have.begin()->second.info.flags & ITME_OBJECT_MAPPED) {
		model.cgroup = record->holder.cgroup;
		model.rule = rule_for(config_, model.have.begin()->second.path, model.cgroup);
	}
	for (const auto &info : plans) {
		if (info.pid || info.name != plan_name(model))
			continue;
		const auto plan = family_->plan(info.id);
		if (!plan || !names_only(*plan, files))
			continue;
		model.plan = info.id;
		model.info = info;
		model.full = spec_of(*plan);
		if (record) {
			model.origin = record->origin;
			model.architecture = record->plan ? record->plan->name : "";
			auto kept = record->plan ? number_plan(*record->plan, files)
						 : itme::fail(ENOENT, "none");
			// It may have been reduced: a stage that is left out keeps its number.
			if (kept && kept->stages.size() >= model.full.stages.size()) {
				model.left_out = missing(*kept, model.full);
				model.full = std::move(*kept);
			}
		} else {
			record_of(model).plan = name_ranges(model.full, files);
		}
		model.probe.reset();
		model.judge.begin(model.full.stages.size(), !model.left_out.empty());
		spdlog::info("{}: has its plan {} still", printable(model.name), info.id);
		return;
	}
}

/// Plans of ours of models that are gone, and those of an earlier run that nobody has adopted.
void Keeper::drop_strays(const Plans &plans)
{
	std::set<std::uint32_t> ours;
	std::set<std::uint32_t> objects;

	for (const auto &[name, model] : models_) {
		ours.insert(model.plan);
		for (const auto &[number, part] : model.have)
			objects.insert(part.info.id);
	}
	for (const auto &plan : plans) {
		if (plan.pid || ours.contains(plan.id) || !plan.name.starts_with(prefix))
			continue;
		// That of a file that was removed while somebody uses it goes with the file.
		const auto &named = members(plan);
		if (std::any_of(named.begin(), named.end(),
				[&](auto object) { return objects.contains(object); }))
			(void)family_->delete_plan(plan.id);
	}
}

void Keeper::remove_plan(Model &model)
{
	if (model.plan)
		(void)family_->delete_plan(model.plan);
	model.plan = 0;
	model.left_out.clear();
	model.sample.reset();
}

bool Keeper::install(Model &model, std::vector<bool> left_out)
{
	itme::PlanSpec spec = without(model.full, left_out);

	spec.name = plan_name(model);
	spec.lookahead = model.rule.lookahead;
	if (!model.plan)
		spec.budget = model.rule.dram;
	else
		spec.budget = model.info.budget;
	const auto id = family_->set_plan(spec, model.plan);
	if (!id) {
		// Somebody may have deleted it since we have looked.
		model.plan = 0;
		model.phase = Phase::off;
		model.note = id.error().message;
		spdlog::warn("{}: {}", printable(model.name), printable(model.note));
		return false;
	}
	// With another budget alone it is the one that has been watched so far.
	if (!model.plan || model.phase != Phase::planned || model.left_out != left_out) {
		model.probe.reset();
		model.judge.begin(spec.stages.size(), !left_out.empty());
	}
	model.plan = *id;
	model.info.budget = spec.budget;
	model.info.bytes = 0;
	model.left_out = std::move(left_out);
	model.phase = Phase::planned;
	model.sample.reset();
	return true;
}

/// What is known of it from an earlier time.
bool Keeper::from_record(Model &model)
{
	Record *record = find_record(model);

	if (!record || !record->plan || model.rule.plan == PlanFrom::header ||
	    (model.rule.plan == PlanFrom::learned && record->origin != Origin::learned))
		return false;
	// By identity they are the same files; their names may be others.
	const auto files = kept_files(model);
	if (record->files != files)
		return false;
	// Its ranges are of whole chunks, as they were then.
	if (record->origin == Origin::header &&
	    record->chunk != model.have.begin()->second.info.chunk_size)
		return false;
	auto spec = number_plan(*record->plan, files_of(model));
	if (!spec)
		return false;
	model.full = std::move(*spec);
	model.origin = record->origin;
	model.architecture = record->plan->name;
	if (record->unused && model.in_use && record->holder.boot == outside_.boot) {
		model.phase = Phase::unused;
		model.note = "was read once and is not used any more";
		return true;
	}
	return install(model);
}

/// A model that is whole and has no plan yet, or needs another one.
void Keeper::advance(Model &model)
{
	if (model.phase == Phase::manual)
		return;
	model.note.clear();
	if (model.rule.plan == PlanFrom::none) {
		remove_plan(model);
		model.phase = Phase::off;
		model.note = "so says a rule";
		return;
	}
	if (model.plan) {
		model.phase = Phase::planned;
		return;
	}
	if (from_record(model))
		return;
	const Record *record = find_record(model);
	const bool wrong = record && record->wrong_header;
	if (model.rule.plan == PlanFrom::learned ||
	    (wrong && model.rule.plan == PlanFrom::automatic)) {
		model.phase = Phase::learning;
		model.note = wrong ? "it is used in another order than its header says" : "";
		return;
	}
	model.phase = Phase::reading;
}

void Keeper::parsed(const std::string &name, itme::Result<ParsedModel> result)
{
	const auto at = models_.find(name);

	if (!family_ || at == models_.end() || at->second.phase != Phase::reading)
		return;
	Model &model = at->second;
	if (result) {
		auto spec = number_plan(result->plan, files_of(model));
		if (spec) {
			model.architecture = result->architecture;
			model.full = std::move(*spec);
			model.origin = Origin::header;
			if (!install(model))
				return;
			Record &record = record_of(model);
			record.origin = Origin::header;
			record.chunk = model.have.begin()->second.info.chunk_size;
			record.plan = std::move(result->plan);
			record.plan->name = model.architecture.substr(0, plan_name_max);
			spdlog::info("{}: plan {} from its header: {} stages, {} triggers",
				     printable(name), model.plan, model.full.stages.size(),
				     model.full.triggers.size());
			rebalance();
			return;
		}
		result = tl::unexpected(spec.error());
	}
	model.phase = Phase::learning;
	model.note = printable(result.error().message);
	spdlog::info("{}: no plan from its header: {}; it is to be learned", printable(name),
		     model.note);
}

/// The kernel has learned one, and it has fitted for a pass: from now on it stays.
void Keeper::keep_learned(Model &model, const Plans &plans)
{
	const auto files = files_of(model);

	for (const auto &info : plans) {
		if (!info.pid || !info.passes || !info.cyclic)
			continue;
		const auto &named = members(info);
		const bool ours =
			!named.empty() && std::all_of(named.begin(), named.end(), [&](auto object) {
				return std::any_of(
					files.begin(), files.end(),
					[&](const auto &file) { return file.object == object; });
			});
		if (!ours)
			continue;
		const auto plan = family_->plan(info.id);
		if (!plan || !plan->info.pid)
			continue;
		model.full = spec_of(*plan);
		model.origin = Origin::learned;
		model.plan = info.id;
		model.info.budget = model.rule.dram;
		if (!install(model))
			return;
		model.note = "learned from what was touched";
		if (model.useless)
			return;
		Record &record = record_of(model);
		record.origin = Origin::learned;
		record.plan = name_ranges(model.full, files);
		record.plan->name = model.architecture.substr(0, plan_name_max);
		spdlog::info("{}: plan {} was learned from process {}, and is kept",
			     printable(model.name), info.id, *info.pid);
		return;
	}
}

itme::Result<Sample> Keeper::sample(const Model &model, std::uint64_t now)
{
	Sample sample;

	sample.now = now;
	sample.jumps = model.info.jumps;
	sample.passes = model.info.passes;
	sample.planned = model.info.bytes;
	for (const auto &[number, part] : model.have) {
		const auto stats = family_->stats(part.info.id);
		if (!stats)
			return tl::unexpected(stats.error());
		const std::uint64_t chunk = std::max(part.info.chunk_size, 1U);
		sample.fills += stats->read_bytes / chunk;
		sample.demanded += stats->demand_bytes / chunk;
		sample.shortages += stats->alloc_fails + stats->hints_dropped;
		sample.used += stats->prefetch_used_bytes + stats->prefetch_late_bytes;
		sample.in_memory += part.info.dram + part.info.cxl;
	}
	return sample;
}

void Keeper::watch(Model &model, std::uint64_t now)
{
	if (!model.in_use || (model.phase != Phase::planned && model.phase != Phase::unused))
		return;
	const auto taken = sample(model, now);
	if (!taken)
		return;
	if (model.phase == Phase::unused) {
		if (!model.sample || taken->demanded < model.sample->demanded)
			model.sample = *taken;
		if (taken->demanded - model.sample->demanded < used_again)
			return;
		spdlog::info("{}: is used again", printable(model.name));
		model.note.clear();
		record_of(model).unused = false;
		install(model);
		return;
	}
	model.sample = *taken;
	act(model, model.judge.look(
			   *taken, {static_cast<std::uint64_t>(
					    std::chrono::nanoseconds(config_.watch.unused).count()),
				    config_.watch.wrong}));
}

void Keeper::act(Model &model, Verdict verdict)
{
	switch (verdict) {
	case Verdict::fits:
		return;
	case Verdict::partial:
		if (model.keep_full)
			model.judge.conclude();
		else if (model.left_out.empty())
			reduce(model);
		return;
	case Verdict::outgrown:
		model.keep_full = true;
		model.note = "all of its plan is used after all";
		spdlog::info("{}: {}", printable(model.name), model.note);
		install(model);
		return;
	case Verdict::unused: {
		const auto sample = model.sample;
		remove_plan(model);
		model.phase = Phase::unused;
		model.sample = sample;
		model.note = "was read once and is not used any more";
		spdlog::info("{}: {}; its plan goes", printable(model.name), model.note);
		record_of(model).unused = true;
		// Without it the state would be of no use after a restart.
		record_of(model).holder.boot = outside_.boot;
		return;
	}
	case Verdict::useless:
		// Who comes next may use all of it: its header is not wrong for that.
		if (model.origin != Origin::header || model.rule.plan == PlanFrom::header)
			return;
		remove_plan(model);
		model.phase = Phase::learning;
		model.useless = true;
		model.note =
			"hardly anything that is used now is what its header's plan reads ahead";
		spdlog::info("{}: {}; its order is learned", printable(model.name), model.note);
		return;
	case Verdict::wrong:
		if (model.rule.plan == PlanFrom::header) {
			model.note = "is not used as its header says, but a rule wants that plan";
			return;
		}
		remove_plan(model);
		model.phase = Phase::learning;
		model.note = model.origin == Origin::header
				     ? "it is used in another order than its header says"
				     : "it is used in another order than was learned";
		spdlog::info("{}: {}; its order is learned", printable(model.name), model.note);
		Record &record = record_of(model);
		record.wrong_header |= model.origin == Origin::header;
		record.plan.reset();
		return;
	}
}

/// What the config says of it may have changed, or who uses it is known now.
void Keeper::follow_rule(Model &model)
{
	const Rule before = model.rule;

	model.rule = rule_for(config_, model.have.begin()->second.path, model.cgroup);
	if (model.phase == Phase::waiting || model.phase == Phase::manual)
		return;
	const Rule &now = model.rule;
	if (now.plan != before.plan || model.phase == Phase::off) {
		// A plan from where it may not come from any more goes.
		const bool wrong_origin =
			(now.plan == PlanFrom::header && model.origin == Origin::learned) ||
			(now.plan == PlanFrom::learned && model.origin == Origin::header);
		if (wrong_origin)
			remove_plan(model);
		advance(model);
	} else if (model.plan && now.lookahead != before.lookahead) {
		install(model);
	}
}

itme::Result<void> Keeper::replan(const std::string &name)
{
	const auto at = models_.find(name);

	if (!family_ || at == models_.end())
		return itme::fail(ENOENT, "there is no model '{}'", printable(name));
	Model &model = at->second;
	if (model.have.size() != model.parts)
		return itme::fail(EAGAIN, "'{}' lacks some of its parts", printable(name));
	remove_plan(model);
	model.useless = false;
	Record &record = record_of(model);
	record.plan.reset();
	record.wrong_header = false;
	record.unused = false;
	model.phase = Phase::waiting;
	return refresh();
}

void Keeper::rebalance()
{
	std::vector<Claim> claims;
	std::vector<Model *> models;
	std::uint64_t dram = 0;

	for (auto &[name, model] : models_) {
		if (model.phase != Phase::planned || !model.plan)
			continue;
		std::uint64_t bytes = model.info.bytes;
		// Not known before the next look.
		for (const auto &[number, part] : model.have)
			bytes += model.info.bytes ? 0 : part.info.size;
		models.push_back(&model);
		claims.push_back({bytes, model.rule.dram, model.rule.share, model.in_use});
	}
	if (std::any_of(claims.begin(), claims.end(),
			[&](const auto &claim) { return claim.share != claims.front().share; }))
		if (const auto tiers = family_->tiers())
			for (const auto &tier : *tiers)
				dram += tier.tier == ITME_TIER_DRAM ? tier.budget : 0;
	const auto wanted = budgets(claims, dram);
	for (std::size_t i = 0; i < models.size(); i++) {
		Model &model = *models[i];
		if (about_equal(wanted[i], model.info.budget))
			continue;
		model.info.budget = wanted[i];
		install(model, model.left_out);
	}
}

} // namespace itmed
