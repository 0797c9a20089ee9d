// SPDX-License-Identifier: GPL-2.0
// A line that somebody sends to itmed's socket, and the answer to one that is wrong.
#include "fuzz.hpp"

#include "control.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto request = itmed::parse_request(fuzz::text_of(data, size));

	if (request) {
		HOLDS(itmed::access_for(request->name) != itmed::Access::none);
		return 0;
	}
	const auto answer = itmed::format_answer(tl::unexpected(request.error()));
	HOLDS(answer.ends_with('\n') && answer.find('\n') == answer.size() - 1);
	const auto json = nlohmann::json::parse(answer, nullptr, false);
	HOLDS(json.is_object() && json["ok"] == false && json["error"].is_string());
	HOLDS(fuzz::harmless(json["error"].get<std::string>()));
	return 0;
}
