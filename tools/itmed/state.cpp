// SPDX-License-Identifier: GPL-2.0
#include "state.hpp"

#include "fd.hpp"
#include "model/model.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace itmed
{
namespace
{

using Json = nlohmann::ordered_json;

constexpr int version = 1;
constexpr std::size_t file_max = std::size_t{64} << 20;
constexpr std::size_t files_max = 1024; ///< of a model
constexpr const char *file_name = "itmed.json";

template <class T>
std::optional<T> number(const Json &json, const char *key)
{
	const auto at = json.find(key);

	if (at == json.end() || !at->is_number_integer())
		return std::nullopt;
	if constexpr (std::is_unsigned_v<T>) {
		if (!at->is_number_unsigned() ||
		    at->template get<std::uint64_t>() > std::numeric_limits<T>::max())
			return std::nullopt;
	}
	return at->template get<T>();
}

std::optional<std::string> text(const Json &json, const char *key)
{
	const auto at = json.find(key);

	return at != json.end() && at->is_string() ? std::optional(at->get<std::string>())
						   : std::nullopt;
}

bool flag(const Json &json, const char *key)
{
	const auto at = json.find(key);

	return at != json.end() && at->is_boolean() && at->get<bool>();
}

std::optional<KeptFile> parse_file(const Json &json)
{
	if (!json.is_object())
		return std::nullopt;
	const auto name = text(json, "name");
	const auto size = number<std::uint64_t>(json, "size");
	const auto mtime = number<std::int64_t>(json, "mtime");
	const auto ino = number<std::uint64_t>(json, "ino");
	const auto dev = number<std::uint64_t>(json, "dev");
	if (!name || name->empty() || !size || !mtime || !ino || !dev)
		return std::nullopt;
	return KeptFile{*name, {*size, *mtime, *ino, *dev}};
}

/// A plan speaks of the files of its record only.
bool names_only(const itme::PlanFile &plan, const std::vector<KeptFile> &files)
{
	std::set<std::string_view> known;
	for (const auto &file : files)
		known.insert(file.name);
	const auto fine = [&](const itme::FileRange &range) {
		return known.contains(range.file) && range.length;
	};

	return known.size() == files.size() &&
	       std::all_of(plan.stages.begin(), plan.stages.end(),
			   [&](const auto &stage) {
				   return std::all_of(stage.begin(), stage.end(), fine);
			   }) &&
	       std::all_of(plan.triggers.begin(), plan.triggers.end(), [&](const auto &trigger) {
		       return fine(trigger.source) &&
			      std::all_of(trigger.targets.begin(), trigger.targets.end(), fine);
	       });
}

void parse_holder(const Json &json, Holder &holder)
{
	const auto at = json.find("holder");

	if (at == json.end() || !at->is_object())
		return;
	holder.boot = text(*at, "boot").value_or("");
	if (holder.boot.empty())
		return;
	holder.object = number<std::uint32_t>(*at, "object").value_or(0);
	holder.cgroup = text(*at, "cgroup").value_or("");
}

std::optional<Record> parse_record(const Json &json)
{
	Record record;

	if (!json.is_object())
		return std::nullopt;
	const auto files = json.find("files");
	if (files == json.end() || !files->is_array() || files->empty() ||
	    files->size() > files_max)
		return std::nullopt;
	for (const auto &one : *files) {
		auto file = parse_file(one);
		if (!file)
			return std::nullopt;
		record.files.push_back(std::move(*file));
	}
	const auto origin = text(json, "origin");
	if (origin != "header" && origin != "learned")
		return std::nullopt;
	record.origin = origin == "learned" ? Origin::learned : Origin::header;
	record.wrong_header = flag(json, "wrong_header");
	record.unused = flag(json, "unused");
	record.day = number<std::int64_t>(json, "day").value_or(0);
	record.chunk = number<std::uint32_t>(json, "chunk").value_or(0);
	if (record.chunk && !itme::is_chunk(record.chunk))
		return std::nullopt;
	parse_holder(json, record.holder);
	if (const auto plan = text(json, "plan")) {
		auto parsed = itme::parse_plan(*plan);
		if (!parsed || !names_only(*parsed, record.files))
			return std::nullopt;
		record.plan = std::move(*parsed);
	}
	return record;
}

Json json_of(const Record &record)
{
	Json json;

	for (const auto &file : record.files)
		json["files"].push_back({{"name", file.name},
					 {"size", file.identity.size},
					 {"mtime", file.identity.mtime},
					 {"ino", file.identity.ino},
					 {"dev", file.identity.dev}});
	json["origin"] = record.origin == Origin::learned ? "learned" : "header";
	json["wrong_header"] = record.wrong_header;
	json["unused"] = record.unused;
	json["day"] = record.day;
	if (record.chunk)
		json["chunk"] = record.chunk;
	if (!record.holder.boot.empty())
		json["holder"] = {{"boot", record.holder.boot},
				  {"object", record.holder.object},
				  {"cgroup", record.holder.cgroup}};
	if (record.plan)
		if (const auto plan = itme::format_plan(*record.plan))
			json["plan"] = *plan;
	return json;
}

itme::Result<void> write_all(int fd, std::string_view text)
{
	while (!text.empty()) {
		const auto done = ::write(fd, text.data(), text.size());
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return itme::fail(done < 0 ? errno : EIO, "{}", std::strerror(errno));
		text.remove_prefix(static_cast<std::size_t>(done));
	}
	return {};
}

} // namespace

Record *State::find(const std::vector<FileIdentity> &files)
{
	const auto at = std::find_if(records.begin(), records.end(), [&](const Record &record) {
		return std::equal(record.files.begin(), record.files.end(), files.begin(),
				  files.end(), [](const KeptFile &kept, const FileIdentity &id) {
					  return kept.identity == id;
				  });
	});

	return at == records.end() ? nullptr : &*at;
}

Record &State::at(const std::vector<KeptFile> &files)
{
	std::vector<FileIdentity> identities;
	identities.reserve(files.size());
	for (const auto &file : files)
		identities.push_back(file.identity);
	if (Record *record = find(identities)) {
		// It may have been imported under another name since.
		if (record->files != files) {
			record->files = files;
			record->plan.reset();
		}
		return *record;
	}
	if (records.size() >= records_max)
		records.erase(std::min_element(
			records.begin(), records.end(),
			[](const Record &a, const Record &b) { return a.day < b.day; }));
	Record &record = records.emplace_back();
	record.files = files;
	return record;
}

itme::Result<State> parse_state(std::string_view input)
{
	const Json json = Json::parse(input, nullptr, false);
	State state;

	if (!json.is_object())
		return itme::fail(EINVAL, "it is not JSON, or no object");
	if (number<std::int64_t>(json, "version") != version)
		return itme::fail(EINVAL, "it is of another version of itmed");
	const auto models = json.find("models");
	if (models == json.end() || !models->is_array())
		return itme::fail(EINVAL, "it has no list of models");
	for (const auto &one : *models) {
		if (state.records.size() == records_max)
			break;
		if (auto record = parse_record(one))
			state.records.push_back(std::move(*record));
	}
	return state;
}

std::string format_state(const State &state)
{
	Json models = Json::array();

	for (const auto &record : state.records)
		models.push_back(json_of(record));
	return Json{{"version", version}, {"models", std::move(models)}}.dump(
		       1, ' ', false, Json::error_handler_t::replace) +
	       "\n";
}

itme::Result<State> load_state(const std::string &dir)
{
	const std::string path = dir + "/" + file_name;
	const itme::Fd file(
		::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));

	struct stat st {
	};

	if (!file.valid() && errno == ENOENT)
		return State{};
	if (!file.valid() || ::fstat(file.get(), &st))
		return itme::fail(errno, "{}: {}", path, std::strerror(errno));
	if (!S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) > file_max)
		return itme::fail(EINVAL, "{}: not a file of at most 64 MiB", path);
	std::string input(static_cast<std::size_t>(st.st_size), '\0');
	std::size_t have = 0;
	while (have < input.size()) {
		const auto got = ::read(file.get(), input.data() + have, input.size() - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return itme::fail(errno, "{}: {}", path, std::strerror(errno));
		if (got == 0)
			break;
		have += static_cast<std::size_t>(got);
	}
	input.resize(have);
	auto state = parse_state(input);
	if (!state)
		return itme::fail(state.error().code, "{}: {}", path, state.error().message);
	return state;
}

itme::Result<void> save_state(const std::string &dir, const std::string &content)
{
	const std::string path = dir + "/" + file_name;
	const std::string next = path + ".new";
	const itme::Fd directory(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const auto failed = [&](int code) {
		return itme::fail(code, "{}: {}", path, std::strerror(code));
	};

	if (!directory.valid())
		return failed(errno);
	// One that was left by a crash is no reason not to write.
	::unlink(next.c_str());
	{
		const itme::Fd file(::open(
			next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
		if (!file.valid())
			return failed(errno);
		if (const auto ret = write_all(file.get(), content); !ret)
			return failed(ret.error().code);
		if (::fsync(file.get()))
			return failed(errno);
	}
	if (::rename(next.c_str(), path.c_str()) || ::fsync(directory.get()))
		return failed(errno);
	return {};
}

} // namespace itmed
