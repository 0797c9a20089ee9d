// SPDX-License-Identifier: GPL-2.0
// The socket that itmectl asks: one line of JSON in, one out.
#pragma once

#include "fd.hpp"
#include "result.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include <vector>

namespace itmed
{

enum class Access { none, read, change };

/// Root may do all, who is in the group may ask.
Access access_of(uid_t uid, const std::vector<gid_t> &groups, std::optional<gid_t> group);

struct Request {
	std::string name;  ///< "status", "metrics", "reload", "replan"
	std::string model; ///< of replan
};

/// Anybody's text. At most 64 KiB, and not deep.
itme::Result<Request> parse_request(std::string_view line);

/// What a request may be made with.
Access access_for(const std::string &request);

using Answer = std::function<itme::Result<nlohmann::json>(const Request &request)>;

/// {"ok": true, "data": ...} or {"ok": false, "error": "..."}
std::string format_answer(const itme::Result<nlohmann::json> &answer);

class Control
{
public:
	/// The answer is asked for in the loop; it must not wait.
	static itme::Result<std::unique_ptr<Control>>
	listen(sd_event *loop, const std::string &path, std::optional<gid_t> group, Answer answer);
	Control(const Control &) = delete;
	Control(Control &&) = delete;
	Control &operator=(const Control &) = delete;
	Control &operator=(Control &&) = delete;
	~Control();

	/// At once; more wait in the queue of the kernel.
	static constexpr std::size_t clients_max = 16;
	static constexpr std::size_t request_max = std::size_t{64} << 10;
	static constexpr std::uint64_t client_usec = 5'000'000;

private:
	struct Client;

	Control(sd_event *loop, std::string path, std::optional<gid_t> group, Answer answer);
	itme::Result<void> bind();
	void accept();
	void serve(Client &client, std::uint32_t events);
	void drop(Client &client);
	void answer(Client &client, std::string_view line);

	static int on_accept(sd_event_source *source, int fd, std::uint32_t events, void *self);
	static int on_client(sd_event_source *source, int fd, std::uint32_t events, void *client);
	static int on_timeout(sd_event_source *source, std::uint64_t usec, void *client);

	sd_event *loop_;
	std::string path_;
	std::optional<gid_t> group_;
	Answer answer_;
	itme::Fd fd_;
	sd_event_source *source_ = nullptr;
	std::list<Client> clients_;
};

} // namespace itmed
