// SPDX-License-Identifier: GPL-2.0
// The requests of the netlink family "itme".
#pragma once

#include "channel.hpp"
#include "mount.hpp"
#include "plan.hpp"

#include <cstdint>
#include <linux/itme.h>
#include <memory>
#include <string>
#include <vector>

namespace itme
{

/// An imported file, or one that is removed but still in use (ITME_OBJECT_REMOVED).
struct ObjectInfo {
	std::uint32_t id = 0;
	std::string name;
	std::uint64_t size = 0;
	std::uint32_t flags = 0;
	std::uint32_t chunk_size = 0;
	std::uint32_t opens = 0; ///< open file descriptions
	std::uint32_t plans = 0; ///< that name it
	std::uint64_t dram = 0;
	std::uint64_t cxl = 0;
	std::uint64_t nvme = 0;
};

struct FamilyStats {
	itme_stats counters = {};
	std::uint64_t events_lost = 0;
};

/// What is known about a part of the memory of a process.
struct ProcessAdvice {
	std::uint32_t pid = 0;
	std::uint64_t address = 0;
	std::uint64_t length = 0;
	itme_advice advice = ITME_ADVICE_WILLNEED;
	itme_tier tier = ITME_TIER_ANY;
};

class Family
{
public:
	explicit Family(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}

	Result<std::vector<Tier>> tiers();
	Result<FamilyStats> stats();
	/// Of one file.
	Result<itme_stats> stats(std::uint32_t object);

	Result<std::vector<ObjectInfo>> objects();
	Result<ObjectInfo> object(const std::string &name);

	Result<std::vector<PlanInfo>> plans();
	/// With its stages.
	Result<Plan> plan(std::uint32_t id);
	/// A new one, or instead of the one with the number; returns the number.
	Result<std::uint32_t> set_plan(const PlanSpec &plan, std::uint32_t id = 0);
	Result<void> delete_plan(std::uint32_t id);
	/// Who goes through it enters the stage.
	Result<void> step_plan(std::uint32_t id, std::uint32_t stage);

	/// All of the range, in as many requests as it takes; bytes that the advice holds for.
	Result<std::uint64_t> advise(const ProcessAdvice &advice);

private:
	std::unique_ptr<Channel> channel_;
};

/// The messages that make up a plan; more than one when it is long.
std::vector<Message> plan_messages(const PlanSpec &plan, std::uint32_t id);

} // namespace itme
