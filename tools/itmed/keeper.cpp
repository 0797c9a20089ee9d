// SPDX-License-Identifier: GPL-2.0
// The keeper: which models there are, what comes in, and what is told of it. What it decides on
// plans is in keeper_plans.cpp.
#include "keeper.hpp"

#include "group.hpp"
#include "model/model.hpp"
#include "printable.hpp"
#include "size.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

namespace itmed
{
namespace
{

/// The file of that path as it is now; nullopt: there is none.
std::optional<struct stat> stat_of(const std::string &path)
{
	struct stat st {
	};

	return ::stat(path.c_str(), &st) ? std::nullopt : std::optional(st);
}

std::string name_of(const ModelConfig &config)
{
	return config.name.empty() ? config.path.substr(config.path.rfind('/') + 1) : config.name;
}

bool is_whole(const Model &model)
{
	return model.have.size() == model.parts;
}

} // namespace

std::string_view phase_name(Phase phase)
{
	constexpr std::array<std::string_view, 7> names{"waiting", "reading", "planned", "learning",
							"unused",  "manual",  "off"};

	return names.at(static_cast<std::size_t>(phase));
}

std::vector<KnownFile> files_of(const Model &model)
{
	std::vector<KnownFile> files;

	for (const auto &[number, part] : model.have)
		files.push_back({part.info.name, part.info.id, part.info.size});
	return files;
}

Keeper::Keeper(Config config, State state, Outside outside) :
	config_(std::move(config)), state_(std::move(state)), outside_(std::move(outside))
{
}

const Model *Keeper::model_of(std::uint32_t object) const
{
	for (const auto &[name, model] : models_)
		for (const auto &[number, part] : model.have)
			if (part.info.id == object)
				return &model;
	return nullptr;
}

bool Keeper::in_use() const
{
	return std::any_of(models_.begin(), models_.end(),
			   [](const auto &entry) { return entry.second.in_use; });
}

bool Keeper::wants_stages() const
{
	return std::any_of(models_.begin(), models_.end(), [](const auto &entry) {
		return entry.second.in_use && entry.second.plan && !entry.second.judge.settled();
	});
}

std::optional<std::string> Keeper::changed_state()
{
	return std::exchange(changed_, false) ? std::optional(format_state(state_)) : std::nullopt;
}

void Keeper::say_once(const std::string &about, const std::string &text)
{
	auto &last = said_[about];

	if (last == text)
		return;
	last = text;
	if (!text.empty())
		spdlog::warn("{}: {}", printable(about), printable(text));
}

itme::Result<void> Keeper::connect()
{
	auto channel = outside_.open_channel();

	if (!channel)
		return tl::unexpected(channel.error());
	family_ = std::make_unique<itme::Family>(std::move(*channel));
	models_.clear();
	members_.clear();
	// Without a mount the family is there, and says so.
	if (auto ret = family_->tiers(); !ret) {
		family_.reset();
		return tl::unexpected(ret.error());
	}
	apply_tiers();
	import_models();
	auto ret = refresh();
	if (!ret)
		disconnect();
	return ret;
}

void Keeper::disconnect()
{
	family_.reset();
	models_.clear();
	members_.clear();
	said_.clear();
}

void Keeper::apply_tiers()
{
	auto mount = outside_.open_mount(config_.mount);

	if (!mount) {
		say_once("mount", mount.error().message);
		return;
	}
	say_once("mount", "");
	for (const auto &[tier, config] :
	     {std::pair{ITME_TIER_DRAM, &config_.dram}, std::pair{ITME_TIER_CXL, &config_.cxl}}) {
		if (!config->budget)
			continue;
		const auto now = mount->tier(tier);
		if (now && now->budget == *config->budget)
			continue;
		const auto set = mount->set_budget(tier, *config->budget);
		say_once(fmt::format("budget of tier {}", static_cast<int>(tier)),
			 set ? "" : set.error().message);
	}
}

void Keeper::import_models()
{
	for (const auto &model : config_.models)
		import_one(model);
}

void Keeper::import_one(const ModelConfig &config)
{
	const std::string name = name_of(config);
	const auto file = stat_of(config.path);
	auto mount = outside_.open_mount(config_.mount);

	if (!mount || !file) {
		say_once(config.path, mount ? "cannot be looked up; it is imported when it is there"
					    : mount.error().message);
		return;
	}
	auto there = mount->open(name);
	if (there) {
		const auto object = there->object();
		if (!object)
			return;
		const bool same = object->lower_ino == file->st_ino &&
				  object->lower_dev == file->st_dev &&
				  !(object->flags & ITME_OBJECT_CHANGED);
		if (same) {
			say_once(config.path, "");
			return;
		}
		if (object->opens) {
			say_once(config.path,
				 "is another file than the one that was imported, which is still "
				 "in use; it is imported when nobody uses the old one");
			return;
		}
		there = itme::fail(ENOENT, "replaced");
		if (const auto gone = mount->remove(name); !gone) {
			say_once(config.path, gone.error().message);
			return;
		}
		spdlog::info("{}: has been replaced; imported anew", printable(config.path));
	}
	std::uint64_t chunk = config.chunk;
	if (!chunk) {
		const auto dram = mount->tier(ITME_TIER_DRAM);
		chunk = chunk_for(config);
		if (dram)
			chunk = itme::chunk_within(chunk ? chunk : itme::chunk_max, dram->budget);
	}
	const auto object = mount->import({config.path, name, chunk});
	say_once(config.path, object ? "" : object.error().message);
	if (object)
		spdlog::info("{}: imported as {}", printable(config.path), printable(name));
}

/// That which its header asks for, with those of its other parts; 0: it is not known.
std::uint32_t Keeper::chunk_for(const ModelConfig &config)
{
	const std::string model = part_of(name_of(config)).model;
	std::vector<ParserFile> files;
	std::vector<FileIdentity> identities;

	for (const auto &other : config_.models) {
		if (part_of(name_of(other)).model != model)
			continue;
		itme::Fd fd(
			::open(other.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

		struct stat st {
		};

		if (!fd.valid() || ::fstat(fd.get(), &st) || !S_ISREG(st.st_mode))
			return 0;
		identities.push_back({static_cast<std::uint64_t>(st.st_size),
				      st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec,
				      st.st_ino, st.st_dev});
		files.push_back({name_of(other), std::move(fd)});
	}
	auto &[known, chunk] = chunks_[model];
	if (known != identities) {
		known = identities;
		chunk = outside_.chunk_for(files, config_.parser);
	}
	return chunk;
}

std::optional<ModelPart> Keeper::look_at(const itme::ObjectInfo &info)
{
	ModelPart part{info, {}, {}};
	auto mount = outside_.open_mount(config_.mount);

	if (!mount)
		return std::nullopt;
	auto file = mount->open(info.name);
	if (!file)
		return std::nullopt;
	const auto object = file->object();
	// Another one may have the name by now.
	if (!object || object->id != info.id)
		return std::nullopt;
	part.path = object->path;
	part.identity = {object->size,
			 outside_.mtime_of(object->path, object->lower_ino, object->lower_dev),
			 object->lower_ino, object->lower_dev};
	return part;
}

void Keeper::find_models(const std::vector<itme::ObjectInfo> &objects)
{
	std::map<std::uint32_t, const itme::ObjectInfo *> now;

	for (const auto &object : objects)
		if (!(object.flags & ITME_OBJECT_REMOVED))
			now[object.id] = &object;
	// A model of which a part is gone is another one, or none.
	std::erase_if(models_, [&](const auto &entry) {
		const auto &have = entry.second.have;
		return std::any_of(have.begin(), have.end(), [&](const auto &part) {
			return !now.contains(part.second.info.id);
		});
	});
	for (const auto &[id, object] : now) {
		const PartName name = part_of(object->name);
		Model &model = models_[name.model];
		model.name = name.model;
		model.parts = name.parts;
		if (const auto known = model.have.find(name.part); known != model.have.end()) {
			known->second.info = *object;
			continue;
		}
		if (auto part = look_at(*object))
			model.have.emplace(name.part, std::move(*part));
	}
	std::erase_if(models_, [](const auto &entry) { return entry.second.have.empty(); });
	for (auto &[name, model] : models_) {
		const bool used =
			std::any_of(model.have.begin(), model.have.end(),
				    [](const auto &part) { return part.second.info.opens != 0; });
		if (used != model.in_use)
			use_changed(model, used);
	}
}

void Keeper::use_changed(Model &model, bool in_use)
{
	model.in_use = in_use;
	if (in_use) {
		model.probe.reset();
		model.judge.begin(model.full.stages.size(), !model.left_out.empty());
		return;
	}
	// Who comes next may use it in another way.
	model.keep_full = false;
	const bool anew =
		model.useless && (model.phase == Phase::learning || model.phase == Phase::planned);
	model.useless = false;
	if (!model.cgroup.empty()) {
		model.cgroup.clear();
		record_of(model).holder = {};
		follow_rule(model);
	}
	if (model.phase == Phase::unused) {
		record_of(model).unused = false;
		install(model);
	} else if (anew) {
		remove_plan(model);
		advance(model);
	} else if (model.phase == Phase::planned && !model.left_out.empty()) {
		install(model);
	}
}

itme::Result<void> Keeper::refresh()
{
	const auto objects = family_->objects();

	if (!objects)
		return tl::unexpected(objects.error());
	find_models(*objects);
	const auto plans = family_->plans();
	if (!plans)
		return tl::unexpected(plans.error());
	find_plans(*plans);
	for (auto &[name, model] : models_) {
		if (model.phase == Phase::waiting && is_whole(model)) {
			model.rule =
				rule_for(config_, model.have.begin()->second.path, model.cgroup);
			adopt(model, *plans);
			advance(model);
		}
		if (model.phase == Phase::learning)
			keep_learned(model, *plans);
	}
	drop_strays(*plans);
	rebalance();
	return {};
}

itme::Result<void> Keeper::event(const itme::Event &event)
{
	switch (event.command) {
	case ITME_CMD_OBJECT_NEW_NTF:
	case ITME_CMD_OBJECT_GONE_NTF:
		return refresh();
	case ITME_CMD_STAGE_NTF:
		for (auto &[name, model] : models_)
			if (model.plan && model.plan == event.plan)
				model.judge.entered(event.stage.value_or(~0U));
		return {};
	case ITME_CMD_OBJECT_MAPPED_NTF:
		break;
	default:
		return {};
	}
	for (auto &[name, model] : models_)
		for (auto &[number, part] : model.have) {
			if (part.info.id != event.object || !is_whole(model))
				continue;
			part.info.opens = std::max(part.info.opens, 1U);
			if (!model.in_use)
				use_changed(model, true);
			if (!event.pid)
				continue;
			model.cgroup = outside_.cgroup_of(*event.pid, event.time);
			if (model.cgroup.empty())
				continue;
			record_of(model).holder = {outside_.boot, part.info.id, model.cgroup};
			follow_rule(model);
		}
	rebalance();
	return {};
}

itme::Result<void> Keeper::tick(std::uint64_t now)
{
	import_models();
	if (auto ret = refresh(); !ret)
		return ret;
	for (auto &[name, model] : models_)
		watch(model, now);
	rebalance();
	return {};
}

void Keeper::reload(Config config)
{
	config_ = std::move(config);
	said_.clear();
	if (!family_)
		return;
	apply_tiers();
	import_models();
	for (auto &[name, model] : models_)
		if (is_whole(model))
			follow_rule(model);
	if (const auto ret = refresh(); !ret)
		spdlog::warn("{}", printable(ret.error().message));
}

std::optional<ParseJob> Keeper::next_job()
{
	if (!family_)
		return std::nullopt;
	for (auto &[name, model] : models_) {
		if (model.phase != Phase::reading)
			continue;
		ParseJob job;
		job.model = name;
		// Parts of another size cover whole ones of these, or are covered.
		for (const auto &[number, part] : model.have)
			job.chunk = std::max(job.chunk, part.info.chunk_size);
		for (const auto &[number, part] : model.have) {
			auto fd = outside_.open_file(config_.mount, part.info.name);
			if (!fd) {
				model.phase = Phase::learning;
				model.note = fd.error().message;
				break;
			}
			job.files.push_back({part.info.name, std::move(*fd)});
		}
		if (model.phase == Phase::reading)
			return job;
	}
	return std::nullopt;
}

nlohmann::json describe(const Model &model)
{
	nlohmann::json json;
	std::uint64_t size = 0;
	std::uint64_t dram = 0;
	std::uint64_t cxl = 0;

	for (const auto &[number, part] : model.have) {
		size += part.info.size;
		dram += part.info.dram;
		cxl += part.info.cxl;
		json["files"].push_back(printable(part.info.name));
	}
	json["model"] = printable(model.name);
	json["phase"] = phase_name(model.phase);
	json["plan"] = model.plan ? nlohmann::json(model.plan) : nlohmann::json();
	json["origin"] = model.plan ? model.origin == Origin::learned ? "learned" : "header" : "";
	json["architecture"] = printable(model.architecture);
	json["left_out"] = static_cast<std::uint64_t>(
		std::count(model.left_out.begin(), model.left_out.end(), true));
	json["size"] = size;
	json["dram"] = dram;
	json["cxl"] = cxl;
	json["in_use"] = model.in_use;
	json["cgroup"] = printable(model.cgroup);
	json["unit"] = printable(unit_of(model.cgroup));
	json["stages"] = model.plan ? model.full.stages.size() : 0;
	json["triggers"] = model.plan ? model.full.triggers.size() : 0;
	json["budget"] = model.plan ? model.info.budget : 0;
	json["passes"] = model.plan ? model.info.passes : 0;
	json["jumps"] = model.plan ? model.info.jumps : 0;
	json["note"] = printable(model.note);
	return json;
}

} // namespace itmed
