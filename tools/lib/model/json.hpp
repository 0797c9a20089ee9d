// SPDX-License-Identifier: GPL-2.0
// JSON that is read without being built: values come one by one, with the keys that lead to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itme
{

/// Where a value is: the keys from the outside in; that of an element of an array is empty.
using JsonPath = std::vector<std::string>;

/// A value that is neither an object nor an array.
struct JsonValue {
	const std::string *text = nullptr;
	std::optional<std::uint64_t> number; ///< whole and not negative
	bool is_true = false;
};

/// What is done with what is read. An error text ends it.
struct JsonReader {
	using Why = std::optional<std::string>;

	std::function<Why(const JsonPath &path)> begin; ///< an object or array
	std::function<Why(const JsonPath &path)> end;
	std::function<Why(const JsonPath &path, const JsonValue &value)> value;
};

/// The text of what is wrong, if anything is. Depth and length of keys have limits.
std::optional<std::string> read_json(std::string_view text, const JsonReader &reader);

} // namespace itme
