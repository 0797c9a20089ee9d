// SPDX-License-Identifier: GPL-2.0
#include "channel.hpp"

#include "explain.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/genetlink.h>
#include <linux/itme_netlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

namespace itme
{
namespace
{

constexpr int genl_header = sizeof(genlmsghdr);
/// A dump's messages come up to 32 KiB at a time.
constexpr std::size_t receive_size = std::size_t{64} << 10;
/// Events of some seconds of a busy machine. The kernel allows what root asks for.
constexpr int listen_buffer = 4 << 20;
/// Somebody imports files, or makes plans, all the time.
constexpr int dump_attempts = 20;

struct FreeSocket {
	void operator()(nl_sock *sock) const { nl_socket_free(sock); }
};

struct FreeMessage {
	void operator()(nl_msg *msg) const { nlmsg_free(msg); }
};

using Socket = std::unique_ptr<nl_sock, FreeSocket>;

/// Libnl's own errors, of which few are of interest.
Unexpected explain_libnl(const char *what, int code)
{
	return fail(code == -NLE_PERM ? EPERM : EIO, "netlink: cannot {}: {}", what,
		    nl_geterror(code));
}

/// The sentence that comes with an error or the end of a dump, behind what is there otherwise.
std::string sentence(const nlmsghdr *header, std::size_t skip)
{
	const auto length = static_cast<std::size_t>(nlmsg_datalen(header));

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || skip > length)
		return "";
	const Attributes attributes(
		{static_cast<const std::uint8_t *>(nlmsg_data(header)) + skip, length - skip});
	return attributes.text(NLMSGERR_ATTR_MSG).value_or("");
}

/// What an answer has come to.
struct Outcome {
	std::vector<Reply> replies;
	bool done = false;
	bool interrupted = false;
	int error = 0;
	std::string why;
};

class KernelChannel final : public Channel
{
public:
	KernelChannel(Socket sock, int family) :
		sock_(std::move(sock)), family_(family), buffer_(receive_size)
	{
	}

	Result<std::vector<Reply>> ask(const Message &request) override;
	Result<std::vector<Reply>> dump(const Message &request) override;
	Result<void> listen() override;

	int fd() const override { return nl_socket_get_fd(sock_.get()); }

	Result<Heard> hear() override;

private:
	Raw<Outcome> transact(const Message &request, int flags);
	Raw<std::uint32_t> send(const Message &request, int flags);
	/// Bytes of what came into the buffer; 0 when it is not the kernel's.
	Raw<std::size_t> receive(int flags);
	void take(const nlmsghdr *header, Outcome &outcome) const;
	bool family_gone(const nlmsghdr *header) const;
	Reply reply_of(const nlmsghdr *header) const;

	Socket sock_;
	int family_;
	std::vector<std::uint8_t> buffer_;
};

Raw<std::uint32_t> KernelChannel::send(const Message &request, int flags)
{
	const Bytes attributes = request.attributes();
	const std::unique_ptr<nl_msg, FreeMessage> msg(
		nlmsg_alloc_size(sizeof(nlmsghdr) + sizeof(genlmsghdr) + attributes.size()));

	if (!msg || !genlmsg_put(msg.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, flags,
				 request.command(), ITME_FAMILY_VERSION))
		return tl::unexpected(ENOMEM);
	if (!attributes.empty() &&
	    nlmsg_append(msg.get(), const_cast<std::uint8_t *>(attributes.data()),
			 attributes.size(), 0))
		return tl::unexpected(ENOMEM);
	if (nl_send_auto(sock_.get(), msg.get()) < 0)
		return tl::unexpected(errno ? errno : EIO);
	return nlmsg_hdr(msg.get())->nlmsg_seq;
}

Raw<std::size_t> KernelChannel::receive(int flags)
{
	sockaddr_nl from{};
	socklen_t from_len = sizeof(from);
	ssize_t n = 0;

	do
		n = ::recvfrom(fd(), buffer_.data(), buffer_.size(), flags | MSG_TRUNC,
			       reinterpret_cast<sockaddr *>(&from), &from_len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return tl::unexpected(errno);
	if (static_cast<std::size_t>(n) > buffer_.size())
		return tl::unexpected(EMSGSIZE);
	return from.nl_pid ? 0 : static_cast<std::size_t>(n);
}

Reply KernelChannel::reply_of(const nlmsghdr *header) const
{
	const auto *genl = static_cast<const genlmsghdr *>(nlmsg_data(header));
	const auto *bytes = reinterpret_cast<const std::uint8_t *>(genl) + genl_header;
	const int length = nlmsg_datalen(header) - genl_header;

	return {genl->cmd, std::vector<std::uint8_t>(bytes, bytes + length)};
}

/// One message of an answer.
void KernelChannel::take(const nlmsghdr *header, Outcome &outcome) const
{
	const int length = nlmsg_datalen(header);

	outcome.interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (header->nlmsg_type == NLMSG_ERROR && length >= static_cast<int>(sizeof(nlmsgerr))) {
		const auto *error = static_cast<const nlmsgerr *>(nlmsg_data(header));
		// Capped: of our request only the header comes back.
		outcome.error = -error->error;
		outcome.why = sentence(header, sizeof(nlmsgerr));
		outcome.done = true;
	} else if (header->nlmsg_type == NLMSG_DONE) {
		int error = 0;
		if (length >= static_cast<int>(sizeof(error)))
			std::memcpy(&error, nlmsg_data(header), sizeof(error));
		outcome.error = error < 0 ? -error : 0;
		outcome.why = sentence(header, sizeof(error));
		outcome.done = true;
	} else if (header->nlmsg_type == family_ && length >= genl_header) {
		outcome.replies.push_back(reply_of(header));
	}
}

Raw<Outcome> KernelChannel::transact(const Message &request, int flags)
{
	const auto sequence = send(request, flags);
	Outcome outcome;

	if (!sequence)
		return tl::unexpected(sequence.error());
	while (!outcome.done) {
		const auto got = receive(0);
		if (!got)
			return tl::unexpected(got.error());
		int rest = static_cast<int>(*got);
		auto *header = reinterpret_cast<nlmsghdr *>(buffer_.data());
		for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest))
			if (header->nlmsg_seq == *sequence)
				take(header, outcome);
	}
	return outcome;
}

