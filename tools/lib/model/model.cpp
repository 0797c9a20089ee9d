// SPDX-License-Identifier: GPL-2.0
#include "model/model.hpp"

#include "fd.hpp"
#include "files.hpp"
#include "model/raw.hpp"
#include "model/source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace itme
{
namespace
{

Result<RawModel> read_headers(int dir_fd, const std::string &name)
{
	const auto source = Source::open(dir_fd, name);
	HeaderBudget budget = header_max;
	char magic[4] = {};

	if (!source)
		return tl::unexpected(source.error());
	if (auto ret = source->read(0, magic, sizeof(magic), budget); !ret)
		return tl::unexpected(ret.error());
	if (is_gguf(magic))
		return read_gguf(dir_fd, name);
	if (!name.ends_with(".safetensors") && !name.ends_with(".json"))
		return source->bad("neither a GGUF file, nor called .safetensors or .json");
	return read_safetensors(dir_fd, name);
}

/// A directory stands for the model that is in it, if it is one.
Result<std::string> name_in(int dir_fd, const std::string &path)
{
	const auto names = list_dir_at(dir_fd);
	std::vector<std::string> gguf;

	if (!names)
		return fail(names.error(), "{}: {}", path, std::strerror(names.error()));
	for (const char *name : {"model.safetensors.index.json", "model.safetensors"})
		if (std::find(names->begin(), names->end(), name) != names->end())
			return name;
	for (const auto &name : *names)
		if (name.ends_with(".gguf") && (name.find("-of-") == std::string::npos ||
						name.find("-00001-of-") != std::string::npos))
			gguf.push_back(name);
	if (gguf.size() == 1)
		return gguf.front();
	return fail(EINVAL, "{}: {} in the directory; give its file", path,
		    gguf.empty() ? "no model that is known by its name" : "several models");
}

} // namespace

Result<Model> read_model(int dir_fd, const std::string &name)
{
	auto raw = read_headers(dir_fd, name);

	if (!raw)
		return tl::unexpected(raw.error());
	return order_model(std::move(*raw));
}

Result<Model> read_model(const std::string &path)
{
	struct stat st {
	};

	if (::stat(path.c_str(), &st))
		return fail(errno, "{}: {}", path, std::strerror(errno));
	const bool whole = S_ISDIR(st.st_mode);
	const std::size_t slash = path.rfind('/');
	const std::string dir = whole			     ? path
				: slash == std::string::npos ? "."
				: slash == 0		     ? "/"
							     : path.substr(0, slash);
	const Fd fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (!fd.valid())
		return fail(errno, "{}: {}", dir, std::strerror(errno));
	const auto name = whole ? name_in(fd.get(), path)
				: path.substr(slash == std::string::npos ? 0 : slash + 1);
	if (!name)
		return tl::unexpected(name.error());
	auto model = read_model(fd.get(), *name);
	if (model)
		for (auto &file : model->files)
			file.path = dir + "/" + file.path;
	return model;
}

std::string_view format_name(ModelFormat format)
{
	return format == ModelFormat::gguf ? "gguf" : "safetensors";
}

std::string_view role_name(Role role)
{
	constexpr std::array<std::string_view, 8> names{"embedding", "norm", "attention", "router",
							"expert",    "ffn",  "output",	  "other"};

	return names.at(static_cast<std::size_t>(role));
}

std::string_view use_name(Use use)
{
	constexpr std::array<std::string_view, 4> names{"whole", "row", "chosen", "never"};

	return names.at(static_cast<std::size_t>(use));
}

} // namespace itme
