// SPDX-License-Identifier: GPL-2.0
// itmectl run
#include "app.hpp"

#include "run.hpp"

#include <cstring>
#include <memory>
#include <optional>
#include <unistd.h>

namespace itmectl
{
namespace
{

struct Arguments {
	std::vector<std::string> imports;
	std::string user;
};

/// Imported already counts as done; so does somebody else's import of it at the same moment.
itme::Result<void> ensure_imported(itme::Mount &mount, const std::string &path)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		const auto found = mount.find_import(path);
		if (!found)
			return tl::unexpected(found.error());
		if (*found)
			return {};
		const auto object = mount.import({path, "", 0});
		if (object)
			return {};
		if (object.error().code != EEXIST || attempt)
			return tl::unexpected(object.error());
	}
	return {};
}

int execute(const Context &ctx)
{
	const auto &command = ctx.command;
	std::vector<char *> argv;

	argv.reserve(command.size() + 1);
	for (const auto &word : command)
		argv.push_back(const_cast<char *>(word.c_str()));
	argv.push_back(nullptr);
	::execvp(argv[0], argv.data());
	const int code = errno;
	ctx.warn(fmt::format("{}: {}", command[0], std::strerror(code)));
	return code == ENOENT ? exit_not_found : exit_not_executable;
}

int run(Context &ctx, const Arguments &args)
{
	if (ctx.command.empty()) {
		ctx.warn("no command to run; write itmectl run -- CMD");
		return exit_run_failed;
	}
	const auto refuse = [&](const itme::Error &error) {
		ctx.fail(error);
		return exit_run_failed;
	};
	std::optional<itme::User> user;

	if (!args.user.empty()) {
		const auto found = itme::find_user(args.user);
		if (!found)
			return refuse(found.error());
		user = *found;
	}
	auto mount = ctx.mount();
	if (!mount)
		return refuse(mount.error());
	for (const auto &path : args.imports)
		if (auto ret = ensure_imported(*mount, path); !ret)
			return refuse(ret.error());
	const auto objects = mount->objects();
	if (!objects)
		return refuse(objects.error());
	const auto plan = itme::plan_binds(*objects, itme::look_up);
	for (const auto &warning : plan.warnings)
		ctx.warn(warning);
	if (objects->empty())
		ctx.warn("nothing is imported; the command runs on the drive's files (--import "
			 "PATH)");

	const auto warnings = itme::enter_namespace(mount->path(), plan);
	if (!warnings)
		return refuse(warnings.error());
	for (const auto &warning : *warnings)
		ctx.warn(warning);
	if (user)
		if (auto ret = itme::become_user(*user); !ret)
			return refuse(ret.error());
	return execute(ctx);
}

} // namespace

void add_run(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand(
		"run", "[--] CMD [ARG]...: run it with the imported files at their original paths");
	auto args = std::make_shared<Arguments>();

	// Without -- the command starts at the first word that is not an option of ours.
	sub->fallthrough(false);
	sub->prefix_command();
	sub->add_option("-m,--mount", ctx.mount_dir, "The itmefs mount")->type_name("DIR");
	sub->add_option("--import", args->imports,
			"Import this first, unless it is; may be repeated")
		->type_name("PATH")
		->allow_extra_args(false);
	sub->add_option("-u,--user", args->user, "Run the command as this user")
		->type_name("USER|UID:GID");
	sub->callback([&ctx, args, sub] {
		const auto rest = sub->remaining();
		if (!rest.empty() && rest[0].starts_with('-'))
			throw CLI::ExtrasError("run", {rest[0]});
		// A -- behind the first word of the command is the command's own.
		if (rest.empty() && !ctx.command.empty())
			ctx.command.erase(ctx.command.begin());
		ctx.command.insert(ctx.command.begin(), rest.begin(), rest.end());
		ctx.status = run(ctx, *args);
	});
}

} // namespace itmectl
