// SPDX-License-Identifier: GPL-2.0
// Prometheus metrics: collected when somebody asks, by nobody's clock.
#pragma once

#include "accounts.hpp"
#include "netlink/channel.hpp"
#include "result.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <string>

namespace itmed
{

class Metrics final : public prometheus::Collectable
{
public:
	using OpenChannel = std::function<itme::Result<std::unique_ptr<itme::Channel>>()>;

	/// The accounts have to outlive it. The channel is its own: it is asked in a thread of the
	/// server.
	Metrics(Accounts &accounts, OpenChannel open_channel) :
		accounts_(&accounts), open_channel_(std::move(open_channel))
	{
	}

	std::vector<prometheus::MetricFamily> Collect() const override;

	/// The text format.
	std::string text() const;

	/// What files have cost so far goes to who used them: before their owners change, and often
	/// enough for a file that goes.
	void charge() const;

	// Of the daemon itself.
	std::atomic<std::uint64_t> events{0};
	std::atomic<std::uint64_t> events_lost{0};
	std::atomic<std::uint64_t> pressure_events{0};
	std::atomic<std::uint64_t> headers_failed{0};
	std::atomic<std::uint64_t> connected{0};

private:
	void add_module(std::vector<prometheus::MetricFamily> &families) const;
	void add_accounts(std::vector<prometheus::MetricFamily> &families) const;
	void add_daemon(std::vector<prometheus::MetricFamily> &families) const;

	Accounts *accounts_;
	OpenChannel open_channel_;
	mutable std::mutex mutex_;
};

/// Serves them at /metrics.
class MetricsServer
{
public:
	/// On that address and port only.
	static itme::Result<std::unique_ptr<MetricsServer>>
	start(const std::string &listen, const std::shared_ptr<Metrics> &metrics);

private:
	explicit MetricsServer(const std::string &listen) : exposer_(listen, 1) {}

	prometheus::Exposer exposer_;
};

} // namespace itmed
