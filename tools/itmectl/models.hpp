// SPDX-License-Identifier: GPL-2.0
// What the verbs of "model" share with "plan set --model".
#pragma once

#include "app.hpp"

#include "model/model.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace itmectl
{

/// Calls the files as they were imported, and says how large their chunks are; an error when one of
/// them is not.
itme::Result<std::uint64_t> name_imported(itme::Mount &mount, itme::Model &model);

/// The name of a model's plan: that of its first file, without what is behind the dot.
std::string plan_name(const itme::Model &model);

/// To import the file with: what suits the model in it and the DRAM budget; 0, the module's
/// default, if there is no model. last: the model that was read last, of which the file may be a
/// part.
std::uint64_t chunk_of(itme::Mount &mount, const std::string &path,
		       std::optional<itme::Model> &last);

/// Says so, if the plan lacks experts.
void warn_left_out(const Context &ctx, const itme::ModelPlan &plan);

/// To stdout, if the path is empty or "-". Returns the exit code.
int write_plan(Context &ctx, const itme::PlanFile &plan, const std::string &path);

void add_model_show(CLI::App &model, Context &ctx);
void add_model_plan(CLI::App &model, Context &ctx);

} // namespace itmectl
