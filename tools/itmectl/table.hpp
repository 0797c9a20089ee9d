// SPDX-License-Identifier: GPL-2.0
// What a verb has to say, as a table for people or as JSON for programs.
#pragma once

#include "result.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace itmectl
{

using Json = nlohmann::ordered_json;

enum class Kind {
	text,
	size,
	count,
	nodes, ///< an array in JSON, "0-1,4" in a table
};

struct Column {
	std::string key;    ///< of the JSON; never changes
	std::string header; ///< of the table
	Kind kind;
	bool wanted = true; ///< in the table without --output
};

struct Style {
	bool json = false;
	bool bytes = false;
	bool headings = true;
	std::vector<std::string> columns; ///< keys or headers, in any case; empty: the wanted ones
};

struct Table {
	std::vector<Column> columns;
	std::vector<std::vector<Json>> rows; ///< a cell for each column; null is "-"
};

/// Many things: a table, or an array of objects.
itme::Result<std::string> render_list(const Table &table, const Style &style);
/// One thing with many values (row 0): a line for each, or one object.
itme::Result<std::string> render_record(const Table &table, const Style &style);

/// One text for a terminal: UTF-8 without control characters, whatever is in a file name.
std::string printable(std::string_view text);
std::string dump(const Json &json);

} // namespace itmectl
