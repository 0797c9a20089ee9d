// SPDX-License-Identifier: GPL-2.0
// itmectl run
#include "app.hpp"
#include "models.hpp"

#include "run.hpp"
#include "shm.hpp"
#include "size.hpp"

#include <cstring>
#include <memory>
#include <optional>
#include <sys/statvfs.h>
#include <unistd.h>

namespace itmectl
{
namespace
{

struct Arguments {
	std::vector<std::string> imports;
	std::string user;
	std::optional<std::string> shm;
};

/// Imported already counts as done; so does somebody else's import of it at the same moment.
itme::Result<void> ensure_imported(itme::Mount &mount, const std::string &path)
{
	std::optional<itme::Model> model;

	for (int attempt = 0; attempt < 2; attempt++) {
		const auto found = mount.find_import(path);
		if (!found)
			return tl::unexpected(found.error());
		if (*found)
			return {};
		const auto object = mount.import({path, "", chunk_of(mount, path, model)});
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

/// As the user, if one is given.
int execute_as(const Context &ctx, const std::optional<itme::User> &user)
{
	if (user)
		if (auto ret = itme::become_user(*user); !ret) {
			ctx.fail(ret.error());
			return exit_run_failed;
		}
	return execute(ctx);
}

/// Says so where it is more than there can ever be; what is there now changes all the time.
void check_size(const Context &ctx, const itme::Mount &mount, std::uint64_t bytes)
{
	struct statvfs fs {
	};

	if (::statvfs(mount.path().c_str(), &fs))
		return;
	const std::uint64_t all = std::uint64_t{fs.f_blocks} * fs.f_frsize;
	if (bytes > all)
		ctx.warn(fmt::format("--shm {} is more than memory and swap areas hold ({}); "
				     "'itmectl swap add' makes it more",
				     itme::format_size(bytes), itme::format_size(all)));
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
	std::uint64_t shm_bytes = 0;

	if (args.shm) {
		const auto bytes = itme::parse_size(*args.shm);
		if (!bytes)
			return refuse(bytes.error());
		if (!*bytes)
			return refuse({EINVAL, "--shm 0: nothing could be written there"});
		shm_bytes = *bytes;
	}
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
	if (plan.imported == 0 && !shm_bytes)
		ctx.warn("nothing is imported; the command runs on the drive's files (--import "
			 "PATH)");

	std::optional<itme::ShmDir> shm;
	if (shm_bytes) {
		check_size(ctx, *mount, shm_bytes);
		auto made = itme::ShmDir::make(*mount, shm_bytes);
		if (!made)
			return refuse(made.error());
		shm.emplace(std::move(*made));
	}
	const auto warnings = itme::enter_namespace(mount->path(), plan);
	if (!warnings)
		return refuse(warnings.error());
	for (const auto &warning : *warnings)
		ctx.warn(warning);
	if (!shm)
		return execute_as(ctx, user);

	if (auto ret = shm->bind(mount->path()); !ret)
		return refuse(ret.error());
	const auto ended = itme::run_child([&] { return execute_as(ctx, user); },
					   [&] {
						   if (auto ret = shm->remove(); !ret)
							   ctx.warn(ret.error().message);
					   });
	if (!ended)
		return refuse(ended.error());
	return itme::end_as(*ended);
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
	sub->add_option("--shm", args->shm,
			"Put /dev/shm on itmefs, for the command alone: up to SIZE, gone when it "
			"ends")
		->type_name("SIZE");
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
