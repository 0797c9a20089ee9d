// SPDX-License-Identifier: GPL-2.0
#include "config.hpp"

#include "size.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <limits>
#include <linux/itme.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <utility>

#include "fd.hpp"

namespace itmed
{
namespace
{

constexpr std::size_t file_max = std::size_t{1} << 20;
constexpr std::size_t entries_max = 1024;
/// What fits struct sockaddr_un.
constexpr std::size_t socket_max = 107;

using Setter = std::function<void(const toml::node &)>;

struct Key {
	std::string_view name;
	Setter set;
};

/// Collects what is wrong; goes on, so that all of it is told at once.
class Reader
{
public:
	explicit Reader(ConfigResult &result) : result_(&result) {}

	void problem(const toml::node &node, std::string what, std::string remedy)
	{
		const auto &at = node.source().begin;
		result_->problems.push_back(
			{at.line, at.column, std::move(what), std::move(remedy)});
	}

	void table(const toml::node &node, std::string_view where, const std::vector<Key> &keys)
	{
		const auto *table = node.as_table();
		if (!table) {
			problem(node, fmt::format("'{}' is not a table", where),
				fmt::format("write [{}] and its keys below", where));
			return;
		}
		for (const auto &[name, value] : *table) {
			const std::string_view text = name.str();
			const auto key = std::find_if(keys.begin(), keys.end(),
						      [&](const Key &k) { return k.name == text; });
			if (key == keys.end())
				problem(value, fmt::format("no key '{}' in {}", text, where),
					fmt::format("there are {}", names(keys)));
			else
				key->set(value);
		}
	}

	Setter text(std::string &out, std::string_view what)
	{
		return [this, &out, what](const toml::node &node) {
			const auto value = node.value_exact<std::string>();
			if (!value || value->find('\0') != std::string::npos)
				problem(node, fmt::format("{} is not a string", what),
					"put it in \"quotes\"");
			else
				out = *value;
		};
	}

	/// Absolute, without "..".
	Setter path(std::string &out, std::string_view what,
		    std::size_t longest = std::size_t{4095})
	{
		return [this, &out, what, longest](const toml::node &node) {
			const auto value = node.value_exact<std::string>();
			if (!value || !value->starts_with('/') || value->size() > longest ||
			    value->find('\0') != std::string::npos)
				problem(node, fmt::format("{} is not an absolute path", what),
					fmt::format("write \"/...\", of {} bytes at most",
						    longest));
			else
				out = *value;
		};
	}

	Setter size(std::uint64_t &out, std::string_view what, std::uint64_t least = 0)
	{
		return [this, &out, what, least](const toml::node &node) {
			if (const auto bytes = size_of(node); bytes && *bytes >= least)
				out = *bytes;
			else
				problem(node, fmt::format("{} is not a size", what),
					fmt::format("write bytes, or \"16G\"; {} at least",
						    itme::format_size(least)));
		};
	}

	Setter optional_size(std::optional<std::uint64_t> &out, std::string_view what)
	{
		return [this, &out, what](const toml::node &node) {
			std::uint64_t bytes = 0;
			const auto before = result_->problems.size();
			size(bytes, what)(node);
			if (result_->problems.size() == before)
				out = bytes;
		};
	}

	template <class Duration>
	Setter duration(Duration &out, std::string_view what, Duration least, Duration most)
	{
		return [this, &out, what, least, most](const toml::node &node) {
			const auto value = duration_of(node);
			if (!value || *value < least || *value > most)
				problem(node, fmt::format("{} is not a time", what),
					fmt::format(
						"write seconds, or \"500ms\", \"10s\", \"5min\"; "
						"{}s to {}s",
						std::chrono::duration<double>(least).count(),
						std::chrono::duration<double>(most).count()));
			else
				out = std::chrono::duration_cast<Duration>(*value);
		};
	}

