// SPDX-License-Identifier: GPL-2.0
#include "doctor/elf.hpp"

#include "files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <optional>
#include <string_view>

namespace itme
{
namespace
{

/// KSYM_NAME_LEN: no symbol of the kernel is longer.
constexpr std::size_t name_max = 512;

/// A T at an offset, when it lies inside.
template <class T>
std::optional<T> load(std::string_view image, std::uint64_t offset)
{
	T value;

	if (offset > image.size() || image.size() - offset < sizeof(T))
		return std::nullopt;
	std::memcpy(&value, image.data() + offset, sizeof(T));
	return value;
}

std::string_view slice(std::string_view image, const Elf64_Shdr &section)
{
	if (section.sh_offset > image.size() || image.size() - section.sh_offset < section.sh_size)
		return {};
	return image.substr(section.sh_offset, section.sh_size);
}

} // namespace

Result<std::vector<std::string>> undefined_symbols(const std::string &path)
{
	const auto text = read_file(path);
	if (!text)
		return tl::unexpected(text.error());
	const std::string_view image = *text;
	const auto header = load<Elf64_Ehdr>(image, 0);
	if (!header || !image.starts_with(ELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64)
		return fail(ENOEXEC, "{}: not a 64-bit kernel object (compressed?)", path);

	const auto section = [&](std::uint64_t index) {
		return load<Elf64_Shdr>(image, header->e_shoff + index * sizeof(Elf64_Shdr));
	};
	std::vector<std::string> names;
	for (std::uint64_t i = 0; i < header->e_shnum; i++) {
		const auto table = section(i);
		if (!table || table->sh_type != SHT_SYMTAB)
			continue;
		const auto strings_section = section(table->sh_link);
		if (!strings_section)
			continue;
		const std::string_view symbols = slice(image, *table);
		const std::string_view strings = slice(image, *strings_section);
		for (std::uint64_t at = 0; at < symbols.size(); at += sizeof(Elf64_Sym)) {
			const auto symbol = load<Elf64_Sym>(symbols, at);
			if (!symbol || symbol->st_shndx != SHN_UNDEF ||
			    symbol->st_name >= strings.size())
				continue;
			const std::string_view name = strings.substr(symbol->st_name, name_max);
			if (const auto end = name.find('\0');
			    end != 0 && (end != std::string_view::npos || name.size() == name_max))
				names.emplace_back(name.substr(0, end));
		}
		break; // a kernel object has one
	}
	std::sort(names.begin(), names.end());
	return names;
}

} // namespace itme
