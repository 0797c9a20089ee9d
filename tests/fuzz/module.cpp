// SPDX-License-Identifier: GPL-2.0
#include "module.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>

namespace fuzz
{

namespace
{

/// A relocatable object, in memory.
class Elf
{
public:
	explicit Elf(const std::string &path)
	{
		std::ifstream in(path, std::ios::binary);

		bytes_.assign(std::istreambuf_iterator<char>(in), {});
		if (bytes_.size() < sizeof(Elf64_Ehdr) ||
		    std::memcmp(bytes_.data(), ELFMAG, SELFMAG))
			throw std::runtime_error(path + " is no ELF file");
		const auto &header = *at<Elf64_Ehdr>(0, 1).data();

		sections_ = at<Elf64_Shdr>(header.e_shoff, header.e_shnum);
		names_ = sections_[header.e_shstrndx].sh_offset;
	}

	template <class T>
	std::span<const T> at(std::uint64_t offset, std::uint64_t count) const
	{
		if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T))
			throw std::runtime_error("the module's file is cut short");
		return {reinterpret_cast<const T *>(bytes_.data() + offset), count};
	}

	template <class T>
	std::span<const T> table(const Elf64_Shdr &section) const
	{
		return at<T>(section.sh_offset, section.sh_size / sizeof(T));
	}

	std::string text(std::uint64_t offset) const
	{
		auto rest = at<char>(offset, bytes_.size() - offset);

		return {rest.begin(), std::ranges::find(rest, '\0')};
	}

	std::string name(const Elf64_Shdr &section) const { return text(names_ + section.sh_name); }

	std::span<const Elf64_Shdr> sections() const { return sections_; }

private:
	std::vector<char> bytes_;
	std::span<const Elf64_Shdr> sections_;
	std::uint64_t names_ = 0;
};

} // namespace

static std::uint64_t loaded_at(const std::string &section)
{
	std::ifstream in("/sys/module/itme/sections/" + section);
	std::uint64_t address = 0;

	in >> std::hex;
	in.unsetf(std::ios::basefield);
	in >> address;
	return address;
}

static std::string function_at(std::span<const Elf64_Sym> symbols, const Elf &elf,
			       std::uint64_t strings, unsigned section, std::uint64_t offset)
{
	for (const Elf64_Sym &symbol : symbols)
		if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx == section &&
		    offset > symbol.st_value && offset <= symbol.st_value + symbol.st_size)
			return elf.text(strings + symbol.st_name);
	return "?";
}

Module::Module(const std::string &path)
{
	constexpr std::uint64_t call_operand = 4;
	Elf elf(path);

	for (const Elf64_Shdr &rela : elf.sections()) {
		if (rela.sh_type != SHT_RELA)
			continue;
		const Elf64_Shdr &text = elf.sections()[rela.sh_info];
		const Elf64_Shdr &symtab = elf.sections()[rela.sh_link];

		if (!(text.sh_flags & SHF_EXECINSTR))
			continue;
		auto symbols = elf.table<Elf64_Sym>(symtab);
		std::uint64_t strings = elf.sections()[symtab.sh_link].sh_offset;
		std::string name = elf.name(text);
		/* What runs once, before the fuzzer, cannot be reached by it. */
		if (name.starts_with(".init") || name.starts_with(".exit"))
			continue;
		sections_.push_back({text.sh_offset, text.sh_size, loaded_at(name)});
		for (const Elf64_Rela &entry : elf.table<Elf64_Rela>(rela)) {
			const Elf64_Sym &symbol = symbols[ELF64_R_SYM(entry.r_info)];
			std::uint64_t after = entry.r_offset + call_operand;

			if (elf.text(strings + symbol.st_name) == "__sanitizer_cov_trace_pc")
				function_of_[text.sh_offset + after] =
					function_at(symbols, elf, strings, rela.sh_info, after);
		}
	}
}

std::uint64_t Module::place(std::uint64_t pc) const
{
	for (const Section &section : sections_)
		if (section.address && pc > section.address && pc - section.address <= section.size)
			return section.file_offset + (pc - section.address);
	return 0;
}

} // namespace fuzz
