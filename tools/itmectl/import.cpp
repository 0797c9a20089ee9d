// SPDX-License-Identifier: GPL-2.0
// itmectl import
#include "app.hpp"
#include "models.hpp"
#include "objects.hpp"

#include "size.hpp"

#include <memory>

namespace itmectl
{
namespace
{

struct Arguments {
	std::vector<std::string> paths;
	std::string name;
	std::string chunk;
};

/// EEXIST because it is this very file already is worth saying.
itme::Error refine(itme::Mount &mount, const std::string &path, itme::Error error)
{
	if (error.code != EEXIST)
		return error;
	const auto same = mount.find_import(path);
	if (same && *same)
		error.message = fmt::format("{}: is imported already, as '{}'; nothing to do", path,
					    (*same)->name);
	return error;
}

int import(Context &ctx, const Arguments &args)
{
	itme::ImportRequest request;

	if (!args.name.empty() && args.paths.size() > 1) {
		ctx.warn("--name is for one path; import them one by one");
		return exit_usage;
	}
	request.name = args.name;
	if (!args.chunk.empty()) {
		const auto chunk = itme::parse_size(args.chunk);
		if (!chunk) {
			ctx.fail(chunk.error());
			return exit_usage;
		}
		request.chunk_size = *chunk;
	}
	auto mount = ctx.mount();
	if (!mount)
		return ctx.fail(mount.error());

	std::optional<itme::Model> model;
	std::vector<itme::Object> imported;
	int status = exit_ok;
	for (const auto &path : args.paths) {
		request.path = path;
		if (args.chunk.empty())
			request.chunk_size = chunk_of(*mount, path, model);
		auto object = mount->import(request);
		if (object)
			imported.push_back(std::move(*object));
		else
			status = ctx.fail(refine(*mount, path, object.error()));
	}
	if (imported.empty() && !ctx.json)
		return status;
	const auto table = object_table(*mount, imported);
	if (!table)
		return ctx.fail(table.error());
	const int shown = ctx.show(render_list(*table, ctx.style()));
	return status ? status : shown;
}

} // namespace

void add_import(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand("import", "Make itmefs files from files on a drive");
	auto args = std::make_shared<Arguments>();

	sub->fallthrough();
	sub->add_option("PATH", args->paths, "The files; nothing is copied")->required();
	sub->add_option("--name", args->name, "Name in itmefs (default: that of the file)")
		->type_name("NAME");
	sub->add_option("--chunk", args->chunk,
			"Unit of placement (default: 2M, less where experts or DRAM are small)")
		->type_name("SIZE");
	sub->callback([&ctx, args] { ctx.status = import(ctx, *args); });
}

} // namespace itmectl
