// SPDX-License-Identifier: GPL-2.0
// Does the kernel export what itme.ko uses?
#include "doctor/doctor.hpp"

#include "doctor/elf.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

namespace itme
{
namespace
{

// What the design rests on; the undefined symbols of an itme.ko that is there come instead.
constexpr std::array<std::string_view, 10> essential{
	"alloc_workqueue",	 "filemap_add_folio",	  "filemap_map_pages",
	"filemap_migrate_folio", "folio_end_read",	  "invalidate_inode_pages2_range",
	"register_filesystem",	 "thp_get_unmapped_area", "unmap_mapping_pages",
	"vfs_iocb_iter_read",
};

std::string_view next_line(std::string_view &text)
{
	const std::size_t end = text.find('\n');
	const std::string_view line = text.substr(0, end);

	text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
	return line;
}

/// The second word of each line of Module.symvers is an exported symbol.
std::set<std::string, std::less<>> from_symvers(std::string_view text)
{
	std::set<std::string, std::less<>> names;

	while (!text.empty()) {
		std::string_view line = next_line(text);
		const std::size_t begin = line.find('\t');
		if (begin == std::string_view::npos)
			continue;
		line.remove_prefix(begin + 1);
		names.emplace(line.substr(0, line.find('\t')));
	}
	return names;
}

/// "address r __ksymtab_NAME" is an export; absent without CONFIG_KALLSYMS_ALL.
std::set<std::string, std::less<>> from_kallsyms(std::string_view text)
{
	constexpr std::string_view mark = " __ksymtab_";
	std::set<std::string, std::less<>> names;

	while (!text.empty()) {
		std::string_view line = next_line(text);
		const std::size_t at = line.find(mark);
		if (at == std::string_view::npos)
			continue;
		line.remove_prefix(at + mark.size());
		names.emplace(line.substr(0, line.find('\t')));
	}
	return names;
}

} // namespace

Findings check_symbols(const Root &root, const std::string &module)
{
	const std::string release = kernel_release(root);
	std::vector<std::string> needed(essential.begin(), essential.end());
	std::string whose = "the design";
	std::string source;
	std::set<std::string, std::less<>> exported;

	if (root.exists("/sys/module/itme"))
		return {{"symbols", Status::ok, "itme is loaded: the kernel exports all it needs",
			 ""}};
	const std::string object = module.empty() ? find_module(root) : module;
	if (!object.empty()) {
		const auto symbols = undefined_symbols(module.empty() ? root.path(object) : object);
		if (symbols) {
			needed = *symbols;
			whose = object;
		} else if (!module.empty()) {
			return {{"symbols", Status::fail, symbols.error().message,
				 "give the itme.ko that was built for this kernel"}};
		}
	}

	for (const auto &path : {"/lib/modules/" + release + "/build/Module.symvers",
				 "/usr/src/linux-headers-" + release + "/Module.symvers"}) {
		const auto text = exported.empty() ? root.read(path) : std::nullopt;
		if (text) {
			exported = from_symvers(*text);
			source = path;
		}
	}
	if (exported.empty()) {
		source = "/proc/kallsyms";
		exported = from_kallsyms(root.read(source).value_or(""));
	}
	if (exported.empty())
		return {{"symbols", Status::warn,
			 "neither Module.symvers nor /proc/kallsyms says what the kernel exports",
			 fmt::format("apt install linux-headers-{}", release)}};

	std::erase_if(needed, [&](const std::string &name) { return exported.contains(name); });
	if (!needed.empty())
		return {{"symbols", Status::fail,
			 fmt::format("{} does not have what {} needs: {}", source, whose,
				     fmt::join(needed, ", ")),
			 "build itme.ko against the headers of this very kernel: make modules"}};
	return {{"symbols", Status::ok,
		 fmt::format("everything {} needs is exported ({})", whose, source), ""}};
}

} // namespace itme
