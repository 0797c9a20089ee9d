// SPDX-License-Identifier: GPL-2.0
// What every call of libitme that can fail returns.
#pragma once

#include <fmt/format.h>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace itme
{

/// An errno and one line that says what to do about it.
struct Error {
	int code = 0;
	std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

/// What a Device returns: the value or a bare errno, explained by the layer above.
template <class T>
using Raw = tl::expected<T, int>;

template <class... Args>
tl::unexpected<Error> fail(int code, fmt::format_string<Args...> text, Args &&...args)
{
	return tl::unexpected(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}

} // namespace itme
