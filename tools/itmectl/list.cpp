// SPDX-License-Identifier: GPL-2.0
// itmectl list
#include "app.hpp"
#include "objects.hpp"

namespace itmectl
{
namespace
{

Json flag_words(std::uint32_t flags)
{
	Json words = Json::array();

	if (flags & ITME_OBJECT_MAPPED)
		words.push_back("mapped");
	if (flags & ITME_OBJECT_UNLINKED)
		words.push_back("unlinked");
	if (flags & ITME_OBJECT_CHANGED)
		words.push_back("changed");
	if (flags & ITME_OBJECT_NATIVE)
		words.push_back("native");
	return words;
}

int list(Context &ctx)
{
	auto mount = ctx.mount();

	if (!mount)
		return ctx.fail(mount.error());
	const auto objects = mount->objects();
	if (!objects)
		return ctx.fail(objects.error());
	const auto table = object_table(*mount, *objects);
	if (!table)
		return ctx.fail(table.error());
	return ctx.show(render_list(*table, ctx.style()));
}

} // namespace

itme::Result<Table> object_table(itme::Mount &mount, const std::vector<itme::Object> &objects)
{
	Table table{{{"name", "NAME", Kind::text},
		     {"id", "ID", Kind::count, false},
		     {"size", "SIZE", Kind::size},
		     {"chunk_size", "CHUNK", Kind::size},
		     {"dram", "DRAM", Kind::size},
		     {"cxl", "CXL", Kind::size},
		     {"nvme", "NVME", Kind::size, false},
		     {"opens", "OPENS", Kind::count},
		     {"flags", "FLAGS", Kind::text},
		     {"path", "LOWER-PATH", Kind::text},
		     {"lower_dev", "LOWER-DEV", Kind::count, false},
		     {"lower_ino", "LOWER-INO", Kind::count, false}},
		    {}};

	for (const auto &object : objects) {
		auto file = mount.open(object.name);
		if (!file && (file.error().code == ENOENT || file.error().code == EACCES))
			continue; // removed meanwhile, or closed to us
		if (!file)
			return tl::unexpected(file.error());
		auto where = file->residency({});
		// A written file may be empty, or be so by now: then no range starts inside.
		if (!where && object.flags & ITME_OBJECT_NATIVE && where.error().code == EINVAL)
			where = itme::Residency{};
		if (!where)
			return tl::unexpected(where.error());
		table.rows.push_back({object.name, object.id, object.size, object.chunk_size,
				      where->bytes[ITME_TIER_DRAM], where->bytes[ITME_TIER_CXL],
				      where->bytes[ITME_TIER_NVME], object.opens,
				      flag_words(object.flags), object.path, object.lower_dev,
				      object.lower_ino});
	}
	return table;
}

void add_list(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand("list", "List the files, imported and written ones");

	sub->fallthrough();
	sub->callback([&ctx] { ctx.status = list(ctx); });
}

} // namespace itmectl
