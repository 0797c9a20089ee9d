// SPDX-License-Identifier: GPL-2.0
#include "family.hpp"

#include "explain.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <linux/itme_netlink.h>
#include <span>
#include <utility>

namespace itme
{
namespace
{

constexpr std::array<std::pair<int, __u64 itme_stats::*>, 24> counters{{
	{ITME_A_STATS_READ_BYTES, &itme_stats::read_bytes},
	{ITME_A_STATS_READS, &itme_stats::reads},
	{ITME_A_STATS_DEMAND_BYTES, &itme_stats::demand_bytes},
	{ITME_A_STATS_PREFETCH_BYTES, &itme_stats::prefetch_bytes},
	{ITME_A_STATS_PREFETCH_USED_BYTES, &itme_stats::prefetch_used_bytes},
	{ITME_A_STATS_PREFETCH_LATE_BYTES, &itme_stats::prefetch_late_bytes},
	{ITME_A_STATS_PREFETCH_WASTED_BYTES, &itme_stats::prefetch_wasted_bytes},
	{ITME_A_STATS_DROPPED_BYTES, &itme_stats::dropped_bytes},
	{ITME_A_STATS_PROMOTED_BYTES, &itme_stats::promoted_bytes},
	{ITME_A_STATS_DEMOTED_BYTES, &itme_stats::demoted_bytes},
	{ITME_A_STATS_STALLS, &itme_stats::stalls},
	{ITME_A_STATS_STALL_NS, &itme_stats::stall_ns},
	{ITME_A_STATS_STALL_MAX_NS, &itme_stats::stall_max_ns},
	{ITME_A_STATS_IO_ERRORS, &itme_stats::io_errors},
	{ITME_A_STATS_SMALL_FOLIO_CHUNKS, &itme_stats::small_folio_chunks},
	{ITME_A_STATS_ALLOC_FAILS, &itme_stats::alloc_fails},
	{ITME_A_STATS_BUSY_FAILS, &itme_stats::busy_fails},
	{ITME_A_STATS_HINTS, &itme_stats::hints},
	{ITME_A_STATS_HINTS_DROPPED, &itme_stats::hints_dropped},
	{ITME_A_STATS_SWAP_OUT_BYTES, &itme_stats::swap_out_bytes},
	{ITME_A_STATS_SWAP_IN_BYTES, &itme_stats::swap_in_bytes},
	{ITME_A_STATS_SWAP_ZERO_BYTES, &itme_stats::swap_zero_bytes},
	{ITME_A_STATS_SWAP_CLEAN_BYTES, &itme_stats::swap_clean_bytes},
	{ITME_A_STATS_SWAP_ERRORS, &itme_stats::swap_errors},
}};

/// What a range takes in a message, at most; what a stage takes around its ranges, and what
/// else there may be behind them.
constexpr std::size_t range_size = 40;
constexpr std::size_t stage_size = 16;
constexpr std::size_t more_size = 8;

/// Answers of a module of another age may lack what this one has: it is 0 then.
Tier tier_of(const Attributes &answer)
{
	Tier tier;

	tier.tier = static_cast<itme_tier>(answer.u32(ITME_A_TIER_TIER).value_or(0));
	tier.budget = answer.uint(ITME_A_TIER_BUDGET).value_or(0);
	tier.used = answer.uint(ITME_A_TIER_USED).value_or(0);
	tier.pinned = answer.uint(ITME_A_TIER_PINNED).value_or(0);
	tier.busy = answer.uint(ITME_A_TIER_BUSY).value_or(0);
	tier.capacity = answer.uint(ITME_A_TIER_CAPACITY).value_or(0);
	tier.free = answer.uint(ITME_A_TIER_FREE).value_or(0);
	answer.each(ITME_A_TIER_NODE, [&](Bytes value) {
		if (const auto node = u32_of(value); node && *node < ITME_NODES_MAX)
			tier.nodes.push_back(static_cast<int>(*node));
	});
	return tier;
}

itme_stats counters_of(const Attributes &answer)
{
	itme_stats stats{};

	for (const auto &[attr, member] : counters)
		stats.*member = answer.uint(attr).value_or(0);
	return stats;
}

ObjectInfo object_of(const Attributes &answer)
{
	ObjectInfo object;

	object.id = answer.u32(ITME_A_OBJECT_ID).value_or(0);
	object.name = answer.text(ITME_A_OBJECT_NAME).value_or("");
	object.size = answer.uint(ITME_A_OBJECT_SIZE).value_or(0);
	object.flags = answer.u32(ITME_A_OBJECT_FLAGS).value_or(0);
	object.chunk_size = answer.u32(ITME_A_OBJECT_CHUNK_SIZE).value_or(0);
	object.opens = answer.u32(ITME_A_OBJECT_OPENS).value_or(0);
	object.plans = answer.u32(ITME_A_OBJECT_PLANS).value_or(0);
	object.dram = answer.uint(ITME_A_OBJECT_DRAM).value_or(0);
	object.cxl = answer.uint(ITME_A_OBJECT_CXL).value_or(0);
	object.nvme = answer.uint(ITME_A_OBJECT_NVME).value_or(0);
	return object;
}

PlanInfo plan_of(const Attributes &answer)
{
	PlanInfo plan;

	plan.id = answer.u32(ITME_A_PLAN_ID).value_or(0);
	plan.name = answer.text(ITME_A_PLAN_NAME).value_or("");
	plan.cyclic = answer.has(ITME_A_PLAN_CYCLIC);
	plan.lookahead = answer.uint(ITME_A_PLAN_LOOKAHEAD).value_or(0);
	plan.budget = answer.uint(ITME_A_PLAN_BUDGET).value_or(0);
	plan.stages = answer.u32(ITME_A_PLAN_STAGES).value_or(0);
	plan.ranges = answer.u32(ITME_A_PLAN_RANGES).value_or(0);
	plan.length = answer.u32(ITME_A_PLAN_LENGTH).value_or(0);
	plan.bytes = answer.uint(ITME_A_PLAN_BYTES).value_or(0);
	plan.dram = answer.uint(ITME_A_PLAN_DRAM).value_or(0);
	plan.cxl = answer.uint(ITME_A_PLAN_CXL).value_or(0);
	plan.at = answer.u32(ITME_A_PLAN_AT).value_or(0);
	plan.passes = answer.uint(ITME_A_PLAN_PASSES).value_or(0);
	plan.jumps = answer.uint(ITME_A_PLAN_JUMPS).value_or(0);
	plan.cycle = answer.uint(ITME_A_PLAN_CYCLE);
	plan.pid = answer.u32(ITME_A_PLAN_PID);
	plan.triggers = answer.u32(ITME_A_PLAN_TRIGGERS).value_or(0);
	plan.targets = answer.u32(ITME_A_PLAN_TARGETS).value_or(0);
	plan.fired = answer.uint(ITME_A_PLAN_FIRED).value_or(0);
	plan.dropped = answer.uint(ITME_A_PLAN_DROPPED).value_or(0);
	answer.each(ITME_A_PLAN_CURSOR, [&](Bytes value) {
		const Attributes cursor(value);
		plan.cursors.push_back({cursor.u32(ITME_A_CURSOR_POSITION).value_or(0),
					cursor.u32(ITME_A_CURSOR_STAGE).value_or(0),
					cursor.u32(ITME_A_CURSOR_LEAD).value_or(0)});
	});
	return plan;
}

PlanRange range_of(Bytes value)
{
	const Attributes range(value);

	return {range.u32(ITME_A_RANGE_OBJECT).value_or(0),
		range.uint(ITME_A_RANGE_OFFSET).value_or(0),
		range.uint(ITME_A_RANGE_LENGTH).value_or(0)};
}

/// The stages of one message, added to those of the messages before. An index out of all bounds
/// is no reason to take that much memory.
Result<void> add_stages(const Attributes &answer, std::vector<PlanStage> &stages)
{
	constexpr std::uint32_t index_max = 1U << 20;
	bool sane = true;

	answer.each(ITME_A_PLAN_STAGE, [&](Bytes value) {
		const Attributes stage(value);
		const std::uint32_t index = stage.u32(ITME_A_STAGE_INDEX).value_or(index_max);
		sane = sane && index < index_max;
		if (!sane)
			return;
		if (index >= stages.size())
			stages.resize(index + 1);
		stage.each(ITME_A_STAGE_RANGE,
			   [&](Bytes nest) { stages[index].push_back(range_of(nest)); });
	});
	if (!sane)
		return fail(EPROTO, "the module's answer makes no sense: a stage without a number");
	return {};
}

void add_triggers(const Attributes &answer, std::vector<PlanTrigger> &triggers)
{
	answer.each(ITME_A_PLAN_TRIGGER, [&](Bytes value) {
		const Attributes parts(value);
		auto &trigger = triggers.emplace_back();
		parts.each(ITME_A_TRIGGER_SOURCE,
			   [&](Bytes nest) { trigger.source = range_of(nest); });
		parts.each(ITME_A_TRIGGER_TARGET,
			   [&](Bytes nest) { trigger.targets.push_back(range_of(nest)); });
	});
}

Unexpected no_answer()
{
	return fail(EPROTO, "the module's answer makes no sense: it is empty");
}

void put_range(Message &message, int type, const PlanRange &range)
{
	message.nest(type, [&] {
		message.put_u32(ITME_A_RANGE_OBJECT, range.object);
		message.put_uint(ITME_A_RANGE_OFFSET, range.offset);
		message.put_uint(ITME_A_RANGE_LENGTH, range.length);
	});
}

/// The messages of a plan, the last of which is being filled.
class PlanMessages
{
public:
	PlanMessages(const PlanSpec &plan, std::uint32_t id)
	{
		auto &first = all_.emplace_back(ITME_CMD_PLAN_SET);

		if (id)
			first.put_u32(ITME_A_PLAN_ID, id);
		if (!plan.name.empty())
			first.put_text(ITME_A_PLAN_NAME, plan.name);
		if (plan.cyclic)
			first.put_flag(ITME_A_PLAN_CYCLIC);
		first.put_uint(ITME_A_PLAN_LOOKAHEAD, plan.lookahead);
		first.put_uint(ITME_A_PLAN_BUDGET, plan.budget);
	}