Unexpected refused(const Outcome &outcome)
{
	if (outcome.error == ENODEV)
		return explain_no_mount();
	return explain_netlink(outcome.error, outcome.why);
}

Result<std::vector<Reply>> KernelChannel::ask(const Message &request)
{
	auto outcome = transact(request, 0);

	if (!outcome)
		return explain_netlink(outcome.error(), "");
	if (outcome->error)
		return refused(*outcome);
	return std::move(outcome->replies);
}

Result<std::vector<Reply>> KernelChannel::dump(const Message &request)
{
	for (int attempt = 0; attempt < dump_attempts; attempt++) {
		auto outcome = transact(request, NLM_F_DUMP);
		if (!outcome)
			return explain_netlink(outcome.error(), "");
		if (outcome->error)
			return refused(*outcome);
		if (!outcome->interrupted)
			return std::move(outcome->replies);
	}
	return fail(EINTR, "it changes all the time; try again");
}

Result<void> KernelChannel::listen()
{
	const int group = genl_ctrl_resolve_grp(sock_.get(), ITME_FAMILY_NAME, ITME_MCGRP_EVENTS);

	if (group < 0)
		return explain_no_family();
	// With less than that it works, too.
	if (::setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &listen_buffer, sizeof(listen_buffer)))
		::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &listen_buffer, sizeof(listen_buffer));
	// The first group of nlctrl tells when a family goes.
	for (const int wanted : {GENL_ID_CTRL, group})
		if (const int error = nl_socket_add_membership(sock_.get(), wanted))
			return explain_libnl("listen", error);
	return {};
}

bool KernelChannel::family_gone(const nlmsghdr *header) const
{
	if (header->nlmsg_type != GENL_ID_CTRL || nlmsg_datalen(header) < genl_header)
		return false;
	const Reply news = reply_of(header);
	const auto name = news.attributes().text(CTRL_ATTR_FAMILY_NAME);
	return news.command == CTRL_CMD_DELFAMILY && name == ITME_FAMILY_NAME;
}

Result<Heard> KernelChannel::hear()
{
	Heard heard;

	for (;;) {
		const auto got = receive(MSG_DONTWAIT);
		if (!got && got.error() == ENOBUFS) {
			heard.overrun = true;
			continue;
		}
		if (!got && (got.error() == EAGAIN || got.error() == EWOULDBLOCK))
			return heard;
		if (!got)
			return explain_netlink(got.error(), "");
		int rest = static_cast<int>(*got);
		auto *header = reinterpret_cast<nlmsghdr *>(buffer_.data());
		for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest)) {
			heard.gone = heard.gone || family_gone(header);
			if (header->nlmsg_type == family_ && nlmsg_datalen(header) >= genl_header)
				heard.events.push_back(reply_of(header));
		}
		// So that whoever reads these gets them in pieces.
		if (heard.gone || heard.events.size() >= 512)
			return heard;
	}
}

} // namespace

Result<std::unique_ptr<Channel>> open_channel()
{
	Socket sock(nl_socket_alloc());
	const int on = 1;

	if (!sock)
		return fail(ENOMEM, "netlink: out of memory");
	if (const int error = genl_connect(sock.get()))
		return explain_libnl("connect", error);
	// We look at the numbers of answers ourselves, and libnl does not know of those.
	nl_socket_disable_seq_check(sock.get());
	// Sentences with errors, and no copies of what we have sent. Older kernels than ours lack
	// it.
	for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK})
		::setsockopt(nl_socket_get_fd(sock.get()), SOL_NETLINK, option, &on, sizeof(on));
	const int family = genl_ctrl_resolve(sock.get(), ITME_FAMILY_NAME);
	if (family < 0)
		return explain_no_family();
	return std::make_unique<KernelChannel>(std::move(sock), family);
}

} // namespace itme
