// SPDX-License-Identifier: GPL-2.0
#include "genl.hpp"

#include "../../tools/lib/fd.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <linux/itme_netlink.h>
#include <sys/socket.h>

namespace fuzz
{

static constexpr std::size_t headers = NLMSG_HDRLEN + GENL_HDRLEN;
static constexpr std::uint16_t nobody = 0x3f0f;

/// Events have the number 0.
static std::atomic<std::uint32_t> last_number;

Message::Message(std::uint16_t family, std::uint8_t command, std::uint16_t flags) : bytes_(headers)
{
	store<std::uint16_t>(offsetof(nlmsghdr, nlmsg_type), family);
	store<std::uint16_t>(offsetof(nlmsghdr, nlmsg_flags), flags);
	store<std::uint32_t>(offsetof(nlmsghdr, nlmsg_seq), ++last_number);
	store<std::uint8_t>(NLMSG_HDRLEN, command);
	store<std::uint8_t>(NLMSG_HDRLEN + 1, ITME_FAMILY_VERSION);
}

template <class T>
void Message::store(std::size_t at, T value)
{
	if (at + sizeof(value) <= bytes_.size())
		std::memcpy(&bytes_[at], &value, sizeof(value));
}

void Message::put(std::uint16_t type, const void *data, std::size_t length)
{
	std::size_t at = bytes_.size();

	attributes_.push_back(at);
	bytes_.resize(at + NLA_HDRLEN + NLA_ALIGN(length));
	store(at, static_cast<std::uint16_t>(NLA_HDRLEN + length));
	store(at + 2, type);
	if (length)
		std::memcpy(&bytes_[at + NLA_HDRLEN], data, length);
}

void Message::put_u32(std::uint16_t type, std::uint64_t value)
{
	auto word = static_cast<std::uint32_t>(value);

	put(type, &word, sizeof(word));
}

void Message::put_uint(std::uint16_t type, std::uint64_t value)
{
	if (value > UINT32_MAX)
		put(type, &value, sizeof(value));
	else
		put_u32(type, value);
}

std::size_t Message::nest(std::uint16_t type)
{
	std::size_t at = bytes_.size();

	put(type | NLA_F_NESTED, nullptr, 0);
	return at;
}

void Message::end(std::size_t nest)
{
	/* One that is too long has some other length, which is hostile as well. */
	store(nest, static_cast<std::uint16_t>(bytes_.size() - nest));
}

void Message::spoil_attribute(Break how, std::uint64_t where)
{
	if (attributes_.empty())
		return;
	std::size_t at = attributes_[where % attributes_.size()];
	std::uint64_t rest = where / attributes_.size();
	std::uint16_t length, type;

	std::memcpy(&length, &bytes_[at], sizeof(length));
	std::memcpy(&type, &bytes_[at + 2], sizeof(type));
	switch (how) {
	case Break::attr_len:
		store(at, static_cast<std::uint16_t>(rest % 9));
		break;
	case Break::attr_over:
		store(at, static_cast<std::uint16_t>(length + 1 + rest));
		break;
	case Break::attr_type:
		store(at + 2, static_cast<std::uint16_t>(type ^ (1 + rest % 31)));
		break;
	case Break::nested:
		store(at + 2, static_cast<std::uint16_t>(type ^ NLA_F_NESTED));
		break;
	default:
		std::vector<std::uint8_t> copy(
			bytes_.begin() + static_cast<std::ptrdiff_t>(at) + NLA_HDRLEN,
			bytes_.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
						 at + std::max<std::size_t>(length, NLA_HDRLEN),
						 bytes_.size())));

		put(type, copy.data(), copy.size());
	}
}

