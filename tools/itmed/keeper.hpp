// SPDX-License-Identifier: GPL-2.0
// Keeps a plan for each model: what it is made of, whether it fits, when it goes. All that it does
// to the machine goes through the module's two doors and Outside; it waits for nothing else.
#pragma once

#include "config.hpp"
#include "judge.hpp"
#include "mount.hpp"
#include "netlink/event.hpp"
#include "netlink/family.hpp"
#include "parser.hpp"
#include "reduce.hpp"
#include "rules.hpp"
#include "state.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace itmed
{

/// What surrounds the keeper; tests give another one.
struct Outside {
	std::function<itme::Result<std::unique_ptr<itme::Channel>>()> open_channel;
	std::function<itme::Result<itme::Mount>(const std::string &dir)> open_mount;
	std::function<std::string(std::uint32_t pid, std::uint64_t time)> cgroup_of;
	/// Of the file that path leads to, if it is still that one; else 0.
	std::function<std::int64_t(const std::string &path, std::uint64_t ino, std::uint64_t dev)>
		mtime_of;
	/// The file's own descriptor, for the parser.
	std::function<itme::Result<itme::Fd>(const std::string &mount, const std::string &name)>
		open_file;
	/// What the header of a model asks for, bytes; 0 if it does not tell. Waited for, but not
	/// long: an import is done before anybody is told that we are ready.
	std::function<std::uint32_t(const std::vector<ParserFile> &files,
				    const ParserLimits &limits)>
		chunk_for;
	std::string boot;
};

enum class Phase {
	waiting,  ///< for its other parts
	reading,  ///< its header is being read, or will be
	planned,  ///< it has a plan of ours
	learning, ///< the kernel is to learn its order
	unused,	  ///< it is not read any more though it is open
	manual,	  ///< somebody else has set a plan
	off,	  ///< nothing is done
};

std::string_view phase_name(Phase phase);

struct ModelPart {
	itme::ObjectInfo info;
	FileIdentity identity;
	std::string path;
};

/// A stage that has been taken out of memory to see whether it comes back.
struct Probe {
	std::size_t stage = 0;
	std::uint32_t entries = 0; ///< of it, until then
	std::uint64_t passes = 0;  ///< of the plan, until then
};

struct Model {
	std::string name; ///< of its files, but for the number of the part
	std::uint32_t parts = 1;
	std::map<std::uint32_t, ModelPart> have; ///< by number
	Phase phase = Phase::waiting;
	Origin origin = Origin::header;
	std::string architecture;
	std::string note; ///< why it is as it is
	std::uint32_t plan = 0;
	itme::PlanSpec full;
	std::vector<bool> left_out; ///< stages that are not used here; empty: none
	bool keep_full = false;	    ///< what was left out once was used after all
	bool useless = false;	    ///< who uses it now has no use for its header's plan
	Judge judge;
	std::optional<Probe> probe;
	std::optional<Sample> sample; ///< of the last look
	itme::PlanInfo info;
	Rule rule;
	std::string cgroup; ///< of who maps it; empty: not known
	bool in_use = false;
};

/// Headers that are to be read.
struct ParseJob {
	std::string model;
	std::vector<ParserFile> files;
	std::uint32_t chunk = 0;
};

class Keeper
{
public:
	Keeper(Config config, State state, Outside outside);

	/// The module is there: what has it got? ENODEV: it is not.
	itme::Result<void> connect();
	/// It is gone, and all its plans with it.
	void disconnect();

	bool connected() const { return family_ != nullptr; }

	/// The error means that the module is gone.
	itme::Result<void> event(const itme::Event &event);
	itme::Result<void> tick(std::uint64_t now);
	void reload(Config config);

	std::optional<ParseJob> next_job();
	void parsed(const std::string &model, itme::Result<ParsedModel> result);

	/// Read the header once more, whatever has been learned.
	itme::Result<void> replan(const std::string &model);

	const std::map<std::string, Model> &models() const { return models_; }

	const Config &config() const { return config_; }

	/// Of the file with that number, its model; or null.
	const Model *model_of(std::uint32_t object) const;
	bool in_use() const;

	/// The state as it is to be kept, if it may have changed since the last time.
	std::optional<std::string> changed_state();

	/// Are events of stages of any use now?
	bool wants_stages() const;

private:
	using Plans = std::vector<itme::PlanInfo>;

	itme::Result<void> refresh();
	void find_models(const std::vector<itme::ObjectInfo> &objects);
	std::optional<ModelPart> look_at(const itme::ObjectInfo &object);
	void use_changed(Model &model, bool in_use);
	void find_plans(const Plans &plans);
	void adopt(Model &model, const Plans &plans);
	void drop_strays(const Plans &plans);
	void advance(Model &model);
	bool from_record(Model &model);
	void keep_learned(Model &model, const Plans &plans);
	void watch(Model &model, std::uint64_t now);
	void act(Model &model, Verdict verdict);
	void reduce(Model &model);
	void rebalance();
	bool install(Model &model, std::vector<bool> left_out = {});
	void remove_plan(Model &model);
	void follow_rule(Model &model);
	void apply_tiers();
	void import_models();
	void import_one(const ModelConfig &config);
	std::uint32_t chunk_for(const ModelConfig &config);
	itme::Result<Sample> sample(const Model &model, std::uint64_t now);
	const std::set<std::uint32_t> &members(const itme::PlanInfo &plan);
	Record &record_of(const Model &model);
	Record *find_record(const Model &model);
	void say_once(const std::string &about, const std::string &text);

	Config config_;
	State state_;
	bool changed_ = false;
	Outside outside_;
	std::unique_ptr<itme::Family> family_;
	std::map<std::string, Model> models_;
	/// Files that the plans of others name, which do not change under one number and size.
	std::map<std::pair<std::uint32_t, std::uint64_t>, std::set<std::uint32_t>> members_;
	std::map<std::string, std::string> said_;
	/// Of models, the chunk that the files ask for which it had then.
	std::map<std::string, std::pair<std::vector<FileIdentity>, std::uint32_t>> chunks_;
};

/// The files of a model, as a plan may speak of them.
std::vector<KnownFile> files_of(const Model &model);

/// For `itmectl status`.
nlohmann::json describe(const Model &model);

} // namespace itmed
