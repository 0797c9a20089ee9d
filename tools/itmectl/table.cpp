// SPDX-License-Identifier: GPL-2.0
#include "table.hpp"

#include "nodes.hpp"
#include "size.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <strings.h>

namespace itmectl
{
namespace
{

using Indexes = std::vector<std::size_t>;

itme::Result<Indexes> select(const Table &table, const Style &style)
{
	Indexes chosen;

	if (style.columns.empty()) {
		for (std::size_t i = 0; i < table.columns.size(); i++)
			if (style.json || table.columns[i].wanted)
				chosen.push_back(i);
		return chosen;
	}
	for (const auto &name : style.columns) {
		const auto at = std::find_if(
			table.columns.begin(), table.columns.end(), [&](const Column &column) {
				return !strcasecmp(column.key.c_str(), name.c_str()) ||
				       !strcasecmp(column.header.c_str(), name.c_str());
			});
		if (at == table.columns.end()) {
			std::vector<std::string> keys;
			for (const auto &column : table.columns)
				keys.push_back(column.key);
			return itme::fail(EINVAL, "no column '{}'; there are {}", name,
					  fmt::join(keys, ", "));
		}
		chosen.push_back(static_cast<std::size_t>(at - table.columns.begin()));
	}
	return chosen;
}

std::string cell_text(const Json &cell, Kind kind, const Style &style)
{
	if (cell.is_null())
		return "-";
	if (cell.is_boolean())
		return cell.get<bool>() ? "yes" : "no";
	if (cell.is_number_unsigned() && kind == Kind::size && !style.bytes)
		return itme::format_size(cell.get<std::uint64_t>());
	if (cell.is_string()) {
		const auto text = printable(cell.get<std::string>());
		return text.empty() ? "-" : text;
	}
	if (cell.is_array() && kind == Kind::nodes) {
		const auto text = itme::format_nodes(cell.get<std::vector<int>>());
		return text.empty() ? "-" : text;
	}
	if (cell.is_array()) {
		std::string text;
		for (const auto &part : cell)
			text += (text.empty() ? "" : ",") + cell_text(part, kind, style);
		return text.empty() ? "-" : text;
	}
	return cell.dump();
}

bool numeric(Kind kind)
{
	return kind == Kind::size || kind == Kind::count;
}

/// Columns on a terminal: bytes that do not continue a UTF-8 sequence.
std::size_t width(std::string_view text)
{
	return static_cast<std::size_t>(
		std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string pad(std::string_view text, std::size_t to, bool right)
{
	const std::string space(to - std::min(to, width(text)), ' ');

	return right ? space + std::string(text) : std::string(text) + space;
}

/// Bytes of the character that text begins with; 0 when it is not UTF-8 (RFC 3629, section 4).
std::size_t character(std::string_view text)
{
	const auto in = [&](std::size_t i, unsigned int low, unsigned int high) {
		return i < text.size() && static_cast<unsigned char>(text[i]) >= low &&
		       static_cast<unsigned char>(text[i]) <= high;
	};

	if (in(0, 0x00, 0x7f))
		return 1;
	if (in(0, 0xc2, 0xdf))
		return in(1, 0x80, 0xbf) ? 2 : 0;
	if (in(0, 0xe0, 0xef)) {
		// Neither overlong nor a surrogate.
		const unsigned int low = in(0, 0xe0, 0xe0) ? 0xa0 : 0x80;
		const unsigned int high = in(0, 0xed, 0xed) ? 0x9f : 0xbf;
		return in(1, low, high) && in(2, 0x80, 0xbf) ? 3 : 0;
	}
	// Neither overlong nor beyond U+10FFFF.
	const unsigned int low = in(0, 0xf0, 0xf0) ? 0x90 : 0x80;
	const unsigned int high = in(0, 0xf4, 0xf4) ? 0x8f : 0xbf;
	return in(0, 0xf0, 0xf4) && in(1, low, high) && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf) ? 4
											       : 0;
}

/// C0, DEL, and C1: U+009B begins an escape sequence, as ESC [ does.
bool control(std::string_view character)
{
	const auto first = static_cast<unsigned char>(character[0]);

	return first < 0x20 || first == 0x7f ||
	       (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
}

Json object(const Table &table, const std::vector<Json> &row, const Indexes &chosen)
{
	Json json = Json::object();

	for (const std::size_t i : chosen)
		json[table.columns[i].key] = row[i];
	return json;
}

} // namespace

std::string printable(std::string_view text)
{
	std::string safe;

	while (!text.empty()) {
		const std::string_view part = text.substr(0, character(text));
		if (part.empty() || control(part))
			for (const char c : text.substr(0, std::max<std::size_t>(part.size(), 1)))
				safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
		else
			safe += part;
		text.remove_prefix(std::max<std::size_t>(part.size(), 1));
	}
	return safe;
}

std::string dump(const Json &json)
{
	return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

itme::Result<std::string> render_list(const Table &table, const Style &style)
{
	const auto chosen = select(table, style);

	if (!chosen)
		return tl::unexpected(chosen.error());
	if (style.json) {
		Json json = Json::array();
		for (const auto &row : table.rows)
			json.push_back(object(table, row, *chosen));
		return dump(json);
	}

	std::vector<std::vector<std::string>> lines;
	if (style.headings) {
		lines.emplace_back();
		for (const std::size_t i : *chosen)
			lines.back().push_back(table.columns[i].header);
	}
	for (const auto &row : table.rows) {
		lines.emplace_back();
		for (const std::size_t i : *chosen)
			lines.back().push_back(cell_text(row[i], table.columns[i].kind, style));
	}
	std::vector<std::size_t> widths(chosen->size());
	for (const auto &line : lines)
		for (std::size_t i = 0; i < line.size(); i++)
			widths[i] = std::max(widths[i], width(line[i]));

	std::string text;
	for (const auto &line : lines) {
		std::string out;
		for (std::size_t i = 0; i < line.size(); i++) {
			const bool right = numeric(table.columns[(*chosen)[i]].kind);
			out += (i ? " " : "") + pad(line[i], widths[i], right);
		}
		while (out.ends_with(' '))
			out.pop_back();
		text += out + "\n";
	}
	return text;
}

itme::Result<std::string> render_record(const Table &table, const Style &style)
{
	const auto chosen = select(table, style);

	if (!chosen)
		return tl::unexpected(chosen.error());
	const auto &row = table.rows.at(0);
	if (style.json)
		return dump(object(table, row, *chosen));

	std::size_t left = 0;
	std::size_t right = 0;
	std::vector<std::string> cells;
	for (const std::size_t i : *chosen) {
		cells.push_back(cell_text(row[i], table.columns[i].kind, style));
		left = std::max(left, width(table.columns[i].header));
		right = std::max(right, width(cells.back()));
	}
	std::string text;
	for (std::size_t i = 0; i < cells.size(); i++)
		text += fmt::format("{} {}\n", pad(table.columns[(*chosen)[i]].header, left, false),
				    pad(cells[i], right, true));
	return text;
}

} // namespace itmectl
