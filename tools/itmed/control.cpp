// SPDX-License-Identifier: GPL-2.0
#include "control.hpp"

#include "printable.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace itmed
{
namespace
{

using Json = nlohmann::json;

constexpr int depth_max = 4;
constexpr std::size_t groups_max = 65536;

/// Of the other end, as it was when it connected.
Access peer_access(int fd, std::optional<gid_t> group)
{
	ucred who{};
	socklen_t length = sizeof(who);

	if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		return Access::none;
	std::vector<gid_t> groups(64);
	for (;;) {
		length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
		if (!::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length))
			break;
		if (errno != ERANGE || groups.size() >= groups_max)
			return access_of(who.uid, {who.gid}, group);
		groups.resize(groups.size() * 4);
	}
	groups.resize(length / sizeof(gid_t));
	groups.push_back(who.gid);
	return access_of(who.uid, groups, group);
}

/// A socket that an earlier run has left is ours to remove, nothing else is.
bool remove_stale(const std::string &path)
{
	struct stat st {
	};

	if (::lstat(path.c_str(), &st))
		return errno == ENOENT;
	return S_ISSOCK(st.st_mode) && !::unlink(path.c_str());
}

} // namespace

Access access_of(uid_t uid, const std::vector<gid_t> &groups, std::optional<gid_t> group)
{
	if (uid == 0)
		return Access::change;
	if (group && std::find(groups.begin(), groups.end(), *group) != groups.end())
		return Access::read;
	return Access::none;
}

Access access_for(const std::string &request)
{
	return request == "status" || request == "metrics" ? Access::read : Access::change;
}

itme::Result<Request> parse_request(std::string_view line)
{
	const auto shallow = [](int depth, Json::parse_event_t, Json &) {
		// Left out, and so not built.
		return depth <= depth_max;
	};
	if (line.size() > Control::request_max)
		return itme::fail(EMSGSIZE, "the request is too long");
	const Json json = Json::parse(line, shallow, false);
	Request request;

	if (!json.is_object() || !json.contains("request") || !json["request"].is_string())
		return itme::fail(EINVAL, R"(a request is {{"request": "status"}} or the like)");
	request.name = json["request"].get<std::string>();
	if (const auto model = json.find("model"); model != json.end()) {
		if (!model->is_string())
			return itme::fail(EINVAL, "'model' is not a string");
		request.model = model->get<std::string>();
	}
	constexpr std::array<std::string_view, 4> known{"status", "metrics", "reload", "replan"};
	if (std::find(known.begin(), known.end(), request.name) == known.end())
		return itme::fail(EINVAL,
				  "no request '{}'; there are status, metrics, reload, replan",
				  printable(request.name).substr(0, 64));
	return request;
}

std::string format_answer(const itme::Result<nlohmann::json> &answer)
{
	Json json{{"ok", answer.has_value()}};

	if (answer)
		json["data"] = *answer;
	else
		json["error"] = answer.error().message;
	return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

struct Control::Client {
	Control *control = nullptr;
	itme::Fd fd;
	Access access = Access::none;
	sd_event_source *source = nullptr;
	sd_event_source *timeout = nullptr;
	std::string in;
	std::string out;
	std::size_t sent = 0;
};

Control::Control(sd_event *loop, std::string path, std::optional<gid_t> group, Answer answer) :
	loop_(sd_event_ref(loop)), path_(std::move(path)), group_(group), answer_(std::move(answer))
{
}

Control::~Control()
{
	while (!clients_.empty())
		drop(clients_.front());
	sd_event_source_disable_unref(source_);
	sd_event_unref(loop_);
	if (fd_.valid())
		::unlink(path_.c_str());
}

itme::Result<std::unique_ptr<Control>> Control::listen(sd_event *loop, const std::string &path,
						       std::optional<gid_t> group, Answer answer)
{
	std::unique_ptr<Control> control(new Control(loop, path, group, std::move(answer)));

	if (auto ret = control->bind(); !ret)
		return tl::unexpected(ret.error());
	return control;
}

itme::Result<void> Control::bind()
{
	sockaddr_un address{};
	const auto failed = [&](int code) {
		return itme::fail(code, "{}: {}", path_, std::strerror(code));
	};

	address.sun_family = AF_UNIX;
	if (path_.size() >= sizeof(address.sun_path))
		return failed(ENAMETOOLONG);
	std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
	itme::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!fd.valid())
		return failed(errno);
	if (!remove_stale(path_))
		return failed(EEXIST);
	// Nobody else before its group and mode are right.
	const mode_t before = ::umask(0177);
	const int bound =
		::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address));
	const int code = errno;
	::umask(before);
	if (bound)
		return failed(code);
	fd_ = std::move(fd);
	if (group_ && (::chown(path_.c_str(), 0, *group_) || ::chmod(path_.c_str(), 0660)))
		return failed(errno);
	if (::listen(fd_.get(), static_cast<int>(clients_max)))
		return failed(errno);
	if (const int ret = sd_event_add_io(loop_, &source_, fd_.get(), EPOLLIN, on_accept, this);
	    ret < 0)
		return failed(-ret);
	return {};
}

