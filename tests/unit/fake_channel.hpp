// SPDX-License-Identifier: GPL-2.0
// The netlink side of the model of the module: takes requests apart and answers them.
#pragma once

#include "fake_device.hpp"
#include "fd.hpp"
#include "netlink/channel.hpp"
#include "netlink/plan.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/itme_netlink.h>
#include <map>
#include <optional>
#include <sys/eventfd.h>
#include <vector>

namespace itme::test
{

/// What has been sent and is to be heard, shared by all channels of a test.
struct FakeFamily {
	FakeModule *module = nullptr;
	std::map<std::uint32_t, Plan> plans;
	std::uint32_t last_plan = 0;
	std::optional<Plan> pending;
	std::uint32_t pending_id = 0;
	std::vector<std::size_t> message_sizes; ///< of plan-set
	std::map<int, Error> errors;		///< what a command is to fail with
	std::vector<std::map<int, std::uint64_t>> advices;
	std::uint64_t advise_step = 0; ///< how much a request does; 0 for all
	std::vector<Heard> heard;      ///< one for each hear(); then the module is unloaded
	std::uint64_t events_lost = 0;
};

class FakeChannel final : public Channel
{
public:
	explicit FakeChannel(FakeFamily &family) : family_(family), fd_(::eventfd(1, EFD_CLOEXEC))
	{
	}

	Result<std::vector<Reply>> ask(const Message &request) override
	{
		const Attributes in(request.attributes());
		if (const auto error = family_.errors.find(request.command());
		    error != family_.errors.end())
			return tl::unexpected(error->second);
		switch (request.command()) {
		case ITME_CMD_STATS_GET:
			return one(stats());
		case ITME_CMD_OBJECT_GET:
			return object(in);
		case ITME_CMD_PLAN_SET:
			return plan_set(request);
		case ITME_CMD_PLAN_DEL:
			return plan_del(in);
		case ITME_CMD_PLAN_STEP:
			return plan_step(in);
		case ITME_CMD_ADVISE:
			return advise(in);
		default:
			return fail(EOPNOTSUPP, "not supported");
		}
	}

	Result<std::vector<Reply>> dump(const Message &request) override
	{
		const Attributes in(request.attributes());
		std::vector<Reply> replies;
		if (const auto error = family_.errors.find(request.command());
		    error != family_.errors.end())
			return tl::unexpected(error->second);
		if (request.command() == ITME_CMD_TIER_GET)
			for (const auto &tier : family_.module->tiers)
				replies.push_back(reply(tier_message(tier)));
		if (request.command() == ITME_CMD_OBJECT_GET)
			for (const auto &[name, file] : family_.module->files)
				replies.push_back(reply(object_message(file.object)));
		if (request.command() != ITME_CMD_PLAN_GET)
			return replies;
		const auto id = in.u32(ITME_A_PLAN_ID);
		if (!id)
			for (const auto &[number, plan] : family_.plans)
				replies.push_back(reply(plan_message(plan.info)));
		else if (!family_.plans.contains(*id))
			return fail(ENOENT, "there is no plan {}", *id);
		else
			replies = whole_plan(family_.plans[*id]);
		return replies;
	}

	Result<void> listen() override { return {}; }

	int fd() const override { return fd_.get(); }

	Result<Heard> hear() override
	{
		if (family_.heard.empty())
			return Heard{{}, false, true};
		const Heard first = family_.heard.front();
		family_.heard.erase(family_.heard.begin());
		return first;
	}

	static Reply reply(const Message &message)
	{
		const Bytes bytes = message.attributes();
		return {message.command(), {bytes.begin(), bytes.end()}};
	}

private:
	static std::vector<Reply> one(const Message &message) { return {reply(message)}; }

	static Message tier_message(const itme_tier_info &tier)
	{
		Message out(ITME_CMD_TIER_GET);
		out.put_u32(ITME_A_TIER_TIER, tier.tier)
			.put_uint(ITME_A_TIER_BUDGET, tier.budget)
			.put_uint(ITME_A_TIER_USED, tier.used)
			.put_uint(ITME_A_TIER_PINNED, tier.pinned)
			.put_uint(ITME_A_TIER_CAPACITY, tier.capacity)
			.put_u32(ITME_A_TIER_NODE, 0);
		// One that this library does not know.
		return std::move(out.put_text(200, "from the future"));
	}

