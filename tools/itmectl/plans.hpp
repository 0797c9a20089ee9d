// SPDX-License-Identifier: GPL-2.0
// What the verbs of "plan" share, and top.
#pragma once

#include "app.hpp"

#include "netlink/family.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace itmectl
{

/// A row for each plan. Raw: for programs, without what people like to see.
Table plan_table(const std::vector<itme::PlanInfo> &plans, bool raw);

/// A plan by its number or by its name.
itme::Result<itme::PlanInfo> find_plan(itme::Family &family, const std::string &text);

/// "850ns", "12.5ms", "3.2s"
std::string format_time(std::uint64_t ns);

/// Says which plan there is now.
int show_plan_id(Context &ctx, std::uint32_t id, const std::string &name);

// One for each verb, or for those that belong together.
void add_plan_show(CLI::App &plan, Context &ctx);
void add_plan_files(CLI::App &plan, Context &ctx);
void add_plan_learn(CLI::App &plan, Context &ctx);

} // namespace itmectl
