// SPDX-License-Identifier: GPL-2.0
#include "doctor/root.hpp"

#include "files.hpp"

#include <charconv>
#include <filesystem>

namespace itme
{

namespace fs = std::filesystem;

bool Root::exists(const std::string &file) const
{
	std::error_code ec;

	return fs::exists(path(file), ec);
}

std::optional<std::string> Root::read(const std::string &file) const
{
	auto text = read_file(path(file));

	if (!text)
		return std::nullopt;
	while (text->ends_with('\n'))
		text->pop_back();
	return *text;
}

std::optional<std::uint64_t> Root::read_number(const std::string &file) const
{
	const auto text = read(file);
	std::uint64_t value = 0;

	if (!text)
		return std::nullopt;
	const bool hex = text->starts_with("0x");
	const char *begin = text->data() + (hex ? 2 : 0);
	const auto [rest, ec] =
		std::from_chars(begin, text->data() + text->size(), value, hex ? 16 : 10);
	return ec == std::errc() && *rest == '\0' ? std::optional(value) : std::nullopt;
}

std::optional<std::string> Root::link(const std::string &file) const
{
	std::error_code ec;
	const auto target = fs::read_symlink(path(file), ec);

	return ec ? std::nullopt : std::optional(target.filename().string());
}

std::vector<std::string> Root::list(const std::string &dir) const
{
	return list_dir(path(dir)).value_or(std::vector<std::string>());
}

} // namespace itme
