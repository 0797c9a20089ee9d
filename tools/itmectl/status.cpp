// SPDX-License-Identifier: GPL-2.0
// itmectl status: asks itmed over its socket.
#include "app.hpp"

#include "fd.hpp"
#include "table.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace itmectl
{
namespace
{

constexpr std::size_t answer_max = std::size_t{64} << 20;
constexpr time_t seconds_max = 30;

struct Arguments {
	std::string socket = "/run/itme/itmed.sock";
	bool metrics = false;
	bool reload = false;
	std::string replan;
};

itme::Result<itme::Fd> connect_to(const std::string &path)
{
	itme::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	sockaddr_un address{};
	const timeval limit{seconds_max, 0};

	address.sun_family = AF_UNIX;
	if (path.empty() || path.size() >= sizeof(address.sun_path))
		return itme::fail(EINVAL, "'{}' cannot be the path of a socket", path);
	std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
	if (!fd.valid())
		return itme::fail(errno, "socket: {}", std::strerror(errno));
	::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)))
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return itme::fail(errno, "itmed does not run; 'systemctl start itmed' starts it");
	if (errno == EACCES)
		return itme::fail(errno, "not for this user; run it as root, or name a group in "
					 "itmed.toml");
	return itme::fail(errno, "{}: {}", path, std::strerror(errno));
}

itme::Result<std::string> transact(const std::string &path, const std::string &request)
{
	const auto fd = connect_to(path);
	std::array<char, 65536> buffer;
	std::string text;

	if (!fd)
		return tl::unexpected(fd.error());
	if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
	    static_cast<ssize_t>(request.size()))
		return itme::fail(errno, "itmed does not listen: {}", std::strerror(errno));
	for (;;) {
		const auto got = ::read(fd->get(), buffer.data(), buffer.size());
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return itme::fail(errno, "itmed does not answer: {}", std::strerror(errno));
		if (got == 0)
			return text;
		if (text.size() + static_cast<std::size_t>(got) > answer_max)
			return itme::fail(EMSGSIZE, "the answer of itmed is too long");
		text.append(buffer.data(), static_cast<std::size_t>(got));
	}
}

itme::Result<Json> ask(const std::string &path, const Json &request)
{
	const auto text = transact(path, request.dump() + "\n");

	if (!text)
		return tl::unexpected(text.error());
	Json answer = Json::parse(*text, nullptr, false);
	if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean())
		return itme::fail(EPROTO, "the answer of itmed makes no sense");
	if (answer["ok"].get<bool>() && answer.contains("data"))
		return std::move(answer["data"]);
	if (!answer.contains("error") || !answer["error"].is_string())
		return itme::fail(EPROTO, "the answer of itmed makes no sense");
	return itme::fail(EREMOTEIO, "{}", answer["error"].get<std::string>());
}

/// Null where it lacks, or is of another kind.
Json value_of(const Json &model, const Column &column)
{
	const auto at = model.find(column.key);

	if (at == model.end())
		return nullptr;
	if (column.kind == Kind::text ? at->is_string() && !at->get<std::string>().empty()
				      : at->is_number_unsigned())
		return *at;
	return nullptr;
}

Table model_table(const Json &models)
{
	Table table{{{"model", "MODEL", Kind::text},
		     {"phase", "PHASE", Kind::text},
		     {"plan", "PLAN", Kind::count},
		     {"origin", "FROM", Kind::text},
		     {"architecture", "ARCHITECTURE", Kind::text, false},
		     {"size", "SIZE", Kind::size},
		     {"dram", "DRAM", Kind::size},
		     {"cxl", "CXL", Kind::size},
		     {"budget", "BUDGET", Kind::size, false},
		     {"stages", "STAGES", Kind::count, false},
		     {"left_out", "LEFT-OUT", Kind::count, false},
		     {"triggers", "TRIGGERS", Kind::count, false},
		     {"passes", "PASSES", Kind::count},
		     {"jumps", "JUMPS", Kind::count},
		     {"unit", "UNIT", Kind::text},
		     {"cgroup", "CGROUP", Kind::text, false},
		     {"note", "NOTE", Kind::text}},
		    {}};

	for (const auto &model : models) {
		if (!model.is_object())
			continue;
		auto &row = table.rows.emplace_back();
		for (const auto &column : table.columns)
			row.push_back(value_of(model, column));
	}
	return table;
}

int show_status(Context &ctx, const Json &status)
{
	if (ctx.json) {
		ctx.print(status.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
		return exit_ok;
	}
	const auto connected = status.find("connected");
	if (connected != status.end() && connected->is_boolean() && !connected->get<bool>())
		ctx.warn("itmed waits for an itmefs: " +
			 status.value("waiting", std::string("it does not say why")));
	const auto models = status.find("models");
	if (models == status.end() || !models->is_array() || models->empty())
		return exit_ok;
	return ctx.show(render_list(model_table(*models), ctx.style()));
}

int status(Context &ctx, const Arguments &args)
{
	Json request{{"request", args.metrics	       ? "metrics"
				 : args.reload	       ? "reload"
				 : args.replan.empty() ? "status"
						       : "replan"}};

	if (!args.replan.empty())
		request["model"] = args.replan;
	const auto answer = ask(args.socket, request);
	if (!answer)
		return ctx.fail(answer.error());
	if (args.metrics && answer->is_string()) {
		ctx.print(answer->get<std::string>());
		return exit_ok;
	}
	return args.reload || !args.replan.empty() ? exit_ok : show_status(ctx, *answer);
}

} // namespace

void add_status(CLI::App &app, Context &ctx)
{
	CLI::App *sub =
		app.add_subcommand("status", "What itmed, the daemon, does with each model");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("--socket", args->socket, "Of itmed")
		->type_name("PATH")
		->envname("ITMED_SOCKET");
	auto *metrics = sub->add_flag("--metrics", args->metrics, "Print its metrics instead");
	auto *reload =
		sub->add_flag("--reload", args->reload, "Have it read its configuration anew")
			->excludes(metrics);
	sub->add_option("--replan", args->replan, "Have it read the header of a model anew")
		->type_name("MODEL")
		->excludes(metrics)
		->excludes(reload);
	sub->callback([&ctx, args] { ctx.status = status(ctx, *args); });
}

} // namespace itmectl
