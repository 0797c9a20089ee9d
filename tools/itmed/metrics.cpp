// SPDX-License-Identifier: GPL-2.0
#include "metrics.hpp"

#include "names.hpp"
#include "netlink/family.hpp"
#include "printable.hpp"

#include <cerrno>
#include <exception>
#include <prometheus/text_serializer.h>

namespace itmed
{
namespace
{

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// One family, filled bit by bit.
class Builder
{
public:
	Builder(std::string name, std::string help, MetricType type)
	{
		family_.name = std::move(name);
		family_.help = std::move(help);
		family_.type = type;
	}

	ClientMetric &add(Labels labels = {})
	{
		auto &metric = family_.metric.emplace_back();
		metric.label = std::move(labels);
		return metric;
	}

	void counter(std::uint64_t value, Labels labels = {})
	{
		add(std::move(labels)).counter.value = static_cast<double>(value);
	}

	void gauge(std::uint64_t value, Labels labels = {})
	{
		add(std::move(labels)).gauge.value = static_cast<double>(value);
	}

	void into(std::vector<MetricFamily> &families)
	{
		if (!family_.metric.empty())
			families.push_back(std::move(family_));
	}

private:
	MetricFamily family_;
};

Labels labels_of(const Owner &owner)
{
	return {{"model", printable(owner.model)}, {"cgroup", printable(owner.cgroup)}};
}

void add_tiers(std::vector<MetricFamily> &families, const std::vector<itme::Tier> &tiers)
{
	struct Field {
		const char *name;
		const char *help;
		std::uint64_t itme::Tier::*member;
	};

	for (const auto &[name, help, member] :
	     {Field{"capacity", "Memory of the nodes of the tier", &itme::Tier::capacity},
	      Field{"budget", "What ITME may hold of it", &itme::Tier::budget},
	      Field{"used", "What it holds", &itme::Tier::used},
	      Field{"pinned", "Of that, what may not leave", &itme::Tier::pinned},
	      Field{"busy", "Of that, what something else holds", &itme::Tier::busy}}) {
		Builder builder(fmt::format("itme_tier_{}_bytes", name), help, MetricType::Gauge);
		for (const auto &tier : tiers)
			builder.gauge(tier.*member,
				      {{"tier", std::string(itme::tier_name(tier.tier))}});
		builder.into(families);
	}
}

void add_objects(std::vector<MetricFamily> &families, const std::vector<itme::ObjectInfo> &objects)
{
	Builder bytes("itme_file_bytes", "Where the bytes of a file are", MetricType::Gauge);
	std::size_t count = 0;

	for (const auto &object : objects) {
		if (++count > Accounts::accounts_max)
			break;
		const std::string name = printable(object.name);
		bytes.gauge(object.dram, {{"file", name}, {"tier", "dram"}});
		bytes.gauge(object.cxl, {{"file", name}, {"tier", "cxl"}});
		bytes.gauge(object.nvme, {{"file", name}, {"tier", "nvme"}});
	}
	bytes.into(families);
}

} // namespace

void Metrics::charge() const
{
	const std::lock_guard lock(mutex_);
	auto channel = open_channel_();

	if (!channel)
		return;
	itme::Family family(std::move(*channel));
	for (const auto object : accounts_->objects())
		if (const auto stats = family.stats(object))
			accounts_->charge(object, *stats);
}

void Metrics::add_module(std::vector<MetricFamily> &families) const
{
	const std::lock_guard lock(mutex_);
	auto channel = open_channel_();

	if (!channel)
		return;
	itme::Family family(std::move(*channel));
	if (const auto tiers = family.tiers())
		add_tiers(families, *tiers);
	if (const auto objects = family.objects())
		add_objects(families, *objects);
	if (const auto stats = family.stats())
		for (const auto &counter : counters()) {
			Builder builder(fmt::format("itme_{}_total", counter.name), counter.help,
					MetricType::Counter);
			builder.counter(stats->counters.*counter.member);
			builder.into(families);
		}
	if (const auto plans = family.plans()) {
		Builder passes("itme_plan_passes_total", "How often somebody came to the end",
			       MetricType::Counter);
		Builder jumps("itme_plan_jumps_total", "Uses that were not expected there",
			      MetricType::Counter);
		for (const auto &plan : *plans) {
			const Labels labels{{"id", std::to_string(plan.id)},
					    {"plan", printable(plan.name)}};
			passes.counter(plan.passes, labels);
			jumps.counter(plan.jumps, labels);
		}
		passes.into(families);
		jumps.into(families);
	}
}

void Metrics::add_accounts(std::vector<MetricFamily> &families) const
{
	const auto all = accounts_->all();

	for (const auto &counter : counters()) {
		Builder builder(fmt::format("itme_model_{}_total", counter.name), counter.help,
				MetricType::Counter);
		for (const auto &[owner, account] : all)
			builder.counter(account.counters.*counter.member, labels_of(owner));
		builder.into(families);
	}
	Builder stalls("itme_model_stall_seconds",
		       "Waits as long as the stall threshold of the module, or longer",
		       MetricType::Histogram);
	for (const auto &[owner, account] : all) {
		auto &histogram = stalls.add(labels_of(owner)).histogram;
		std::uint64_t sum = 0;
		for (std::size_t i = 0; i < StallHistogram::bounds.size(); i++) {
			sum += account.stalls.counts.at(i);
			histogram.bucket.push_back({sum, StallHistogram::bounds.at(i)});
		}
		sum += account.stalls.counts.back();
		histogram.bucket.push_back({sum, std::numeric_limits<double>::infinity()});
		histogram.sample_count = sum;
		histogram.sample_sum = account.stalls.seconds;
	}
	stalls.into(families);
}

void Metrics::add_daemon(std::vector<MetricFamily> &families) const
{
	const auto add = [&](const char *name, const char *help, std::uint64_t value) {
		Builder builder(name, help, MetricType::Counter);
		builder.counter(value);
		builder.into(families);
	};
	Builder up("itmed_connected", "Is there an itmefs?", MetricType::Gauge);

	up.gauge(connected);
	up.into(families);
	add("itmed_events_total", "Events of the module", events);
	add("itmed_events_lost_total", "Events that came too fast", events_lost);
	add("itmed_pressure_events_total", "Times the kernel asked for memory", pressure_events);
	add("itmed_headers_failed_total", "Headers that could not be read", headers_failed);
}

std::vector<MetricFamily> Metrics::Collect() const
{
	std::vector<MetricFamily> families;

	charge();
	add_module(families);
	add_accounts(families);
	add_daemon(families);
	return families;
}

std::string Metrics::text() const
{
	return prometheus::TextSerializer().Serialize(Collect());
}

itme::Result<std::unique_ptr<MetricsServer>>
MetricsServer::start(const std::string &listen, const std::shared_ptr<Metrics> &metrics)
{
	try {
		std::unique_ptr<MetricsServer> server(new MetricsServer(listen));
		server->exposer_.RegisterCollectable(metrics);
		return server;
	} catch (const std::exception &error) {
		return itme::fail(EADDRNOTAVAIL, "metrics cannot be served on {}: {}", listen,
				  error.what());
	}
}

} // namespace itmed