void Message::spoil(Break how, std::uint64_t where)
{
	switch (how) {
	case Break::none:
		return;
	case Break::cut:
		bytes_.resize(1 + where % bytes_.size());
		bytes();
		break;
	case Break::cut_short:
		bytes();
		bytes_.resize(1 + where % bytes_.size());
		break;
	case Break::overlong:
		bytes();
		store(0, static_cast<std::uint32_t>(bytes_.size() + 1 + where));
		break;
	case Break::unknown:
		put(nobody, &where, where % sizeof(where));
		bytes();
		break;
	case Break::command:
		store(NLMSG_HDRLEN, static_cast<std::uint8_t>(where));
		bytes();
		break;
	case Break::headless:
		bytes_.resize(NLMSG_HDRLEN);
		bytes();
		break;
	case Break::byte:
		bytes();
		/* Not of the netlink header, which would make it a message to somebody else. */
		store(NLMSG_HDRLEN + (where >> 8) % (bytes_.size() - NLMSG_HDRLEN),
		      static_cast<std::uint8_t>(where));
		break;
	default:
		spoil_attribute(how, where);
		bytes();
	}
	spoilt_ = true;
}

std::span<std::uint8_t> Message::bytes()
{
	if (!spoilt_)
		store(0, static_cast<std::uint32_t>(bytes_.size()));
	return bytes_;
}

unsigned take_messages(int fd, unsigned most, const Take &take)
{
	alignas(nlmsghdr) static thread_local char buffer[64 << 10];
	unsigned nr = 0;

	while (nr < most) {
		ssize_t length = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

		if (length <= 0)
			break;
		nr++;
		auto left = static_cast<unsigned>(length);
		for (const auto *header = reinterpret_cast<const nlmsghdr *>(buffer);
		     NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
			take(*header);
	}
	return nr;
}

std::span<const std::uint8_t> attribute_of(const nlmsghdr &header, std::uint16_t type)
{
	const auto *at = reinterpret_cast<const std::uint8_t *>(&header) + headers;
	const auto *end = reinterpret_cast<const std::uint8_t *>(&header) + header.nlmsg_len;

	while (end - at >= NLA_HDRLEN) {
		const auto *attr = reinterpret_cast<const nlattr *>(at);

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > end - at)
			break;
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return {at + NLA_HDRLEN,
				static_cast<std::size_t>(attr->nla_len - NLA_HDRLEN)};
		at += std::min<std::ptrdiff_t>(NLA_ALIGN(attr->nla_len), end - at);
	}
	return {};
}

long request(int fd, Message &message, const Take &take)
{
	bool dump, over = false;
	long result = -EAGAIN; /* of an answer that does not come */
	nlmsghdr header = {};

	auto bytes = message.bytes();
	std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof(header)));
	dump = header.nlmsg_flags & NLM_F_DUMP;
	if (send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT) < 0)
		return -errno;
	auto one = [&](const nlmsghdr &answer) {
		/* What is left of an earlier one is not read by its own. */
		if (answer.nlmsg_seq != header.nlmsg_seq)
			return;
		if (answer.nlmsg_type == NLMSG_ERROR || (answer.nlmsg_type == NLMSG_DONE && dump)) {
			int error;

			std::memcpy(&error, NLMSG_DATA(&answer), sizeof(error));
			result = error;
			over = true;
		} else if (take) {
			take(answer);
		}
	};
	while (!over && take_messages(fd, 1, one))
		;
	return result;
}

static Family resolve()
{
	itme::Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	Message message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_REQUEST | NLM_F_ACK);
	Family found;

	message.put(CTRL_ATTR_FAMILY_NAME, ITME_FAMILY_NAME, sizeof(ITME_FAMILY_NAME));
	request(fd.get(), message, [&](const nlmsghdr &answer) {
		auto id = attribute_of(answer, CTRL_ATTR_FAMILY_ID);
		/* There is one group, of a name and an id. */
		auto groups = attribute_of(answer, CTRL_ATTR_MCAST_GROUPS);

		if (id.size() == sizeof(found.id))
			std::memcpy(&found.id, id.data(), sizeof(found.id));
		for (std::size_t at = NLA_HDRLEN; at + NLA_HDRLEN + 4 <= groups.size();) {
			nlattr attr;

			std::memcpy(&attr, &groups[at], sizeof(attr));
			if (attr.nla_type == CTRL_ATTR_MCAST_GRP_ID)
				std::memcpy(&found.events, &groups[at + NLA_HDRLEN],
					    sizeof(found.events));
			at += std::max<std::size_t>(NLA_HDRLEN, NLA_ALIGN(attr.nla_len));
		}
	});
	return found;
}

const Family &family()
{
	static const Family found = resolve();

	return found;
}

} // namespace fuzz
