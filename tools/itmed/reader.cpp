// SPDX-License-Identifier: GPL-2.0
// The child that reads the headers of models: first it gives up all that it may do, then it looks
// at the first byte.
#include "parser.hpp"

#include "model/given.hpp"
#include "model/model.hpp"
#include "printable.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <grp.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace itmed
{
namespace
{

constexpr int first_file = 3;
constexpr int first_name = 5;
constexpr uid_t nobody = 65534;
constexpr std::size_t text_max = 200;

struct Arguments {
	std::uint64_t chunk = 0;
	std::uint64_t memory = 0;
	std::uint64_t cpu = 0;
	std::vector<std::string> names;
};

bool parse_number(const char *text, std::uint64_t &out)
{
	const char *end = text + std::strlen(text);
	const auto [rest, ec] = std::from_chars(text, end, out);

	return ec == std::errc() && rest == end;
}

bool limit(int what, std::uint64_t most)
{
	const rlimit both{most, most};

	return !::setrlimit(static_cast<__rlimit_resource>(what), &both);
}

bool give_up_rights(const Arguments &args)
{
	::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	bool fine = !::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !::chdir("/");
	if (::geteuid() == 0)
		fine = fine && !::setgroups(0, nullptr) && !::setresgid(nobody, nobody, nobody) &&
		       !::setresuid(nobody, nobody, nobody);
	// Nobody may look into us either, nor leave a dump of what we read.
	fine = fine && !::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) && ::geteuid() != 0;
	return fine && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_FSIZE, 0) &&
	       limit(RLIMIT_CPU, args.cpu) && limit(RLIMIT_AS, args.memory) &&
	       // Those that we have, and a few more for the library.
	       limit(RLIMIT_NOFILE, first_file + args.names.size() + 8);
}

/// Shards of safetensors without the index that names them: it is not imported. It is made of what
/// is in them.
itme::Result<std::string> make_index(const std::vector<std::string> &names)
{
	nlohmann::json map = nlohmann::json::object();

	for (const auto &name : names) {
		const auto part = itme::read_model(-1, name);
		if (!part)
			return tl::unexpected(part.error());
		for (const auto &tensor : part->tensors)
			map[tensor.name] = name;
	}
	return nlohmann::json{{"weight_map", std::move(map)}}.dump(
		-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

itme::Result<itme::Model> read(const std::vector<std::string> &names)
{
	constexpr const char *index_name = "model.safetensors.index.json";

	if (names.size() == 1 || !names.front().ends_with(".safetensors"))
		return itme::read_model(-1, names.front());
	const auto index = make_index(names);
	if (!index)
		return tl::unexpected(index.error());
	// Not a file, which we may not write.
	itme::give_text(index_name, *index);
	return itme::read_model(-1, index_name);
}

std::string answer(const Arguments &args)
{
	const auto bad = [](const itme::Error &error) {
		return "error " + printable(error.message).substr(0, text_max) + "\n";
	};
	const auto model = read(args.names);
	if (!model)
		return bad(model.error());
	itme::ModelPlanOptions options;
	options.chunk = args.chunk;
	const auto plan = itme::plan_model(*model, options);
	if (!plan)
		return bad(plan.error());
	const auto text = itme::format_plan(plan->plan);
	if (!text)
		return bad(text.error());
	return fmt::format("plan {} {}\n{}", itme::chunk_for(*model),
			   printable(model->architecture).substr(0, text_max), *text);
}

bool say(std::string_view text)
{
	while (!text.empty()) {
		const auto done = ::write(STDOUT_FILENO, text.data(), text.size());
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		text.remove_prefix(static_cast<std::size_t>(done));
	}
	return true;
}

} // namespace

int read_model_main(int argc, char **argv)
{
	Arguments args;

	if (argc <= first_name || !parse_number(argv[2], args.chunk) ||
	    !parse_number(argv[3], args.memory) || !parse_number(argv[4], args.cpu))
		return 2;
	args.names.assign(argv + first_name, argv + argc);
	if (!give_up_rights(args))
		return 3;
	try {
		for (std::size_t i = 0; i < args.names.size(); i++)
			itme::give_file(args.names[i], itme::Fd(first_file + static_cast<int>(i)));
		return say(answer(args)) ? 0 : 1;
	} catch (const std::exception &) { // out of memory: there is a limit to it
		return say("error it takes more memory than it may (parser.memory)\n") ? 0 : 1;
	}
}

} // namespace itmed