	void add(std::uint32_t index, std::span<const PlanRange> stage)
	{
		while (!stage.empty()) {
			const std::size_t room = make_room(stage_size + range_size) - stage_size;
			const auto part = stage.first(std::min(stage.size(), room / range_size));
			all_.back().nest(ITME_A_PLAN_STAGE, [&] {
				all_.back().put_u32(ITME_A_STAGE_INDEX, index);
				for (const auto &range : part)
					put_range(all_.back(), ITME_A_STAGE_RANGE, range);
			});
			stage = stage.subspan(part.size());
		}
	}

	void add(const PlanTrigger &trigger)
	{
		make_room(stage_size + range_size * (1 + trigger.targets.size()));
		all_.back().nest(ITME_A_PLAN_TRIGGER, [&] {
			put_range(all_.back(), ITME_A_TRIGGER_SOURCE, trigger.source);
			for (const auto &target : trigger.targets)
				put_range(all_.back(), ITME_A_TRIGGER_TARGET, target);
		});
	}

	std::vector<Message> take() { return std::move(all_); }

private:
	/// In a further message, if there is less in this one; how much there is.
	std::size_t make_room(std::size_t wanted)
	{
		if (Message::room - all_.back().size() < wanted + more_size) {
			all_.back().put_flag(ITME_A_PLAN_MORE);
			all_.emplace_back(ITME_CMD_PLAN_SET);
		}
		return Message::room - all_.back().size() - more_size;
	}