int Control::on_accept(sd_event_source * /*source*/, int /*fd*/, std::uint32_t /*events*/,
		       void *self)
{
	static_cast<Control *>(self)->accept();
	return 0;
}

int Control::on_client(sd_event_source * /*source*/, int /*fd*/, std::uint32_t events, void *client)
{
	auto *one = static_cast<Client *>(client);

	one->control->serve(*one, events);
	return 0;
}

int Control::on_timeout(sd_event_source * /*source*/, std::uint64_t /*usec*/, void *client)
{
	auto *one = static_cast<Client *>(client);

	one->control->drop(*one);
	return 0;
}

void Control::accept()
{
	itme::Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));

	if (!fd.valid())
		return;
	Client &client = clients_.emplace_back();
	client.control = this;
	client.access = peer_access(fd.get(), group_);
	client.fd = std::move(fd);
	if (sd_event_add_io(loop_, &client.source, client.fd.get(), EPOLLIN, on_client, &client) <
		    0 ||
	    sd_event_add_time_relative(loop_, &client.timeout, CLOCK_MONOTONIC, client_usec,
				       100'000, on_timeout, &client) < 0) {
		drop(client);
		return;
	}
	// Until one of these is done.
	if (clients_.size() >= clients_max)
		sd_event_source_set_enabled(source_, SD_EVENT_OFF);
}

void Control::drop(Client &client)
{
	sd_event_source_disable_unref(client.source);
	sd_event_source_disable_unref(client.timeout);
	clients_.remove_if([&](const Client &one) { return &one == &client; });
	if (source_)
		sd_event_source_set_enabled(source_, SD_EVENT_ON);
}

void Control::answer(Client &client, std::string_view line)
{
	const auto request = parse_request(line);
	itme::Result<Json> result = itme::fail(EACCES, "not for this user; run it as root");

	// Who may not ask is told nothing, not even what he has done wrong.
	if (client.access != Access::none && !request)
		result = tl::unexpected(request.error());
	else if (request && client.access >= access_for(request->name))
		result = answer_(*request);
	client.out = format_answer(result);
	sd_event_source_set_io_events(client.source, EPOLLOUT);
}

void Control::serve(Client &client, std::uint32_t events)
{
	std::array<char, 4096> buffer;

	if (client.out.empty()) {
		const auto got = ::read(client.fd.get(), buffer.data(), buffer.size());
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			return drop(client);
		client.in.append(buffer.data(), static_cast<std::size_t>(got));
		const auto end = client.in.find('\n');
		if (end == std::string::npos && client.in.size() <= request_max)
			return;
		return answer(client, std::string_view(client.in).substr(0, end));
	}
	if (events & (EPOLLERR | EPOLLHUP))
		return drop(client);
	const auto done = ::send(client.fd.get(), client.out.data() + client.sent,
				 client.out.size() - client.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (done > 0)
		client.sent += static_cast<std::size_t>(done);
	if (done <= 0 || client.sent == client.out.size())
		drop(client);
}

} // namespace itmed