	template <class T>
	Setter word(T &out, std::string_view what,
		    std::vector<std::pair<std::string_view, T>> words)
	{
		return [this, &out, what, words = std::move(words)](const toml::node &node) {
			const auto value = node.value_exact<std::string>();
			for (const auto &[name, meaning] : words)
				if (value && *value == name) {
					out = meaning;
					return;
				}
			std::string list;
			for (const auto &[name, meaning] : words)
				list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name);
			problem(node, fmt::format("{} is unknown", what),
				fmt::format("write one of {}", list));
		};
	}

	/// An array of tables; begin makes a new entry and tells its keys.
	template <class Entry>
	void entries(const toml::node &node, std::string_view where, std::vector<Entry> &out,
		     const std::function<std::vector<Key>(Entry &)> &keys)
	{
		const auto *array = node.as_array();
		if (!array || array->size() > entries_max) {
			problem(node,
				fmt::format("'{}' is no list of at most {}", where, entries_max),
				fmt::format("write [[{}]] for each", where));
			return;
		}
		out.reserve(array->size());
		for (const auto &one : *array)
			table(one, where, keys(out.emplace_back()));
	}

private:
	static std::string names(const std::vector<Key> &keys)
	{
		std::string list;
		for (const auto &key : keys)
			list += fmt::format("{}{}", list.empty() ? "" : ", ", key.name);
		return list;
	}

	static std::optional<std::uint64_t> size_of(const toml::node &node)
	{
		if (const auto number = node.value_exact<std::int64_t>(); number && *number >= 0)
			return static_cast<std::uint64_t>(*number);
		if (const auto text = node.value_exact<std::string>())
			if (const auto size = itme::parse_size(*text))
				return *size;
		return std::nullopt;
	}

	static std::optional<std::chrono::duration<double>> duration_of(const toml::node &node)
	{
		using Seconds = std::chrono::duration<double>;
		constexpr std::array<std::pair<std::string_view, double>, 4> units{
			{{"ms", 0.001}, {"s", 1}, {"min", 60}, {"h", 3600}}};

		if (const auto number = node.value_exact<std::int64_t>())
			return Seconds(static_cast<double>(*number));
		if (const auto number = node.value_exact<double>();
		    number && std::isfinite(*number))
			return Seconds(*number);
		const auto text = node.value_exact<std::string>();
		if (!text)
			return std::nullopt;
		double value = 0;
		const char *end = text->data() + text->size();
		const auto [rest, ec] = std::from_chars(text->data(), end, value);
		if (ec != std::errc() || !std::isfinite(value))
			return std::nullopt;
		const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
		for (const auto &[name, seconds] : units)
			if (unit == name)
				return Seconds(value * seconds);
		return std::nullopt;
	}

