// SPDX-License-Identifier: GPL-2.0
#include "service.hpp"

#include "holder.hpp"
#include "model/model.hpp"
#include "printable.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/itme_netlink.h>
#include <malloc.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <utility>

namespace itmed
{
namespace
{

/// While nothing is in use there is little to look for.
constexpr unsigned int idle_factor = 6;
/// Events are read no more often than that: they come in bursts.
constexpr std::uint64_t hear_usec = 100'000;
/// Machines with containers mount all the time.
constexpr std::uint64_t mounts_usec = 2'000'000;
/// Without an itmefs; a mount is noticed at once, this is for all else.
constexpr std::uint64_t retry_usec = 30'000'000;
constexpr const char *program = "/proc/self/exe";

std::uint64_t now_ns()
{
	timespec now{};

	::clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

/// Only if the path still leads to that very file: nothing is read of it.
std::int64_t mtime_of(const std::string &path, std::uint64_t ino, std::uint64_t dev)
{
	const itme::Fd file(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));

	struct stat st {
	};

	if (!file.valid() || ::fstat(file.get(), &st) || st.st_ino != ino || st.st_dev != dev)
		return 0;
	return st.st_mtim.tv_sec * std::int64_t{1'000'000'000} + st.st_mtim.tv_nsec;
}

/// By the name in itmefs, never by a path that somebody told.
itme::Result<itme::Fd> open_file(const std::string &dir, const std::string &name)
{
	const auto mount = itme::open_mount(dir);

	if (!mount)
		return tl::unexpected(mount.error());
	itme::Fd file(
		::open((mount->path() + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));

	struct statfs fs {
	};

	if (!file.valid() || ::fstatfs(file.get(), &fs))
		return itme::fail(errno, "{}: {}", name, std::strerror(errno));
	if (fs.f_type != ITME_SUPER_MAGIC)
		return itme::fail(ENODEV, "{}: not a file of itmefs", name);
	return file;
}

/// Nothing else is done meanwhile, so not for long.
std::uint32_t chunk_for(const std::vector<ParserFile> &files, const ParserLimits &limits)
{
	using clock = std::chrono::steady_clock;
	constexpr std::chrono::seconds most{10};
	auto parser = Parser::start(program, files, itme::chunk_max, limits);

	if (!parser)
		return 0;
	// There may be many: neither the start nor the watchdog is to run out.
	sd_notify(0, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000");
	const auto end = clock::now() + std::min(limits.timeout, most);
	for (;;) {
		const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
		pollfd poll{parser->fd(), POLLIN, 0};
		if (left.count() <= 0 ||
		    (::poll(&poll, 1, static_cast<int>(left.count())) > 0 && parser->read()))
			break;
	}
	const auto model = parser->finish();
	return model ? model->chunk : 0;
}

Outside real_outside()
{
	return {itme::open_channel,
		itme::open_mount,
		[](std::uint32_t pid, std::uint64_t time) { return cgroup_of(pid, time); },
		mtime_of,
		open_file,
		chunk_for,
		boot_id()};
}

State load(const Config &config, std::string &text)
{
	auto state = load_state(config.state_dir);

	if (state) {
		text = format_state(*state);
		return *state;
	}
	spdlog::warn("what was kept is of no use, and is made anew: {}",
		     printable(state.error().message));
	return {};
}

std::optional<gid_t> find_group(const std::string &name)
{
	if (name.empty())
		return std::nullopt;
	if (const group *found = ::getgrnam(name.c_str()))
		return found->gr_gid;
	spdlog::warn("there is no group '{}': root alone may ask", printable(name));
	return std::nullopt;
}

} // namespace

Service::Service(std::string config_path, Config config) :
	config_path_(std::move(config_path)),
	metrics_(std::make_shared<Metrics>(accounts_, itme::open_channel)),
	keeper_(config, load(config, saved_), real_outside()), begun_(now_ns())
{
}

Service::~Service()
{
	server_.reset();
	control_.reset();
	parser_.reset();
	for (auto *source : {mounts_source_, events_source_, timer_, parser_source_, parser_timer_})
		sd_event_source_disable_unref(source);
	sd_event_unref(loop_);
}

itme::Result<void> Service::check(int ret, const char *what)
{
	if (ret < 0)
		return itme::fail(-ret, "{}: {}", what, std::strerror(-ret));
	return {};
}

itme::Result<void> Service::set_up()
{
	sigset_t signals;

	sigemptyset(&signals);
	for (const int signal : {SIGTERM, SIGINT, SIGHUP})
		sigaddset(&signals, signal);
	// Before there are threads, which inherit it.
	::sigprocmask(SIG_BLOCK, &signals, nullptr);
	::signal(SIGPIPE, SIG_IGN);
	if (auto ret = check(sd_event_new(&loop_), "event loop"); !ret)
		return ret;
	for (const int signal : {SIGTERM, SIGINT, SIGHUP})
		if (auto ret = check(sd_event_add_signal(loop_, nullptr, signal, on_signal, this),
				     "signals");
		    !ret)
			return ret;
	sd_event_set_watchdog(loop_, 1);
	mounts_ = itme::Fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
	if (mounts_.valid())
		(void)sd_event_add_io(loop_, &mounts_source_, mounts_.get(), EPOLLPRI, on_mounts,
				      this);
	if (mounts_source_)
		sd_event_source_set_ratelimit(mounts_source_, mounts_usec, 2);
	if (auto ret = check(sd_event_add_time_relative(loop_, &timer_, CLOCK_MONOTONIC, 0, 0,
							on_tick, this),
			     "timer");
	    !ret)
		return ret;
	arm_timer(retry_usec);
	auto control =
		Control::listen(loop_, keeper_.config().socket, find_group(keeper_.config().group),
				[this](const Request &request) { return answer(request); });
	if (!control)
		return tl::unexpected(control.error());
	control_ = std::move(*control);
	serve_metrics();
	return {};
}

int Service::run()
{
	if (const auto ret = set_up(); !ret) {
		spdlog::error("{}", printable(ret.error().message));
		return 1;
	}
	connect();
	settle();
	sd_notify(0, "READY=1");
	const int ret = sd_event_loop(loop_);
	sd_notify(0, "STOPPING=1");
	metrics_->charge();
	settle();
	return ret < 0 ? 1 : 0;
}

void Service::serve_metrics()
{
	const auto &listen = keeper_.config().metrics_listen;

	if (listen == served_on_)
		return;
	server_.reset();
	served_on_ = listen;
	if (listen.empty())
		return;
	auto server = MetricsServer::start(listen, metrics_);
	if (server)
		server_ = std::move(*server);
	else
		spdlog::error("{}", printable(server.error().message));
}

void Service::connect()
{
	auto events = itme::open_channel();

	// First the ears, then a look: nothing falls between.
	if (events)
		if (auto ret = (*events)->listen(); !ret)
			events = tl::unexpected(ret.error());
	auto ret = events ? keeper_.connect() : tl::unexpected(events.error());
	if (!ret) {
		if (waiting_ != ret.error().message)
			spdlog::info("waiting for an itmefs: {}", printable(ret.error().message));
		waiting_ = ret.error().message;
		return;
	}
	waiting_.clear();
	events_ = std::move(*events);
	stages_filtered_ = false;
	sd_event_add_io(loop_, &events_source_, events_->fd(), EPOLLIN, on_hear, this);
	sd_event_source_set_ratelimit(events_source_, hear_usec, 1);
	metrics_->connected = 1;
	spdlog::info("following {} models", keeper_.models().size());
}

void Service::disconnect(const std::string &why)
{
	spdlog::info("the itmefs is gone: {}", printable(why));
	waiting_ = why;
	events_source_ = sd_event_source_disable_unref(events_source_);
	events_.reset();
	keeper_.disconnect();
	metrics_->connected = 0;
}

void Service::hear()
{
	auto heard = events_->hear();

	if (!heard)
		return disconnect(heard.error().message);
	for (const auto &message : heard->events) {
		const auto event = itme::event_of(message);
		metrics_->events++;
		metrics_->events_lost += event.lost;
		if (event.command == ITME_CMD_PRESSURE_NTF)
			metrics_->pressure_events++;
		if (event.command == ITME_CMD_STALL_NTF && event.object)
			accounts_.stall(*event.object, event.ns.value_or(0));
		if (event.command == ITME_CMD_OBJECT_MAPPED_NTF)
			metrics_->charge();
		if (const auto ret = keeper_.event(event); !ret)
			return disconnect(ret.error().message);
	}
	if (heard->gone)
		return disconnect("the module has been removed");
	// What was missed may be a file that has come or gone.
	if (heard->overrun) {
		metrics_->events_lost++;
		if (const auto ret = keeper_.tick(now_ns()); !ret)
			disconnect(ret.error().message);
	}
}

void Service::tick()
{
	if (!keeper_.connected())
		return connect();
	metrics_->charge();
	if (const auto ret = keeper_.tick(now_ns()); !ret)
		disconnect(ret.error().message);
}

void Service::start_parser()
{
	auto job = keeper_.next_job();

	if (!job || parser_)
		return;
	const auto &limits = keeper_.config().parser;
	auto parser = Parser::start(program, job->files, job->chunk, limits);
	if (!parser) {
		keeper_.parsed(job->model, tl::unexpected(parser.error()));
		return;
	}
	parsing_ = job->model;
	parser_.emplace(std::move(*parser));
	const auto timeout = std::chrono::microseconds(limits.timeout);
	sd_event_add_io(loop_, &parser_source_, parser_->fd(), EPOLLIN, on_parser, this);
	sd_event_add_time_relative(loop_, &parser_timer_, CLOCK_MONOTONIC,
				   static_cast<std::uint64_t>(timeout.count()), 0, on_parser_late,
				   this);
}

void Service::end_parser()
{
	parser_source_ = sd_event_source_disable_unref(parser_source_);
	parser_timer_ = sd_event_source_disable_unref(parser_timer_);
	auto result = parser_->finish();
	if (!result)
		metrics_->headers_failed++;
	keeper_.parsed(parsing_, std::move(result));
	parser_.reset();
	parsing_.clear();
	// A plan of many ranges is large while it is made.
	::malloc_trim(0);
}

void Service::set_owners()
{
	std::map<std::uint32_t, Owner> owners;

	for (const auto &[name, model] : keeper_.models())
		for (const auto &[number, part] : model.have)
			owners[part.info.id] = {model.name, model.cgroup};
	accounts_.set_owners(std::move(owners));
}

/// A decode enters thousands of stages a second, of which nobody wants to know any more when the
/// plan has been seen to fit: the kernel drops these events at our socket.
void Service::filter_stages()
{
	const bool filter = !keeper_.wants_stages();
	// The command is the first byte behind the netlink header.
	sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ITME_CMD_STAGE_NTF, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0U),
	};
	const sock_fprog all{sizeof(code) / sizeof(code[0]), code};
	const int none = 0;

	if (!events_ || filter == stages_filtered_)
		return;
	const int ret = filter ? ::setsockopt(events_->fd(), SOL_SOCKET, SO_ATTACH_FILTER, &all,
					      sizeof(all))
			       : ::setsockopt(events_->fd(), SOL_SOCKET, SO_DETACH_FILTER, &none,
					      sizeof(none));
	if (!ret)
		stages_filtered_ = filter;
}

void Service::settle()
{
	start_parser();
	set_owners();
	filter_stages();
	if (auto state = keeper_.changed_state(); state && *state != saved_) {
		if (const auto ret = save_state(keeper_.config().state_dir, *state))
			saved_ = std::move(*state);
		else
			spdlog::warn("what is to be kept cannot be written: {}",
				     printable(ret.error().message));
	}
	sd_notifyf(0, "STATUS=%s",
		   keeper_.connected() ? fmt::format("{} models", keeper_.models().size()).c_str()
				       : "waiting for an itmefs");
}

void Service::arm_timer(std::uint64_t usec)
{
	sd_event_source_set_time_relative(timer_, usec);
	sd_event_source_set_time_accuracy(timer_, usec / 10);
	sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

void Service::reload()
{
	auto result = load_config(config_path_);

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   static_cast<unsigned long long>(now_ns() / 1000));
	for (const auto &problem : result.problems)
		spdlog::error("{}", printable(format_problem(config_path_, problem)));
	if (result.problems.empty()) {
		const Config &before = keeper_.config();
		if (result.config.socket != before.socket ||
		    result.config.state_dir != before.state_dir ||
		    result.config.group != before.group)
			spdlog::warn("socket, group and state_dir change with a restart only");
		result.config.socket = before.socket;
		result.config.state_dir = before.state_dir;
		result.config.group = before.group;
		spdlog::set_level(spdlog::level::from_str(result.config.log_level));
		keeper_.reload(std::move(result.config));
		serve_metrics();
		spdlog::info("{} has been read anew", config_path_);
	} else {
		spdlog::error("the config stays as it was");
	}
	sd_notify(0, "READY=1");
}

itme::Result<nlohmann::json> Service::answer(const Request &request)
{
	if (request.name == "status")
		return status();
	if (request.name == "metrics")
		return nlohmann::json(metrics_->text());
	if (request.name == "reload") {
		const auto result = load_config(config_path_);
		if (!result.problems.empty())
			return itme::fail(EINVAL, "{}",
					  format_problem(config_path_, result.problems.front()));
		reload();
		settle();
		return nlohmann::json::object();
	}
	if (auto ret = keeper_.replan(request.model); !ret)
		return tl::unexpected(ret.error());
	settle();
	return nlohmann::json::object();
}

nlohmann::json Service::status() const
{
	nlohmann::json json;

	json["connected"] = keeper_.connected();
	json["waiting"] = printable(waiting_);
	json["config"] = config_path_;
	json["metrics"] = served_on_;
	json["uptime_ns"] = now_ns() - begun_;
	json["pid"] = ::getpid();
	json["models"] = nlohmann::json::array();
	for (const auto &[name, model] : keeper_.models())
		json["models"].push_back(describe(model));
	return json;
}

int Service::on_signal(sd_event_source * /*source*/, const signalfd_siginfo *info, void *self)
{
	auto *service = static_cast<Service *>(self);

	if (info->ssi_signo != SIGHUP)
		return sd_event_exit(service->loop_, 0);
	service->reload();
	service->settle();
	return 0;
}

int Service::on_hear(sd_event_source * /*source*/, int /*fd*/, std::uint32_t /*events*/, void *self)
{
	auto *service = static_cast<Service *>(self);
	const bool used = service->keeper_.in_use();

	service->hear();
	service->settle();
	// The slow pace of an idle machine ends with the first use.
	if (service->keeper_.in_use() && !used)
		service->arm_timer(static_cast<std::uint64_t>(
			std::chrono::microseconds(service->keeper_.config().watch.interval)
				.count()));
	return 0;
}

int Service::on_mounts(sd_event_source * /*source*/, int /*fd*/, std::uint32_t /*events*/,
		       void *self)
{
	auto *service = static_cast<Service *>(self);

	service->tick();
	service->settle();
	return 0;
}

int Service::on_parser(sd_event_source * /*source*/, int /*fd*/, std::uint32_t /*events*/,
		       void *self)
{
	auto *service = static_cast<Service *>(self);

	if (!service->parser_->read())
		return 0;
	service->end_parser();
	service->settle();
	return 0;
}

int Service::on_parser_late(sd_event_source * /*source*/, std::uint64_t /*usec*/, void *self)
{
	auto *service = static_cast<Service *>(self);

	service->end_parser();
	service->settle();
	return 0;
}

int Service::on_tick(sd_event_source * /*source*/, std::uint64_t /*usec*/, void *self)
{
	auto *service = static_cast<Service *>(self);

	service->tick();
	service->settle();
	const auto interval = static_cast<std::uint64_t>(
		std::chrono::microseconds(service->keeper_.config().watch.interval).count());
	if (!service->keeper_.connected())
		service->arm_timer(std::min(retry_usec, interval * idle_factor));
	else
		service->arm_timer(service->keeper_.in_use() ? interval : interval * idle_factor);
	return 0;
}

} // namespace itmed
