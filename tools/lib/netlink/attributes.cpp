// SPDX-License-Identifier: GPL-2.0
#include "attributes.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <new>
#include <stdexcept>

namespace itme
{
namespace
{

/// An attribute says its length in 16 bits.
constexpr std::size_t attribute_max = std::numeric_limits<std::uint16_t>::max() - sizeof(nlattr);

Bytes value_of(const nlattr *attr)
{
	return {static_cast<const std::uint8_t *>(nla_data(attr)),
		static_cast<std::size_t>(nla_len(attr))};
}

template <class T>
T load(Bytes value)
{
	T number = 0;

	std::memcpy(&number, value.data(), sizeof(number));
	return number;
}

} // namespace

std::optional<std::uint32_t> u32_of(Bytes value)
{
	if (value.size() != sizeof(std::uint32_t))
		return std::nullopt;
	return load<std::uint32_t>(value);
}

void Attributes::each(int type, const std::function<void(Bytes value)> &call) const
{
	const auto *attr = reinterpret_cast<const nlattr *>(bytes_.data());
	int rest = static_cast<int>(bytes_.size());

	for (; nla_ok(attr, rest); attr = nla_next(attr, &rest))
		if (nla_type(attr) == type)
			call(value_of(attr));
}

std::optional<Bytes> Attributes::find(int type) const
{
	std::optional<Bytes> found;

	// The last one counts, as in the kernel.
	each(type, [&](Bytes value) { found = value; });
	return found;
}

std::optional<std::uint32_t> Attributes::u32(int type) const
{
	const auto value = find(type);

	return value ? u32_of(*value) : std::nullopt;
}

std::optional<std::uint64_t> Attributes::uint(int type) const
{
	const auto value = find(type);

	if (value && value->size() == sizeof(std::uint64_t))
		return load<std::uint64_t>(*value);
	return value ? u32_of(*value) : std::nullopt;
}

std::optional<std::string> Attributes::text(int type) const
{
	const auto value = find(type);

	if (!value)
		return std::nullopt;
	return std::string(value->begin(), std::find(value->begin(), value->end(), '\0'));
}

void Message::Free::operator()(nl_msg *msg) const
{
	nlmsg_free(msg);
}

Message::Message(std::uint8_t command) :
	command_(command), msg_(nlmsg_alloc_size(room + sizeof(nlmsghdr)))
{
	if (!msg_ || !nlmsg_put(msg_.get(), 0, 0, 0, 0, 0))
		throw std::bad_alloc();
}

Bytes Message::attributes() const
{
	const nlmsghdr *header = nlmsg_hdr(msg_.get());

	return {static_cast<const std::uint8_t *>(nlmsg_data(header)),
		static_cast<std::size_t>(nlmsg_datalen(header))};
}

Message &Message::put(int type, const void *data, std::size_t length)
{
	if (length > attribute_max || nla_put(msg_.get(), type, static_cast<int>(length), data))
		throw std::length_error("netlink: an attribute is too long");
	return *this;
}

Message &Message::put_u32(int type, std::uint32_t value)
{
	return put(type, &value, sizeof(value));
}

Message &Message::put_uint(int type, std::uint64_t value)
{
	if (value > std::numeric_limits<std::uint32_t>::max())
		return put(type, &value, sizeof(value));
	return put_u32(type, static_cast<std::uint32_t>(value));
}

Message &Message::put_text(int type, std::string_view value)
{
	return put(type, std::string(value).c_str(), value.size() + 1);
}

Message &Message::put_flag(int type)
{
	return put(type, nullptr, 0);
}

Message &Message::nest(int type, const std::function<void()> &inside)
{
	nlattr *nest = nla_nest_start(msg_.get(), NLA_F_NESTED | type);

	if (!nest)
		throw std::length_error("netlink: an attribute is too long");
	inside();
	nla_nest_end(msg_.get(), nest);
	return *this;
}

} // namespace itme
