// SPDX-License-Identifier: GPL-2.0
// The daemon: one loop, in which everything happens but the serving of metrics.
#pragma once

#include "accounts.hpp"
#include "control.hpp"
#include "keeper.hpp"
#include "metrics.hpp"
#include "parser.hpp"

#include <memory>
#include <optional>
#include <string>
#include <systemd/sd-event.h>

namespace itmed
{

class Service
{
public:
	Service(std::string config_path, Config config);
	Service(const Service &) = delete;
	Service(Service &&) = delete;
	Service &operator=(const Service &) = delete;
	Service &operator=(Service &&) = delete;
	~Service();

	/// Until SIGTERM; the exit status.
	int run();

private:
	itme::Result<void> set_up();
	itme::Result<void> check(int ret, const char *what);
	void connect();
	void disconnect(const std::string &why);
	void hear();
	void tick();
	void reload();
	void start_parser();
	void end_parser();
	/// After whatever has happened: what is to be kept, told, and waited for.
	void settle();
	void filter_stages();
	void arm_timer(std::uint64_t usec);
	void serve_metrics();
	void set_owners();
	itme::Result<nlohmann::json> answer(const Request &request);
	nlohmann::json status() const;

	static int on_signal(sd_event_source *source, const signalfd_siginfo *info, void *self);
	static int on_hear(sd_event_source *source, int fd, std::uint32_t events, void *self);
	static int on_mounts(sd_event_source *source, int fd, std::uint32_t events, void *self);
	static int on_parser(sd_event_source *source, int fd, std::uint32_t events, void *self);
	static int on_parser_late(sd_event_source *source, std::uint64_t usec, void *self);
	static int on_tick(sd_event_source *source, std::uint64_t usec, void *self);

	std::string config_path_;
	sd_event *loop_ = nullptr;
	sd_event_source *mounts_source_ = nullptr;
	sd_event_source *events_source_ = nullptr;
	sd_event_source *timer_ = nullptr;
	sd_event_source *parser_source_ = nullptr;
	sd_event_source *parser_timer_ = nullptr;
	itme::Fd mounts_;
	std::unique_ptr<itme::Channel> events_;
	bool stages_filtered_ = false;
	Accounts accounts_;
	std::shared_ptr<Metrics> metrics_;
	std::unique_ptr<MetricsServer> server_;
	std::string served_on_;
	std::string saved_; ///< the state as it is on the disk; before the keeper, which gets it
	Keeper keeper_;
	std::unique_ptr<Control> control_;
	std::optional<Parser> parser_;
	std::string parsing_; ///< the model
	std::string waiting_; ///< why it is not connected
	std::uint64_t begun_ = 0;
};

} // namespace itmed
