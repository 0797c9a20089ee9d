// SPDX-License-Identifier: GPL-2.0
// Netlink attributes: to be read, whatever they are, and to be written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct nl_msg;
struct nlattr;

namespace itme
{

using Bytes = std::span<const std::uint8_t>;

/// A run of attributes. What is not known, or not of the right size, is as if it were not there.
/// The bytes have to outlive it.
class Attributes
{
public:
	explicit Attributes(Bytes bytes) : bytes_(bytes) {}

	bool has(int type) const { return find(type).has_value(); }

	std::optional<std::uint32_t> u32(int type) const;
	/// Of 4 or 8 bytes, as the kernel's "uint" is.
	std::optional<std::uint64_t> uint(int type) const;
	/// Up to the first NUL.
	std::optional<std::string> text(int type) const;

	/// Calls it for each attribute of a type that may come many times.
	void each(int type, const std::function<void(Bytes value)> &call) const;

private:
	std::optional<Bytes> find(int type) const;

	Bytes bytes_;
};

std::optional<std::uint32_t> u32_of(Bytes value);

/// A request: the command and its attributes. Putting in what has no room throws.
class Message
{
public:
	explicit Message(std::uint8_t command);

	std::uint8_t command() const { return command_; }

	Bytes attributes() const;

	Message &put_u32(int type, std::uint32_t value);
	Message &put_uint(int type, std::uint64_t value);
	Message &put_text(int type, std::string_view value);
	Message &put_flag(int type);
	/// Everything that inside puts into the message is the value of the attribute.
	Message &nest(int type, const std::function<void()> &inside);

	/// How much there is in it.
	std::size_t size() const { return attributes().size(); }

	/// What fits at least.
	static constexpr std::size_t room = std::size_t{56} << 10;

private:
	struct Free {
		void operator()(nl_msg *msg) const;
	};

	Message &put(int type, const void *data, std::size_t length);

	std::uint8_t command_;
	std::unique_ptr<nl_msg, Free> msg_;
};

} // namespace itme
