// SPDX-License-Identifier: GPL-2.0
#include "printable.hpp"

#include <nlohmann/json.hpp>

namespace itmed
{

std::string printable(std::string_view text)
{
	using Json = nlohmann::json;

	// The JSON library knows what UTF-8 is.
	const std::string valid =
		Json::parse(Json(std::string(text))
				    .dump(-1, ' ', false, Json::error_handler_t::replace))
			.get<std::string>();
	std::string result;

	for (std::size_t i = 0; i < valid.size(); i++) {
		const auto byte = static_cast<unsigned char>(valid[i]);
		// C1 controls are two bytes: 0xc2 0x80 to 0x9f.
		const bool c1 = byte == 0xc2 && i + 1 < valid.size() &&
				static_cast<unsigned char>(valid[i + 1]) < 0xa0;
		if (byte < 0x20 || byte == 0x7f || c1) {
			result += '?';
			i += c1 ? 1 : 0;
		} else {
			result += valid[i];
		}
	}
	return result;
}

} // namespace itmed