	ConfigResult *result_;
};

std::vector<Key> tier_keys(Reader &reader, TierConfig &tier, bool can_online)
{
	std::vector<Key> keys{{"budget", reader.optional_size(tier.budget, "the budget")}};

	if (can_online)
		keys.push_back({"online", reader.word<Online>(tier.online, "'online'",
							      {{"no", Online::no},
							       {"movable", Online::movable},
							       {"kernel", Online::kernel}})});
	return keys;
}

Setter log_level(Reader &reader, std::string &out)
{
	return reader.word<std::string>(
		out, "the level",
		{{"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}});
}

/// 127.0.0.1:9464, [::1]:9464
bool is_listen_address(const std::string &text)
{
	const std::size_t colon = text.rfind(':');
	unsigned int port = 0;
	std::array<unsigned char, 16> address{};

	if (colon == std::string::npos || colon == 0)
		return false;
	const char *end = text.data() + text.size();
	const auto [rest, ec] = std::from_chars(text.data() + colon + 1, end, port);
	if (ec != std::errc() || rest != end || !port || port > 65535)
		return false;
	std::string host = text.substr(0, colon);
	if (host.starts_with('[') && host.ends_with(']') && host.size() > 2)
		return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(),
				   address.data()) == 1;
	return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1;
}

Setter listen_address(Reader &reader, std::string &out)
{
	return [&reader, &out](const toml::node &node) {
		const auto value = node.value_exact<std::string>();
		if (value && (value->empty() || is_listen_address(*value)))
			out = *value;
		else
			reader.problem(node, "'listen' is not an address with a port",
				       R"(write "127.0.0.1:9464", or "" for none)");
	};
}

template <class Number>
Setter number(Reader &reader, Number &out, std::string_view what, int least, int most)
{
	return [&reader, &out, what, least, most](const toml::node &node) {
		const auto value = node.value_exact<std::int64_t>();
		if (value && *value >= least && *value <= most)
			out = static_cast<Number>(*value);
		else
			reader.problem(node, fmt::format("{} is not a number", what),
				       fmt::format("write {} to {}", least, most));
	};
}

Setter flag(Reader &reader, bool &out, std::string_view what)
{
	return [&reader, &out, what](const toml::node &node) {
		if (const auto value = node.value_exact<bool>())
			out = *value;
		else
			reader.problem(node, fmt::format("{} is neither true nor false", what),
				       "write one of them, without quotes");
	};
}

Setter share(Reader &reader, double &out)
{
	return [&reader, &out](const toml::node &node) {
		const auto value = node.value<double>();
		if (node.is_number() && value && *value > 0 && *value <= 1e6)
			out = *value;
		else
			reader.problem(node, "'share' is not a weight",
				       "write a number above 0; one without it has 1");
	};
}

Setter name(Reader &reader, std::string &out)
{
	return [&reader, &out](const toml::node &node) {
		const auto value = node.value_exact<std::string>();
		if (value && !value->empty() && value->size() <= ITME_NAME_MAX &&
		    value->find('/') == std::string::npos && *value != "." && *value != ".." &&
		    value->find('\0') == std::string::npos)
			out = *value;
		else
			reader.problem(
				node, "'name' cannot be a name",
				fmt::format("write a plain one of {} bytes at most, or leave "
					    "it out",
					    ITME_NAME_MAX));
	};
}

/// Each of them needs one.
template <class Entry>
void need_path(Reader &reader, const toml::node &node, const std::vector<Entry> &entries,
	       std::string_view what, std::string_view example)
{
	const auto *array = node.as_array();
	for (std::size_t i = 0; array && i < entries.size(); i++)
		if (entries[i].path.empty() && array->get(i)->is_table() &&
		    !array->get(i)->as_table()->contains("path"))
			reader.problem(*array->get(i), fmt::format("{} without a path", what),
				       fmt::format("write path = \"{}\"", example));
}

void read_models(Reader &reader, const toml::node &node, Config &config)
{
	reader.entries<ModelConfig>(node, "model", config.models, [&](ModelConfig &model) {
		return std::vector<Key>{{"path", reader.path(model.path, "'path'")},
					{"name", name(reader, model.name)},
					{"chunk", reader.size(model.chunk, "'chunk'", 64U << 10)}};
	});
	need_path(reader, node, config.models, "a model", "/models/x.gguf");
}

void read_swap(Reader &reader, const toml::node &node, Config &config)
{
	reader.entries<SwapConfig>(node, "swap", config.swap, [&](SwapConfig &swap) {
		return std::vector<Key>{
			{"path", reader.path(swap.path, "'path'")},
			{"priority", number(reader, swap.priority, "'priority'", 0, INT16_MAX)},
			{"check", flag(reader, swap.check, "'check'")}};
	});
	need_path(reader, node, config.swap, "a swap area", "/dev/disk/by-label/itme");
}

void read_rules(Reader &reader, const toml::node &node, Config &config)
{
	reader.entries<Rule>(node, "rule", config.rules, [&](Rule &rule) {
		return std::vector<Key>{
			{"path", reader.text(rule.path, "'path'")},
			{"cgroup", reader.text(rule.cgroup, "'cgroup'")},
			{"unit", reader.text(rule.unit, "'unit'")},
			{"plan", reader.word<PlanFrom>(rule.plan, "'plan'",
						       {{"auto", PlanFrom::automatic},
							{"header", PlanFrom::header},
							{"learned", PlanFrom::learned},
							{"none", PlanFrom::none}})},
			{"dram", reader.size(rule.dram, "'dram'")},
			{"lookahead", reader.size(rule.lookahead, "'lookahead'")},
			{"share", share(reader, rule.share)}};
	});
}

void read(Reader &reader, const toml::table &root, Config &config)
{
	using std::chrono::milliseconds;
	using std::chrono::seconds;

	const auto tiers = [&](const toml::node &node) {
		reader.table(node, "tier",
			     {{"dram",
			       [&](const toml::node &dram) {
				       reader.table(dram, "tier.dram",
						    tier_keys(reader, config.dram, false));
			       }},
			      {"cxl", [&](const toml::node &cxl) {
				       reader.table(cxl, "tier.cxl",
						    tier_keys(reader, config.cxl, true));
			       }}});
	};
	const auto parser = [&](const toml::node &node) {
		reader.table(node, "parser",
			     {{"memory", reader.size(config.parser.memory, "'memory'", 32U << 20)},
			      {"cpu", reader.duration(config.parser.cpu, "'cpu'", seconds(1),
						      seconds(3600))},
			      {"timeout", reader.duration(config.parser.timeout, "'timeout'",
							  seconds(1), seconds(3600))}});
	};
	const auto watch = [&](const toml::node &node) {
		reader.table(
			node, "watch",
			{{"interval", reader.duration(config.watch.interval, "'interval'",
						      milliseconds(200), milliseconds(3'600'000))},
			 {"unused", reader.duration(config.watch.unused, "'unused'", seconds(1),
						    seconds(86'400))},
			 {"wrong", number(reader, config.watch.wrong, "'wrong'", 1, 1000)}});
	};
	const auto metrics = [&](const toml::node &node) {
		reader.table(node, "metrics",
			     {{"listen", listen_address(reader, config.metrics_listen)}});
	};

	reader.table(root, "the file",
		     {{"mount", reader.path(config.mount, "'mount'")},
		      {"state_dir", reader.path(config.state_dir, "'state_dir'")},
		      {"socket", reader.path(config.socket, "'socket'", socket_max)},
		      {"group", reader.text(config.group, "'group'")},
		      {"log_level", log_level(reader, config.log_level)},
		      {"metrics", metrics},
		      {"parser", parser},
		      {"watch", watch},
		      {"tier", tiers},
		      {"model", [&](const toml::node &node) { read_models(reader, node, config); }},
		      {"swap", [&](const toml::node &node) { read_swap(reader, node, config); }},
		      {"rule", [&](const toml::node &node) { read_rules(reader, node, config); }}});
}

} // namespace

ConfigResult parse_config(std::string_view text)
{
	ConfigResult result;
	Reader reader(result);

	try {
		read(reader, toml::parse(text), result.config);
	} catch (const toml::parse_error &error) {
		const auto &at = error.source().begin;
		result.problems.push_back({at.line, at.column, std::string(error.description()),
					   "see https://toml.io for how TOML is written"});
	}
	return result;
}

ConfigResult load_config(const std::string &path)
{
	const auto refused = [](std::string what, std::string remedy) {
		return ConfigResult{{}, {{0, 0, std::move(what), std::move(remedy)}}};
	};
	const itme::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

	struct stat st {
	};

	if (!file.valid() || ::fstat(file.get(), &st))
		return refused(std::strerror(errno),
			       "name the file with --config, or copy the example");
	if (!S_ISREG(st.st_mode))
		return refused("not a regular file", "name another one with --config");
	std::string text(file_max + 1, '\0');
	std::size_t have = 0;
	while (have < text.size()) {
		const auto got = ::read(file.get(), text.data() + have, text.size() - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refused(std::strerror(errno), "name another file with --config");
		if (got == 0)
			break;
		have += static_cast<std::size_t>(got);
	}
	if (have > file_max)
		return refused("larger than 1 MiB", "this is no config of itmed");
	text.resize(have);
	return parse_config(text);
}

std::string format_problem(const std::string &path, const ConfigProblem &problem)
{
	if (!problem.line)
		return fmt::format("{}: {}; {}", path, problem.what, problem.remedy);
	return fmt::format("{}:{}:{}: {}; {}", path, problem.line, problem.column, problem.what,
			   problem.remedy);
}

} // namespace itmed