	static Message object_message(const Object &object)
	{
		Message out(ITME_CMD_OBJECT_GET);
		return std::move(
			out.put_u32(ITME_A_OBJECT_ID, static_cast<std::uint32_t>(object.id))
				.put_text(ITME_A_OBJECT_NAME, object.name)
				.put_uint(ITME_A_OBJECT_SIZE, object.size)
				.put_u32(ITME_A_OBJECT_FLAGS, object.flags)
				.put_u32(ITME_A_OBJECT_CHUNK_SIZE, object.chunk_size)
				.put_u32(ITME_A_OBJECT_OPENS, object.opens));
	}

	Message stats() const
	{
		Message out(ITME_CMD_STATS_GET);
		return std::move(
			out.put_uint(ITME_A_STATS_READ_BYTES, family_.module->stats.read_bytes)
				.put_uint(ITME_A_STATS_DEMAND_BYTES,
					  family_.module->stats.demand_bytes)
				.put_uint(ITME_A_STATS_STALLS, family_.module->stats.stalls)
				.put_uint(ITME_A_STATS_STALL_NS, family_.module->stats.stall_ns)
				.put_uint(ITME_A_STATS_EVENTS_LOST, family_.events_lost));
	}

	Result<std::vector<Reply>> object(const Attributes &in) const
	{
		const auto name = in.text(ITME_A_OBJECT_NAME).value_or("");
		const auto file = family_.module->files.find(name);
		if (file == family_.module->files.end())
			return fail(ENOENT, "there is no object of that name");
		return one(object_message(file->second.object));
	}

	static PlanRange range_of(Bytes value)
	{
		const Attributes in(value);
		return {in.u32(ITME_A_RANGE_OBJECT).value_or(0),
			in.uint(ITME_A_RANGE_OFFSET).value_or(0),
			in.uint(ITME_A_RANGE_LENGTH).value_or(0)};
	}

	/// As the module: several messages, the first says what it is.
	Result<std::vector<Reply>> plan_set(const Message &request)
	{
		const Attributes in(request.attributes());
		const bool first = !family_.pending;
		if (first) {
			family_.pending.emplace();
			family_.pending_id = in.u32(ITME_A_PLAN_ID).value_or(0);
			family_.pending->info.name = in.text(ITME_A_PLAN_NAME).value_or("");
			family_.pending->info.cyclic = in.has(ITME_A_PLAN_CYCLIC);
			family_.pending->info.lookahead = *in.uint(ITME_A_PLAN_LOOKAHEAD);
			family_.pending->info.budget = *in.uint(ITME_A_PLAN_BUDGET);
		} else if (in.has(ITME_A_PLAN_NAME) || in.has(ITME_A_PLAN_BUDGET)) {
			return fail(EINVAL, "this belongs into the first message of a plan");
		}
		family_.message_sizes.push_back(request.size());
		in.each(ITME_A_PLAN_STAGE, [&](Bytes value) {
			const Attributes stage(value);
			auto &stages = family_.pending->stages;
			const auto index = *stage.u32(ITME_A_STAGE_INDEX);
			stages.resize(std::max<std::size_t>(stages.size(), index + 1));
			stage.each(ITME_A_STAGE_RANGE,
				   [&](Bytes range) { stages[index].push_back(range_of(range)); });
		});
		in.each(ITME_A_PLAN_TRIGGER, [&](Bytes value) {
			const Attributes parts(value);
			auto &trigger = family_.pending->triggers.emplace_back();
			parts.each(ITME_A_TRIGGER_SOURCE,
				   [&](Bytes range) { trigger.source = range_of(range); });
			parts.each(ITME_A_TRIGGER_TARGET, [&](Bytes range) {
				trigger.targets.push_back(range_of(range));
			});
		});
		if (in.has(ITME_A_PLAN_MORE))
			return std::vector<Reply>{};
		return install();
	}

	Result<std::vector<Reply>> install()
	{
		Plan plan = std::move(*family_.pending);
		std::uint32_t id = family_.pending_id;
		family_.pending.reset();
		if (id && !family_.plans.contains(id))
			return fail(ENOENT, "there is no plan {}", id);
		if (!id)
			id = ++family_.last_plan;
		plan.info.id = id;
		plan.info.stages = static_cast<std::uint32_t>(plan.stages.size());
		plan.info.triggers = static_cast<std::uint32_t>(plan.triggers.size());
		family_.plans[id] = std::move(plan);
		return one(std::move(Message(ITME_CMD_PLAN_SET).put_u32(ITME_A_PLAN_ID, id)));
	}

	Result<std::vector<Reply>> plan_del(const Attributes &in)
	{
		if (!family_.plans.erase(in.u32(ITME_A_PLAN_ID).value_or(0)))
			return fail(ENOENT, "there is no plan");
		return std::vector<Reply>{};
	}

