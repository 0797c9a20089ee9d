// SPDX-License-Identifier: GPL-2.0
#include "planfile.hpp"

#include "explain.hpp"
#include "size.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace itme
{
namespace
{

using Json = nlohmann::ordered_json;

/// Of the file format; what is deeper is none.
constexpr std::size_t depth_max = 8;
/// Of one object; it has fewer. The JSON library takes the square of it in time.
constexpr std::size_t keys_max = 64;
constexpr std::size_t name_max = 63;
/// Of one trigger, as the module has it: a message holds that many.
constexpr std::size_t targets_max = 64;

/// Reads the text without building anything, and stops at what is wrong: where it is no JSON, and
/// what JSON allows and we do not.
class Check final : public nlohmann::json_sax<Json>
{
public:
	const std::string &why() const { return why_; }

	bool null() override { return true; }

	bool boolean(bool /*value*/) override { return true; }

	bool number_integer(number_integer_t /*value*/) override { return true; }

	bool number_unsigned(number_unsigned_t /*value*/) override { return true; }

	bool number_float(number_float_t /*value*/, const string_t & /*text*/) override
	{
		return true;
	}

	bool string(string_t & /*value*/) override { return true; }

	bool binary(binary_t & /*value*/) override { return true; }

	bool start_object(std::size_t /*elements*/) override { return enter(); }

	bool start_array(std::size_t /*elements*/) override { return enter(); }

	bool end_object() override { return leave(); }

	bool end_array() override { return leave(); }

	bool key(string_t &key) override
	{
		if (!keys_.back().insert(key).second)
			return stop(fmt::format("'{}' is given twice", key));
		return keys_.back().size() <= keys_max ||
		       stop(fmt::format("more than {} keys", keys_max));
	}

	bool parse_error(std::size_t /*position*/, const std::string & /*token*/,
			 const nlohmann::detail::exception &error) override
	{
		// "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
		const std::string_view what = error.what();
		const auto end = what.find("] ");
		return stop(
			std::string(end == std::string_view::npos ? what : what.substr(end + 2)));
	}

private:
	bool stop(std::string why)
	{
		why_ = std::move(why);
		return false;
	}

	bool enter()
	{
		if (keys_.size() >= depth_max)
			return stop(fmt::format("more than {} levels", depth_max));
		keys_.emplace_back();
		return true;
	}

	bool leave()
	{
		keys_.pop_back();
		return true;
	}

	/// Of each object or array that we are in.
	std::vector<std::set<std::string>> keys_;
	std::string why_;
};

Result<Json> parse_json(std::string_view text)
{
	Check check;

	// Not by a callback of parse(): that takes the square of the number of objects in time.
	if (!Json::sax_parse(text, &check))
		return fail(EINVAL, "{}", check.why());
	return Json::parse(text);
}

/// Keys that are none of ours are errors: most often they are misspelt.
Result<void> check_keys(const Json &json, const std::string &where,
			std::initializer_list<std::string_view> known)
{
	if (!json.is_object())
		return fail(EINVAL, "{} is not an object", where);
	for (const auto &[key, value] : json.items())
		if (std::find(known.begin(), known.end(), key) == known.end())
			return fail(EINVAL, "{}: no key '{}'; there are {}", where, key,
				    fmt::join(known, ", "));
	return {};
}

Result<std::optional<std::uint64_t>> size_at(const Json &json, const std::string &where,
					     const char *key)
{
	const auto at = json.find(key);

	if (at == json.end())
		return std::nullopt;
	if (at->is_number_unsigned())
		return at->get<std::uint64_t>();
	if (!at->is_string())
		return fail(EINVAL, "{}: '{}' is not a size; write bytes, or \"64MiB\"", where,
			    key);
	const auto size = parse_size(at->get<std::string>());
	if (!size)
		return fail(size.error().code, "{}: '{}': {}", where, key, size.error().message);
	return *size;
}

Result<FileRange> parse_range(const Json &json, const std::string &where)
{
	if (auto ret = check_keys(json, where, {"file", "offset", "length"}); !ret)
		return tl::unexpected(ret.error());
	const auto file = json.find("file");
	if (file == json.end() || !file->is_string())
		return fail(EINVAL, "{}: 'file' has to be the name of an imported file", where);
	const auto offset = size_at(json, where, "offset");
	if (!offset)
		return tl::unexpected(offset.error());
	const auto length = size_at(json, where, "length");
	if (!length)
		return tl::unexpected(length.error());
	if (*length == 0U)
		return fail(EINVAL, "{}: the range is empty", where);
	return FileRange{file->get<std::string>(), offset->value_or(0), *length};
}

Result<std::vector<FileRange>> parse_ranges(const Json &json, const std::string &where)
{
	std::vector<FileRange> ranges;

	if (!json.is_array())
		return fail(EINVAL, "{} is not an array of ranges", where);
	for (std::size_t i = 0; i < json.size(); i++) {
		auto range = parse_range(json[i], fmt::format("{}[{}]", where, i));
		if (!range)
			return tl::unexpected(range.error());
		ranges.push_back(std::move(*range));
	}
	return ranges;
}

Result<void> parse_stages(const Json &json, PlanFile &plan)
{
	if (!json.is_array())
		return fail(EINVAL, "'stages' is not an array");
	for (std::size_t i = 0; i < json.size(); i++) {
		auto stage = parse_ranges(json[i], fmt::format("stages[{}]", i));
		if (!stage)
			return tl::unexpected(stage.error());
		plan.stages.push_back(std::move(*stage));
	}
	return {};
}

Result<FileTrigger> parse_trigger(const Json &json, const std::string &where)
{
	if (auto ret = check_keys(json, where, {"source", "targets"}); !ret)
		return tl::unexpected(ret.error());
	const auto from = json.find("source");
	const auto to = json.find("targets");
	if (from == json.end() || to == json.end())
		return fail(EINVAL, "{} has no '{}'", where,
			    from == json.end() ? "source" : "targets");
	auto source = parse_range(*from, where + ".source");
	if (!source)
		return tl::unexpected(source.error());
	auto targets = parse_ranges(*to, where + ".targets");
	if (!targets)
		return tl::unexpected(targets.error());
	if (targets->empty() || targets->size() > targets_max)
		return fail(EINVAL, "{} has {} targets; it may have 1 to {}", where,
			    targets->size(), targets_max);
	return FileTrigger{std::move(*source), std::move(*targets)};
}

Result<void> parse_triggers(const Json &json, PlanFile &plan)
{
	if (!json.is_array())
		return fail(EINVAL, "'triggers' is not an array");
	for (std::size_t i = 0; i < json.size(); i++) {
		auto trigger = parse_trigger(json[i], fmt::format("triggers[{}]", i));
		if (!trigger)
			return tl::unexpected(trigger.error());
		plan.triggers.push_back(std::move(*trigger));
	}
	return {};
}

bool has_ranges(const PlanFile &plan)
{
	return !plan.triggers.empty() ||
	       std::any_of(plan.stages.begin(), plan.stages.end(),
			   [](const auto &stage) { return !stage.empty(); });
}

Result<void> parse_head(const Json &json, PlanFile &plan)
{
	if (const auto name = json.find("name"); name != json.end()) {
		if (!name->is_string())
			return fail(EINVAL, "'name' is not a string");
		plan.name = name->get<std::string>();
	}
	if (plan.name.size() > name_max || plan.name.find('\0') != std::string::npos)
		return fail(EINVAL, "'name' is longer than {} bytes, or has a NUL", name_max);
	if (const auto cyclic = json.find("cyclic"); cyclic != json.end()) {
		if (!cyclic->is_boolean())
			return fail(EINVAL, "'cyclic' is neither true nor false");
		plan.cyclic = cyclic->get<bool>();
	}
	for (const auto &[key, member] : {std::pair{"lookahead", &PlanFile::lookahead},
					  std::pair{"budget", &PlanFile::budget}}) {
		const auto size = size_at(json, "the plan", key);
		if (!size)
			return tl::unexpected(size.error());
		plan.*member = size->value_or(0);
	}
	return {};
}

Json range_json(const FileRange &range)
{
	Json json = {{"file", range.file}, {"offset", range.offset}};

	if (range.length)
		json["length"] = *range.length;
	return json;
}

std::string format_ranges(const std::vector<FileRange> &ranges)
{
	std::string text = "[";
	const char *separator = "";

	for (const auto &range : ranges) {
		text += separator + range_json(range).dump();
		separator = ",\n     ";
	}
	return text + "]";
}

/// From names to numbers; each file is asked for once.
class Resolver
{
public:
	explicit Resolver(Family &family) : family_(&family) {}

	Result<PlanRange> range(const FileRange &range, const std::string &where)
	{
		const auto object = find(range.file);
		if (!object)
			return tl::unexpected(object.error());
		const std::uint64_t rest = object->size - std::min(range.offset, object->size);
		if (!rest || range.length.value_or(0) > rest)
			return fail(ERANGE, "{}: ends after the end of {} ({})", where, range.file,
				    format_size(object->size));
		return PlanRange{object->id, range.offset, range.length.value_or(rest)};
	}

	Result<std::vector<PlanRange>> ranges(const std::vector<FileRange> &from,
					      const std::string &where)
	{
		std::vector<PlanRange> to;

		for (std::size_t i = 0; i < from.size(); i++) {
			const auto resolved = range(from[i], fmt::format("{}[{}]", where, i));
			if (!resolved)
				return tl::unexpected(resolved.error());
			to.push_back(*resolved);
		}
		return to;
	}

private:
	Result<ObjectInfo> find(const std::string &name)
	{
		if (const auto known = known_.find(name); known != known_.end())
			return known->second;
		auto object = family_->object(name);
		if (object)
			known_.emplace(name, *object);
		return object;
	}

	Family *family_;
	std::map<std::string, ObjectInfo> known_;
};

} // namespace

Result<PlanFile> parse_plan(std::string_view text)
{
	const auto json = parse_json(text);
	PlanFile plan;

	if (!json)
		return tl::unexpected(json.error());
	if (auto ret = check_keys(*json, "the plan",
				  {"name", "cyclic", "lookahead", "budget", "stages", "triggers"});
	    !ret)
		return tl::unexpected(ret.error());
	if (auto ret = parse_head(*json, plan); !ret)
		return tl::unexpected(ret.error());
	if (const auto stages = json->find("stages"); stages != json->end())
		if (auto ret = parse_stages(*stages, plan); !ret)
			return tl::unexpected(ret.error());
	if (const auto triggers = json->find("triggers"); triggers != json->end())
		if (auto ret = parse_triggers(*triggers, plan); !ret)
			return tl::unexpected(ret.error());
	if (!has_ranges(plan))
		return fail(EINVAL, "the plan has neither stages nor triggers");
	return plan;
}

Result<std::string> format_plan(const PlanFile &plan)
{
	// A range a line: that is what people look at, and what diff compares.
	try {
		std::string text = "{\n";
		if (!plan.name.empty())
			text += fmt::format("  \"name\": {},\n", Json(plan.name).dump());
		text += fmt::format("  \"cyclic\": {},\n  \"lookahead\": {},\n  \"budget\": {}",
				    plan.cyclic, plan.lookahead, plan.budget);
		const char *separator = ",\n  \"stages\": [\n    ";
		for (const auto &stage : plan.stages) {
			text += separator + format_ranges(stage);
			separator = ",\n    ";
		}
		text += plan.stages.empty() ? "" : "\n  ]";
		separator = ",\n  \"triggers\": [\n    ";
		for (const auto &trigger : plan.triggers) {
			text += fmt::format("{}{{\"source\": {},\n     \"targets\": {}}}",
					    separator, range_json(trigger.source).dump(),
					    format_ranges(trigger.targets));
			separator = ",\n    ";
		}
		text += plan.triggers.empty() ? "" : "\n  ]";
		return text + "\n}\n";
	} catch (const Json::exception &) {
		return fail(EILSEQ, "the name of the plan or of a file is not UTF-8: JSON cannot "
				    "hold it; import the file under another name");
	}
}

Result<PlanFile> plan_of_files(Family &family, const std::vector<std::string> &names,
			       std::uint64_t stage_size)
{
	PlanFile plan;

	for (const auto &name : names) {
		const auto object = family.object(name);
		if (!object)
			return tl::unexpected(object.error());
		// So that no number of stages is too much for memory; the module takes fewer.
		if (!stage_size || object->size / stage_size >= (1U << 20))
			return fail(EINVAL, "stages of {} are too small for {} ({})",
				    format_size(stage_size), name, format_size(object->size));
		for (std::uint64_t at = 0; at < object->size;) {
			const std::uint64_t length = std::min(stage_size, object->size - at);
			plan.stages.push_back({{name, at, length}});
			at += length;
		}
	}
	return plan;
}

Result<PlanSpec> resolve_plan(Family &family, const PlanFile &plan)
{
	PlanSpec spec{plan.name, plan.cyclic, plan.lookahead, plan.budget, {}, {}};
	Resolver resolver(family);

	for (std::size_t i = 0; i < plan.stages.size(); i++) {
		auto stage = resolver.ranges(plan.stages[i], fmt::format("stages[{}]", i));
		if (!stage)
			return tl::unexpected(stage.error());
		spec.stages.push_back(std::move(*stage));
	}
	for (std::size_t i = 0; i < plan.triggers.size(); i++) {
		const auto where = fmt::format("triggers[{}]", i);
		const auto source = resolver.range(plan.triggers[i].source, where + ".source");
		if (!source)
			return tl::unexpected(source.error());
		auto targets = resolver.ranges(plan.triggers[i].targets, where + ".targets");
		if (!targets)
			return tl::unexpected(targets.error());
		spec.triggers.push_back({*source, std::move(*targets)});
	}
	return spec;
}

bool NamedPlan::empty() const
{
	return !has_ranges(plan);
}

NamedPlan name_plan(const Plan &plan, const std::vector<ObjectInfo> &objects)
{
	std::map<std::uint32_t, std::string> names;
	NamedPlan named;

	// The name of a removed one may be that of another file by now.
	for (const auto &object : objects)
		if (!(object.flags & ITME_OBJECT_REMOVED))
			names[object.id] = object.name;
	const auto add = [&](const PlanRange &range, std::vector<FileRange> &to) {
		const auto name = names.find(range.object);
		if (name == names.end() || !range.length)
			named.left_out++;
		else
			to.push_back({name->second, range.offset, range.length});
	};

	named.plan.name = plan.info.name;
	named.plan.cyclic = plan.info.cyclic;
	named.plan.lookahead = plan.info.lookahead;
	named.plan.budget = plan.info.budget;
	for (const auto &stage : plan.stages) {
		auto &to = named.plan.stages.emplace_back();
		for (const auto &range : stage)
			add(range, to);
	}
	for (const auto &trigger : plan.triggers) {
		std::vector<FileRange> source;
		std::vector<FileRange> targets;
		add(trigger.source, source);
		for (const auto &target : trigger.targets)
			add(target, targets);
		if (!source.empty() && !targets.empty())
			named.plan.triggers.push_back({source.front(), std::move(targets)});
	}
	return named;
}

} // namespace itme
