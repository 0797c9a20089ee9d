// SPDX-License-Identifier: GPL-2.0
// Tables and pictures of hostile names: nothing reaches the terminal but text.
#include "fuzz.hpp"

#include "picture.hpp"
#include "table.hpp"

#include <algorithm>
#include <fuzzer/FuzzedDataProvider.h>

namespace
{

itmectl::Json any_cell(FuzzedDataProvider &data, itmectl::Kind kind)
{
	switch (data.ConsumeIntegralInRange(0, 6)) {
	case 0:
		return nullptr;
	case 1:
		return data.ConsumeBool();
	case 2:
		return data.ConsumeIntegral<std::uint64_t>();
	case 3: {
		if (kind != itmectl::Kind::nodes)
			return {data.ConsumeRandomLengthString(16), nullptr};
		std::vector<int> nodes(data.ConsumeIntegralInRange<std::size_t>(0, 9));
		for (auto &node : nodes)
			node = data.ConsumeIntegralInRange(0, 1023);
		std::sort(nodes.begin(), nodes.end());
		return nodes;
	}
	default:
		return data.ConsumeRandomLengthString(64);
	}
}

itmectl::Table any_table(FuzzedDataProvider &data)
{
	itmectl::Table table;

	for (std::size_t left = data.ConsumeIntegralInRange<std::size_t>(1, 5); left; left--) {
		const auto kind = static_cast<itmectl::Kind>(data.ConsumeIntegralInRange(0, 3));
		const std::string name(1, static_cast<char>('a' + left));
		table.columns.push_back({name, "HEAD-" + name, kind, data.ConsumeBool()});
	}
	for (std::size_t left = data.ConsumeIntegralInRange<std::size_t>(1, 4); left; left--) {
		table.rows.emplace_back();
		for (const auto &column : table.columns)
			table.rows.back().push_back(any_cell(data, column.kind));
	}
	return table;
}

void check(const itme::Result<std::string> &text, const itmectl::Style &style)
{
	if (!text) {
		HOLDS(!style.columns.empty());
		HOLDS(fuzz::harmless(itmectl::printable(text.error().message)));
		return;
	}
	HOLDS(style.json ? itmectl::Json::accept(*text) : fuzz::harmless(*text));
	HOLDS(text->empty() || text->ends_with('\n'));
}

void check_picture(FuzzedDataProvider &data)
{
	const std::size_t width = data.ConsumeIntegral<std::uint8_t>();
	itme::Residency where;

	where.offset = data.ConsumeIntegral<std::uint64_t>();
	where.chunk_size = data.ConsumeIntegral<std::uint32_t>();
	where.map = data.ConsumeRemainingBytes<std::uint8_t>();
	const std::string plain = itmectl::draw_map(where, width, false);
	std::string colored = itmectl::draw_map(where, width, true);

	HOLDS(fuzz::harmless(plain));
	// A line for each row, and one that says what the letters are.
	const std::size_t rows = (where.map.size() + std::max<std::size_t>(width, 1) - 1) /
				 std::max<std::size_t>(width, 1);
	HOLDS(static_cast<std::size_t>(std::count(plain.begin(), plain.end(), '\n')) == rows + 1);
	// In colour it is the same but for the escape sequences, all of which end.
	for (std::size_t at = 0; (at = colored.find('\033', at)) != std::string::npos;) {
		const std::size_t end = colored.find('m', at);
		HOLDS(end != std::string::npos);
		colored.erase(at, end - at + 1);
	}
	HOLDS(colored == plain);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	FuzzedDataProvider input(data, size);
	const itmectl::Table table = any_table(input);
	itmectl::Style style;

	style.json = input.ConsumeBool();
	style.bytes = input.ConsumeBool();
	style.headings = input.ConsumeBool();
	for (std::size_t left = input.ConsumeIntegralInRange<std::size_t>(0, 3); left; left--)
		style.columns.push_back(input.ConsumeRandomLengthString(4));
	check(itmectl::render_list(table, style), style);
	check(itmectl::render_record(table, style), style);

	const std::string text = input.ConsumeRandomLengthString(256);
	const std::string safe = itmectl::printable(text);
	HOLDS(fuzz::harmless(safe) && safe.find('\n') == std::string::npos);
	// What is harmless already is left as it is; nothing is left out.
	HOLDS(safe.size() >= text.size());
	if (fuzz::harmless(text) && text.find('\n') == std::string::npos)
		HOLDS(safe == text);
	HOLDS(itmectl::printable(safe) == safe);
	check_picture(input);
	return 0;
}