	Result<std::vector<Reply>> plan_step(const Attributes &in)
	{
		const auto plan = family_.plans.find(in.u32(ITME_A_PLAN_ID).value_or(0));
		const auto at = in.u32(ITME_A_PLAN_AT).value_or(0);
		if (plan == family_.plans.end())
			return fail(ENOENT, "there is no plan");
		if (at >= plan->second.stages.size())
			return fail(EINVAL, "plan {} has no stage {}", plan->first, at);
		plan->second.info.at = at;
		plan->second.info.cursors = {{at, at, 7}};
		return std::vector<Reply>{};
	}

	Result<std::vector<Reply>> advise(const Attributes &in)
	{
		auto &sent = family_.advices.emplace_back();
		for (const int type : {ITME_A_HINT_PID, ITME_A_HINT_ADDRESS, ITME_A_HINT_LENGTH,
				       ITME_A_HINT_ADVICE, ITME_A_HINT_TIER})
			if (const auto value = in.uint(type))
				sent[type] = *value;
		const std::uint64_t length = sent[ITME_A_HINT_LENGTH];
		const std::uint64_t step =
			family_.advise_step ? std::min(family_.advise_step, length) : length;
		Message out(ITME_CMD_ADVISE);
		out.put_uint(ITME_A_HINT_DONE, step);
		if (step < length)
			out.put_uint(ITME_A_HINT_NEXT, sent[ITME_A_HINT_ADDRESS] + step);
		return one(out);
	}

	static Message plan_message(const PlanInfo &plan)
	{
		Message out(ITME_CMD_PLAN_GET);
		out.put_u32(ITME_A_PLAN_ID, plan.id).put_text(ITME_A_PLAN_NAME, plan.name);
		if (plan.pid)
			out.put_u32(ITME_A_PLAN_PID, *plan.pid);
		if (plan.cyclic)
			out.put_flag(ITME_A_PLAN_CYCLIC);
		if (plan.cycle)
			out.put_uint(ITME_A_PLAN_CYCLE, *plan.cycle);
		out.put_uint(ITME_A_PLAN_LOOKAHEAD, plan.lookahead)
			.put_uint(ITME_A_PLAN_BUDGET, plan.budget)
			.put_u32(ITME_A_PLAN_STAGES, plan.stages)
			.put_u32(ITME_A_PLAN_AT, plan.at)
			.put_uint(ITME_A_PLAN_PASSES, plan.passes)
			.put_uint(ITME_A_PLAN_JUMPS, plan.jumps)
			.put_uint(ITME_A_PLAN_BYTES, plan.bytes);
		for (const auto &cursor : plan.cursors)
			out.nest(ITME_A_PLAN_CURSOR, [&] {
				out.put_u32(ITME_A_CURSOR_POSITION, cursor.position)
					.put_u32(ITME_A_CURSOR_STAGE, cursor.stage)
					.put_u32(ITME_A_CURSOR_LEAD, cursor.lead);
			});
		return out;
	}

	static void put_range(Message &out, int type, const PlanRange &range)
	{
		out.nest(type, [&] {
			out.put_u32(ITME_A_RANGE_OBJECT, range.object);
			// The length of one that is gone is left out, as the module does.
			if (range.length)
				out.put_uint(ITME_A_RANGE_OFFSET, range.offset)
					.put_uint(ITME_A_RANGE_LENGTH, range.length);
		});
	}

	/// A message for each stage, cut in two: the library has to put them together.
	static std::vector<Reply> whole_plan(const Plan &plan)
	{
		std::vector<Reply> replies = one(plan_message(plan.info));
		for (std::size_t i = 0; i < plan.stages.size(); i++)
			for (const auto &range : plan.stages[i]) {
				Message out(ITME_CMD_PLAN_GET);
				out.nest(ITME_A_PLAN_STAGE, [&] {
					out.put_u32(ITME_A_STAGE_INDEX,
						    static_cast<std::uint32_t>(i));
					put_range(out, ITME_A_STAGE_RANGE, range);
				});
				replies.push_back(reply(out));
			}
		for (const auto &trigger : plan.triggers) {
			Message out(ITME_CMD_PLAN_GET);
			out.nest(ITME_A_PLAN_TRIGGER, [&] {
				put_range(out, ITME_A_TRIGGER_SOURCE, trigger.source);
				for (const auto &target : trigger.targets)
					put_range(out, ITME_A_TRIGGER_TARGET, target);
			});
			replies.push_back(reply(out));
		}
		return replies;
	}

	FakeFamily &family_;
	Fd fd_;
};

} // namespace itme::test