	std::vector<Message> all_;
};

} // namespace

std::vector<Message> plan_messages(const PlanSpec &plan, std::uint32_t id)
{
	PlanMessages messages(plan, id);

	for (std::size_t i = 0; i < plan.stages.size(); i++)
		messages.add(static_cast<std::uint32_t>(i), plan.stages[i]);
	for (const auto &trigger : plan.triggers)
		messages.add(trigger);
	return messages.take();
}

Result<std::vector<Tier>> Family::tiers()
{
	const auto answers = channel_->dump(Message(ITME_CMD_TIER_GET));
	std::vector<Tier> tiers;

	if (!answers)
		return tl::unexpected(answers.error());
	for (const auto &answer : *answers)
		tiers.push_back(tier_of(answer.attributes()));
	return tiers;
}

Result<FamilyStats> Family::stats()
{
	const auto answers = channel_->ask(Message(ITME_CMD_STATS_GET));
	FamilyStats stats;

	if (!answers)
		return tl::unexpected(answers.error());
	if (answers->empty())
		return no_answer();
	const auto answer = answers->front().attributes();
	stats.counters = counters_of(answer);
	stats.events_lost = answer.uint(ITME_A_STATS_EVENTS_LOST).value_or(0);
	return stats;
}

Result<itme_stats> Family::stats(std::uint32_t object)
{
	const auto answers =
		channel_->ask(Message(ITME_CMD_STATS_GET).put_u32(ITME_A_STATS_OBJECT, object));

	if (!answers)
		return tl::unexpected(answers.error());
	if (answers->empty())
		return no_answer();
	return counters_of(answers->front().attributes());
}

Result<std::vector<ObjectInfo>> Family::objects()
{
	const auto answers = channel_->dump(Message(ITME_CMD_OBJECT_GET));
	std::vector<ObjectInfo> objects;

	if (!answers)
		return tl::unexpected(answers.error());
	for (const auto &answer : *answers)
		objects.push_back(object_of(answer.attributes()));
	return objects;
}

Result<ObjectInfo> Family::object(const std::string &name)
{
	if (name.empty() || name.size() >= PATH_MAX || name.find('\0') != std::string::npos)
		return explain_file(name, ENOENT);
	const auto answers =
		channel_->ask(Message(ITME_CMD_OBJECT_GET).put_text(ITME_A_OBJECT_NAME, name));

	if (!answers && answers.error().code == ENOENT)
		return explain_file(name, ENOENT);
	if (!answers)
		return tl::unexpected(answers.error());
	if (answers->empty())
		return no_answer();
	return object_of(answers->front().attributes());
}

Result<std::vector<PlanInfo>> Family::plans()
{
	const auto answers = channel_->dump(Message(ITME_CMD_PLAN_GET));
	std::vector<PlanInfo> plans;

	if (!answers)
		return tl::unexpected(answers.error());
	for (const auto &answer : *answers)
		plans.push_back(plan_of(answer.attributes()));
	return plans;
}

Result<Plan> Family::plan(std::uint32_t id)
{
	const auto answers = channel_->dump(Message(ITME_CMD_PLAN_GET).put_u32(ITME_A_PLAN_ID, id));
	Plan plan;

	if (!answers)
		return tl::unexpected(answers.error());
	if (answers->empty())
		return no_answer();
	plan.info = plan_of(answers->front().attributes());
	for (const auto &answer : *answers) {
		if (auto ret = add_stages(answer.attributes(), plan.stages); !ret)
			return tl::unexpected(ret.error());
		add_triggers(answer.attributes(), plan.triggers);
	}
	return plan;
}

Result<std::uint32_t> Family::set_plan(const PlanSpec &plan, std::uint32_t id)
{
	// All of them first: what fails here must not leave half a plan with the module.
	const auto messages = plan_messages(plan, id);
	std::uint32_t number = 0;

	for (const auto &message : messages) {
		const auto answers = channel_->ask(message);
		if (!answers)
			return tl::unexpected(answers.error());
		if (!answers->empty())
			number = answers->front().attributes().u32(ITME_A_PLAN_ID).value_or(0);
	}
	if (!number)
		return no_answer();
	return number;
}

Result<void> Family::delete_plan(std::uint32_t id)
{
	const auto answers = channel_->ask(Message(ITME_CMD_PLAN_DEL).put_u32(ITME_A_PLAN_ID, id));

	if (!answers)
		return tl::unexpected(answers.error());
	return {};
}

Result<void> Family::step_plan(std::uint32_t id, std::uint32_t stage)
{
	const auto answers = channel_->ask(Message(ITME_CMD_PLAN_STEP)
						   .put_u32(ITME_A_PLAN_ID, id)
						   .put_u32(ITME_A_PLAN_AT, stage));

	if (!answers)
		return tl::unexpected(answers.error());
	return {};
}

Result<std::uint64_t> Family::advise(const ProcessAdvice &advice)
{
	std::uint64_t at = advice.address;
	std::uint64_t left = advice.length;
	std::uint64_t done = 0;

	while (left) {
		Message request(ITME_CMD_ADVISE);
		request.put_u32(ITME_A_HINT_ADVICE, advice.advice)
			.put_u32(ITME_A_HINT_PID, advice.pid)
			.put_uint(ITME_A_HINT_ADDRESS, at)
			.put_uint(ITME_A_HINT_LENGTH, left);
		if (advice.tier != ITME_TIER_ANY)
			request.put_u32(ITME_A_HINT_TIER, advice.tier);
		const auto answers = channel_->ask(request);
		// What was mapped further on is not any more, which is no failure of the rest.
		if (!answers && answers.error().code == ENOENT && at != advice.address)
			return done;
		if (!answers)
			return tl::unexpected(answers.error());
		if (answers->empty())
			return no_answer();
		const auto answer = answers->front().attributes();
		done += answer.uint(ITME_A_HINT_DONE).value_or(0);
		const std::uint64_t next = answer.uint(ITME_A_HINT_NEXT).value_or(0);
		if (!next)
			return done;
		if (next <= at || next - at >= left)
			return fail(EPROTO,
				    "the module's answer makes no sense: it goes on at {:#x}",
				    next);
		left -= next - at;
		at = next;
	}
	return done;
}

} // namespace itme
