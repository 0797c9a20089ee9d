// SPDX-License-Identifier: GPL-2.0
#include "mountinfo.hpp"

#include <charconv>
#include <sys/sysmacros.h>

namespace itme
{
namespace
{

std::string_view next_word(std::string_view &text, char separator)
{
	const std::size_t at = text.find(separator);
	const std::string_view word = text.substr(0, at);

	text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
	return word;
}

bool number(std::string_view text, unsigned int &value)
{
	const char *end = text.data() + text.size();
	const auto [rest, ec] = std::from_chars(text.data(), end, value);

	return ec == std::errc() && rest == end;
}

bool parse_line(std::string_view line, MountEntry &entry)
{
	unsigned int id = 0;
	unsigned int major = 0;
	unsigned int minor = 0;

	if (!number(next_word(line, ' '), id))
		return false;
	next_word(line, ' '); // parent
	std::string_view dev = next_word(line, ' ');
	if (!number(next_word(dev, ':'), major) || !number(dev, minor))
		return false;
	entry.id = static_cast<int>(id);
	entry.dev = makedev(major, minor);
	entry.root = unescape_octal(next_word(line, ' '));
	entry.point = unescape_octal(next_word(line, ' '));
	next_word(line, ' '); // options of the mount
	while (!line.empty() && next_word(line, ' ') != "-")
		; // any number of optional fields
	entry.fstype = unescape_octal(next_word(line, ' '));
	entry.source = unescape_octal(next_word(line, ' '));
	entry.options = unescape_octal(line);
	return !entry.root.empty() && !entry.point.empty() && !entry.fstype.empty();
}

bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

} // namespace

std::string MountEntry::option(std::string_view name) const
{
	std::string_view rest = options;

	while (!rest.empty()) {
		std::string_view value = next_word(rest, ',');
		if (next_word(value, '=') == name)
			return std::string(value);
	}
	return {};
}

std::string unescape_octal(std::string_view text)
{
	std::string plain;

	plain.reserve(text.size());
	for (std::size_t i = 0; i < text.size(); i++) {
		if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' &&
		    is_octal(text[i + 1]) && is_octal(text[i + 2]) && is_octal(text[i + 3])) {
			plain += static_cast<char>((text[i + 1] - '0') * 64 +
						   (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
			i += 3;
		} else {
			plain += text[i];
		}
	}
	return plain;
}

std::vector<MountEntry> parse_mountinfo(std::string_view text)
{
	std::vector<MountEntry> entries;

	while (!text.empty()) {
		MountEntry entry;
		if (parse_line(next_word(text, '\n'), entry))
			entries.push_back(std::move(entry));
	}
	return entries;
}

} // namespace itme
