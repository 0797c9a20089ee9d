// SPDX-License-Identifier: GPL-2.0
// itmectl monitor
#include "monitor.hpp"

#include "app.hpp"
#include "plans.hpp"
#include "wait.hpp"

#include "size.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fmt/chrono.h>
#include <memory>
#include <set>

namespace itmectl
{
namespace
{

struct Arguments {
	std::vector<std::string> filter;
	std::uint64_t count = 0;
};

/// Commands of the events that are wanted; empty for all.
itme::Result<std::set<std::uint8_t>> parse_filter(const std::vector<std::string> &words)
{
	std::set<std::uint8_t> wanted;

	for (const auto &word : words) {
		const auto *at =
			std::find_if(itme::event_names.begin(), itme::event_names.end(),
				     [&](const auto &entry) { return entry.second == word; });
		if (at == itme::event_names.end()) {
			std::vector<std::string_view> names;
			names.reserve(itme::event_names.size());
			for (const auto &[command, name] : itme::event_names)
				names.push_back(name);
			return itme::fail(EINVAL, "'{}' is not an event; they are {}", word,
					  fmt::join(names, ", "));
		}
		wanted.insert(at->first);
	}
	return wanted;
}

std::uint64_t clock_ns(clockid_t clock)
{
	timespec now{};

	::clock_gettime(clock, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

std::string time_text(std::uint64_t realtime)
{
	const auto seconds = static_cast<std::time_t>(realtime / 1'000'000'000);
	std::tm tm{};

	::localtime_r(&seconds, &tm);
	return fmt::format("{:%H:%M:%S}.{:03}", tm, realtime / 1'000'000 % 1000);
}

/// Prints, and counts what it has printed and what was lost.
class Printer
{
public:
	Printer(Context &ctx, EventNames names, std::set<std::uint8_t> wanted) :
		ctx_(&ctx), names_(std::move(names)), wanted_(std::move(wanted))
	{
	}

	void print(const itme::Event &event)
	{
		const std::uint64_t now = clock_ns(CLOCK_REALTIME);
		const std::uint64_t age = clock_ns(CLOCK_MONOTONIC) - event.time;

		if (event.lost)
			lost(event.lost);
		names_.see(event);
		// One of a newer module is none of those that can be wished for.
		if (!wanted_.empty() && !wanted_.contains(event.command))
			return;
		if (ctx_->json)
			line(event_json(event, names_, now - age)
				     .dump(-1, ' ', false, Json::error_handler_t::replace));
		else
			line(event_line(event, names_, now - age, ctx_->bytes));
		printed_++;
	}

	/// 0: nobody knows how many.
	void lost(std::uint64_t count)
	{
		lost_ += count;
		lost_unknown_ = lost_unknown_ || !count;
		if (ctx_->json)
			line(Json{{"time_ns", clock_ns(CLOCK_REALTIME)},
				  {"event", "lost"},
				  {"count", count ? Json(count) : Json()}}
				     .dump());
		else
			line(fmt::format("{} {:<13} {}", time_text(clock_ns(CLOCK_REALTIME)),
					 "lost", count ? std::to_string(count) : "unknown"));
	}

	std::uint64_t printed() const { return printed_; }

	/// Whoever reads us has gone, or the disk is full.
	bool broken() const { return std::ferror(ctx_->env().out) != 0; }

	void sum_up() const
	{
		if (lost_ || lost_unknown_)
			ctx_->warn(fmt::format("{}{} events were lost",
					       lost_unknown_ ? "more than " : "", lost_));
	}

private:
	void line(const std::string &text) const
	{
		ctx_->print(text + "\n");
		std::fflush(ctx_->env().out);
	}

	Context *ctx_;
	EventNames names_;
	std::set<std::uint8_t> wanted_;
	std::uint64_t printed_ = 0;
	std::uint64_t lost_ = 0;
	bool lost_unknown_ = false;
};

/// Without a mount there are none, which is no reason not to listen.
EventNames names_of(const std::shared_ptr<itme::Family> &family)
{
	return {[family] {
			std::map<std::uint32_t, std::string> names;
			if (const auto objects = family->objects())
				for (const auto &object : *objects)
					names[object.id] = object.name;
			return names;
		},
		[family] {
			std::map<std::uint32_t, std::string> names;
			if (const auto plans = family->plans())
				for (const auto &plan : *plans)
					names[plan.id] = plan.name;
			return names;
		}};
}

/// Until a signal, the count, or an error.
itme::Result<void> listen(itme::Channel &channel, Printer &printer, const Arguments &args)
{
	const Signals signals{SIGINT, SIGTERM, SIGHUP};

	while (!printer.broken()) {
		wait_readable({channel.fd(), signals.fd()});
		if (signals.take())
			return {};
		const auto heard = channel.hear();
		if (!heard)
			return tl::unexpected(heard.error());
		for (const auto &message : heard->events) {
			printer.print(itme::event_of(message));
			if (args.count && printer.printed() >= args.count)
				return {};
		}
		if (heard->overrun)
			printer.lost(0);
		if (heard->gone)
			return itme::fail(ENODEV, "the itme module has been unloaded");
	}
	return {};
}

int monitor(Context &ctx, const Arguments &args)
{
	const auto wanted = parse_filter(args.filter);

	if (!wanted) {
		ctx.fail(wanted.error());
		return exit_usage;
	}
	auto channel = ctx.env().open_channel();
	if (!channel)
		return ctx.fail(channel.error());
	if (const auto ret = (*channel)->listen(); !ret)
		return ctx.fail(ret.error());
	// Another socket, so that answers and events do not mix.
	auto family = ctx.family();
	if (!family)
		return ctx.fail(family.error());
	Printer printer(ctx, names_of(std::make_shared<itme::Family>(std::move(*family))), *wanted);
	const auto ret = listen(**channel, printer, args);
	printer.sum_up();
	return ret ? exit_ok : ctx.fail(ret.error());
}

} // namespace

std::string EventNames::find(Names &names, const Ask &ask, std::uint32_t id)
{
	if (!names.contains(id)) {
		for (const auto &[number, name] : ask())
			names[number] = name;
		// What has none now is not asked for again.
		names.try_emplace(id);
	}
	return names[id];
}

void EventNames::see(const itme::Event &event)
{
	if (!event.object)
		return;
	if (event.name)
		objects_[*event.object] = *event.name;
	// Written files come and go without: not a reason to ask for all names each time.
	else if (event.command == ITME_CMD_OBJECT_NEW_NTF ||
		 event.command == ITME_CMD_OBJECT_GONE_NTF)
		objects_.try_emplace(*event.object);
	// It may be the first one of another mount, where plans are numbered anew.
	if (event.command == ITME_CMD_OBJECT_NEW_NTF)
		plans_.clear();
}

std::string event_line(const itme::Event &event, EventNames &names, std::uint64_t realtime,
		       bool bytes)
{
	const auto known = itme::event_name(event.command);
	const auto size = [&](std::uint64_t value) {
		return bytes ? std::to_string(value) : itme::format_size(value);
	};
	std::string text = fmt::format("{} {:<13}", time_text(realtime),
				       known.empty() ? fmt::format("event-{}", event.command)
						     : std::string(known));

	if (event.object) {
		const auto name = names.object(*event.object);
		text += name.empty() ? fmt::format(" object {}", *event.object)
				     : fmt::format(" {} ({})", printable(name), *event.object);
	}
	if (event.plan) {
		const auto name = names.plan(*event.plan);
		text += fmt::format(" plan {}", *event.plan);
		text += name.empty() ? "" : fmt::format(" ({})", printable(name));
	}
	if (event.stage)
		text += fmt::format(" stage {}", *event.stage);
	if (event.offset)
		text += fmt::format(" at {}", size(*event.offset));
	if (event.bytes)
		text += fmt::format(" {}", size(*event.bytes));
	if (event.ns)
		text += fmt::format(" {}", format_time(*event.ns));
	if (event.pid)
		text += fmt::format(", by process {}", *event.pid);
	if (event.error)
		text += fmt::format(": {}", std::strerror(static_cast<int>(*event.error)));
	return text;
}

Json event_json(const itme::Event &event, EventNames &names, std::uint64_t realtime)
{
	const auto known = itme::event_name(event.command);
	Json json = {{"time_ns", realtime},
		     {"monotonic_ns", event.time},
		     {"event",
		      known.empty() ? fmt::format("event-{}", event.command) : std::string(known)}};

	if (event.object) {
		json["object"] = *event.object;
		json["name"] = names.object(*event.object);
	}
	if (event.plan) {
		json["plan"] = *event.plan;
		json["plan_name"] = names.plan(*event.plan);
	}
	if (event.stage)
		json["stage"] = *event.stage;
	if (event.offset)
		json["offset"] = *event.offset;
	if (event.bytes)
		json["bytes"] = *event.bytes;
	if (event.ns)
		json["ns"] = *event.ns;
	if (event.error)
		json["errno"] = *event.error;
	if (event.pid)
		json["pid"] = *event.pid;
	return json;
}

void add_monitor(CLI::App &app, Context &ctx)
{
	CLI::App *sub =
		app.add_subcommand("monitor", "Print events as they come, until interrupted");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("--filter", args->filter,
			"Only these: object-new, object-gone, object-mapped, stage, stall, "
			"pressure, io-error")
		->type_name("EVENT,...")
		->delimiter(',')
		->allow_extra_args(false);
	sub->add_option("-c,--count", args->count, "Stop after so many")->type_name("N");
	sub->callback([&ctx, args] { ctx.status = monitor(ctx, *args); });
}

} // namespace itmectl
