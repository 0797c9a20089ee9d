// SPDX-License-Identifier: GPL-2.0
#include "doctor/elf.hpp"

#include "temp_tree.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

namespace itme
{
namespace
{

struct Image {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[3];
	char strings[32];
};

/// A kernel object that defines "mine" and needs "theirs".
Image image()
{
	Image image{};

	std::memcpy(image.header.e_ident, ELFMAG, SELFMAG);
	image.header.e_ident[EI_CLASS] = ELFCLASS64;
	image.header.e_shoff = offsetof(Image, sections);
	image.header.e_shnum = 3;
	image.sections[1].sh_type = SHT_SYMTAB;
	image.sections[1].sh_link = 2;
	image.sections[1].sh_offset = offsetof(Image, symbols);
	image.sections[1].sh_size = sizeof(image.symbols);
	image.sections[2].sh_type = SHT_STRTAB;
	image.sections[2].sh_offset = offsetof(Image, strings);
	image.sections[2].sh_size = sizeof(image.strings);
	std::memcpy(image.strings, "\0mine\0theirs", 13);
	image.symbols[1].st_name = 1;
	image.symbols[1].st_shndx = 1;
	image.symbols[2].st_name = 6;
	return image;
}

Result<std::vector<std::string>> symbols_of(const Image &image)
{
	const test::TempTree tree;

	return undefined_symbols(tree.write(
		"itme.ko", std::string(reinterpret_cast<const char *>(&image), sizeof(image))));
}

} // namespace

TEST(Elf, ListsUndefinedSymbols)
{
	const auto symbols = symbols_of(image());

	ASSERT_TRUE(symbols);
	EXPECT_EQ(*symbols, (std::vector<std::string>{"theirs"}));
}

TEST(Elf, SurvivesHostileFiles)
{
	Image bad = image();
	bad.header.e_shoff = ~0ULL;
	EXPECT_TRUE(symbols_of(bad)->empty());
	bad = image();
	bad.sections[1].sh_offset = ~0ULL;
	EXPECT_TRUE(symbols_of(bad)->empty());
	bad = image();
	bad.sections[1].sh_size = ~0ULL;
	EXPECT_TRUE(symbols_of(bad)->empty());
	bad = image();
	bad.sections[1].sh_link = 0xffffffff;
	EXPECT_TRUE(symbols_of(bad)->empty());
	bad = image();
	bad.symbols[2].st_name = 0xffffffff;
	EXPECT_TRUE(symbols_of(bad)->empty());
	bad = image(); // a name without end
	std::memset(bad.strings, 'x', sizeof(bad.strings));
	EXPECT_TRUE(symbols_of(bad)->empty());
	bad = image();
	bad.header.e_ident[EI_CLASS] = ELFCLASS32;
	EXPECT_FALSE(symbols_of(bad));
	EXPECT_FALSE(undefined_symbols("/nonexistent"));
	EXPECT_FALSE(undefined_symbols("/dev/null"));
	EXPECT_FALSE(undefined_symbols("/dev/zero"));
}

/// Symbols that each name all the rest: gigabytes of names, and once for each of the sections.
TEST(Elf, TakesLittleFromHostileFiles)
{
	constexpr std::size_t nr = 1U << 16;
	Image bad = image();
	bad.sections[1].sh_offset = sizeof(bad);
	bad.sections[1].sh_size = nr * sizeof(Elf64_Sym);
	bad.sections[2].sh_offset = sizeof(bad) + bad.sections[1].sh_size;
	bad.sections[2].sh_size = nr;
	// More tables of symbols than there is room for, all of them the same one.
	bad.header.e_shnum = 65535;
	std::string file(reinterpret_cast<const char *>(&bad), sizeof(bad));
	for (std::size_t i = 0; i < nr; i++) {
		Elf64_Sym symbol{};
		symbol.st_name = static_cast<Elf64_Word>(i);
		file.append(reinterpret_cast<const char *>(&symbol), sizeof(symbol));
	}
	file.append(nr - 1, 'x');
	file.push_back('\0');

	const test::TempTree tree;
	const auto symbols = undefined_symbols(tree.write("itme.ko", file));
	ASSERT_TRUE(symbols);
	EXPECT_LE(symbols->size(), nr);
	for (const auto &name : *symbols)
		ASSERT_LE(name.size(), 512U);
}

} // namespace itme
