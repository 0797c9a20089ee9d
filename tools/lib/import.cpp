// SPDX-License-Identifier: GPL-2.0
// Mount::import: what can be told apart before the module is asked is told apart here.
#include "mount.hpp"

#include "explain.hpp"
#include "size.hpp"

#include <bit>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace itme
{
namespace
{

std::string base_name(std::string_view path)
{
	while (path.size() > 1 && path.ends_with('/'))
		path.remove_suffix(1);
	return std::string(path.substr(path.rfind('/') + 1));
}

Result<void> check_name(const std::string &name)
{
	if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
		return fail(EINVAL, "'{}' cannot be a name; give a plain one with --name", name);
	if (name.size() > ITME_NAME_MAX)
		return fail(ENAMETOOLONG,
			    "the name '{}...' is longer than {} bytes; give a shorter one with "
			    "--name",
			    name.substr(0, 32), ITME_NAME_MAX);
	return {};
}

Result<void> check_chunk(std::uint64_t chunk, const itme_info &info)
{
	if (!chunk)
		return {};
	if (!std::has_single_bit(chunk) || chunk < info.chunk_min || chunk > info.chunk_max)
		return fail(EINVAL,
			    "a chunk of {} is refused; it has to be a power of two from {} to {}",
			    format_size(chunk), format_size(info.chunk_min),
			    format_size(info.chunk_max));
	return {};
}

Result<Fd> open_lower(const std::string &path)
{
	// O_NONBLOCK: a FIFO must not make us wait for its writer.
	Fd lower(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

	struct stat st {
	};

	if (!lower.valid() || ::fstat(lower.get(), &st))
		return explain_lower(path, errno);
	if (S_ISDIR(st.st_mode))
		return fail(EISDIR, "{}: a directory; name the files in it", path);
	if (!S_ISREG(st.st_mode))
		return fail(EINVAL, "{}: not a regular file; only those can be imported", path);
	return lower;
}

} // namespace

Result<Object> Mount::import(const ImportRequest &request)
{
	const std::string name = request.name.empty() ? base_name(request.path) : request.name;
	const auto can = info();

	if (!can)
		return tl::unexpected(can.error());
	if (auto ret = check_name(name); !ret)
		return tl::unexpected(ret.error());
	if (auto ret = check_chunk(request.chunk_size, *can); !ret)
		return tl::unexpected(ret.error());
	const auto lower = open_lower(request.path);
	if (!lower)
		return tl::unexpected(lower.error());

	itme_import arg{};
	arg.lower_fd = lower->get();
	arg.chunk_size = static_cast<std::uint32_t>(request.chunk_size);
	arg.name_len = static_cast<std::uint32_t>(name.size());
	arg.name = reinterpret_cast<std::uintptr_t>(name.data());
	if (auto ret = root_ioctl(ITME_IOC_IMPORT, &arg); !ret)
		return explain_import(request.path, name, ret.error());

	auto file = open(name);
	if (!file)
		return tl::unexpected(file.error());
	return file->object();
}

} // namespace itme
