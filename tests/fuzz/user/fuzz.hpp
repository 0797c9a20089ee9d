// SPDX-License-Identifier: GPL-2.0
// What the fuzz targets share: what has to hold whatever comes in, and ways to feed it.
#pragma once

#include "app.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz
{

/// libFuzzer takes the abort for a crash and keeps the input.
[[noreturn]] inline void broken(const char *what, const char *file, int line)
{
	std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	std::abort();
}

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz::broken(#condition, __FILE__, __LINE__);                              \
	} while (0)

inline std::string_view text_of(const std::uint8_t *data, std::size_t size)
{
	return {reinterpret_cast<const char *>(data), size};
}

/// Cuts at each separator; there is always a first part.
inline std::vector<std::string> split(std::string_view text, char separator)
{
	std::vector<std::string> parts;

	for (;;) {
		const std::size_t at = text.find(separator);
		parts.emplace_back(text.substr(0, at));
		if (at == std::string_view::npos)
			return parts;
		text.remove_prefix(at + 1);
	}
}

/// Bytes of the UTF-8 sequence that text begins with, by RFC 3629; 0 when it is none.
inline std::size_t utf8_length(std::string_view text)
{
	const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
	const std::uint8_t lead = byte(0);

	if (lead < 0x80)
		return 1;
	const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || text.size() < length)
		return 0;
	std::uint32_t code = lead & (0x7fU >> length);
	for (std::size_t i = 1; i < length; i++) {
		if ((byte(i) & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte(i) & 0x3fU);
	}
	if ((length == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
	    (length == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	return length;
}

/// What a terminal may be given: UTF-8 without control characters, but for line ends.
inline bool harmless(std::string_view text)
{
	while (!text.empty()) {
		const std::size_t length = utf8_length(text);
		const auto first = static_cast<std::uint8_t>(text[0]);
		if (!length || (first < 0x20 && first != '\n') || first == 0x7f)
			return false;
		// C1: some terminals take U+009B for the beginning of an escape sequence.
		if (first == 0xc2 && static_cast<std::uint8_t>(text[1]) < 0xa0)
			return false;
		text.remove_prefix(length);
	}
	return true;
}

/// itmectl in this process; what it printed.
struct Output {
	int status = 0;
	std::string out;
	std::string err;
};

inline Output itmectl(const std::vector<std::string> &args, itmectl::Environment env)
{
	std::vector<const char *> argv{"itmectl"};
	char *out = nullptr;
	char *err = nullptr;
	std::size_t out_size = 0;
	std::size_t err_size = 0;
	Output output;

	for (const auto &arg : args)
		argv.push_back(arg.c_str());
	env.out = ::open_memstream(&out, &out_size);
	env.err = ::open_memstream(&err, &err_size);
	output.status = itmectl::run_itmectl(static_cast<int>(argv.size()), argv.data(), env);
	std::fclose(env.out);
	std::fclose(env.err);
	output.out.assign(out, out_size);
	output.err.assign(err, err_size);
	std::free(out);
	std::free(err);
	return output;
}

/// What holds of any run of it.
inline void check(const Output &output, bool json)
{
	HOLDS(output.status == 0 || output.status == 1 || output.status == 2 ||
	      (output.status >= 125 && output.status <= 127));
	// JSON is for programs: it is escaped as JSON is, and only that.
	if (json)
		HOLDS(output.out.empty() || itmectl::Json::accept(output.out));
	else
		HOLDS(harmless(output.out));
	HOLDS(harmless(output.err));
	HOLDS(output.status == 0 || !output.err.empty());
	for (std::size_t at = 0; at < output.err.size(); at = output.err.find('\n', at) + 1) {
		HOLDS(output.err.compare(at, 9, "itmectl: ") == 0);
		HOLDS(output.err.find('\n', at) != std::string::npos);
	}
}

} // namespace fuzz
