// SPDX-License-Identifier: GPL-2.0
// Symbols of a kernel object that somebody gives to itmectl doctor --module.
#include "fuzz.hpp"

#include "doctor/elf.hpp"
#include "fd.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace
{

itme::Result<std::vector<std::string>> symbols_of(std::string_view image)
{
	const itme::Fd file(::memfd_create("elf", MFD_CLOEXEC));

	HOLDS(::write(file.get(), image.data(), image.size()) ==
	      static_cast<ssize_t>(image.size()));
	return itme::undefined_symbols("/proc/self/fd/" + std::to_string(file.get()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const auto symbols = symbols_of(fuzz::text_of(data, size));

	if (!symbols) {
		HOLDS(!symbols.error().message.empty());
		return 0;
	}
	HOLDS(std::is_sorted(symbols->begin(), symbols->end()));
	std::size_t bytes = 0;
	for (const auto &name : *symbols) {
		HOLDS(!name.empty() && name.find('\0') == std::string::npos);
		bytes += name.size();
	}
	// Each is named by a symbol of 24 bytes, and no name of the kernel is long.
	HOLDS(symbols->size() <= size / sizeof(Elf64_Sym));
	HOLDS(bytes <= size * 22);
	return 0;
}

/// Headers are hard to guess: set the fields that lead further, now and then.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t *data, std::size_t size, std::size_t max);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t *data, std::size_t size,
					       std::size_t max, unsigned int seed)
{
	Elf64_Ehdr header{};

	size = LLVMFuzzerMutate(data, size, max);
	if (seed % 4 || size < sizeof(header) + 2 * sizeof(Elf64_Shdr))
		return size;
	std::memcpy(&header, data, sizeof(header));
	std::memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	if (header.e_shoff > size)
		header.e_shoff %= size;
	std::memcpy(data, &header, sizeof(header));
	if (header.e_shoff <= size - sizeof(Elf64_Shdr)) {
		Elf64_Shdr section{};
		std::memcpy(&section, data + header.e_shoff, sizeof(section));
		section.sh_type = SHT_SYMTAB;
		section.sh_link = seed >> 8 & 1;
		section.sh_offset %= size + 1;
		section.sh_size %= size + 1;
		std::memcpy(data + header.e_shoff, &section, sizeof(section));
	}
	return size;
}
