// SPDX-License-Identifier: GPL-2.0
#include "model/source.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace itme
{

Result<Source> Source::open(int dir_fd, const std::string &name)
{
	struct stat st {
	};

	if (only_given())
		return open_given(name);
	if (name.find('\0') != std::string::npos)
		return fail(EINVAL, "{}: a NUL in a file name", name);
	const Fd path(::openat(dir_fd, name.c_str(), O_PATH | O_CLOEXEC));
	if (!path.valid() || ::fstat(path.get(), &st))
		return fail(errno, "{}: {}", name, std::strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(EINVAL, "{}: not a regular file", name);
	// The same file, whatever has the name by now.
	Fd fd(::open(fmt::format("/proc/self/fd/{}", path.get()).c_str(), O_RDONLY | O_CLOEXEC));
	if (!fd.valid())
		return fail(errno, "{}: {}", name, std::strerror(errno));

	ModelFile file;
	file.name = name.substr(name.rfind('/') + 1);
	file.path = name;
	file.size = static_cast<std::uint64_t>(st.st_size);
	file.dev = st.st_dev;
	file.ino = st.st_ino;
	return Source(std::make_shared<const Given>(Given{std::move(fd), ""}), std::move(file));
}

Result<Source> Source::open_given(const std::string &name)
{
	struct stat st {
	};

	auto content = given(name);
	ModelFile file;

	if (!content)
		return fail(ENOENT, "{}: {}", name, std::strerror(ENOENT));
	file.name = name;
	file.path = name;
	file.size = content->text.size();
	if (content->fd.valid()) {
		if (::fstat(content->fd.get(), &st))
			return fail(errno, "{}: {}", name, std::strerror(errno));
		file.size = static_cast<std::uint64_t>(st.st_size);
		file.dev = st.st_dev;
		file.ino = st.st_ino;
	}
	return Source(std::move(content), std::move(file));
}

Result<void> Source::read(std::uint64_t offset, void *to, std::size_t length,
			  HeaderBudget &budget) const
{
	auto *at = static_cast<char *>(to);

	if (length > budget)
		return fail(EFBIG, "{}: the header is larger than {} MiB", file_.name,
			    header_max >> 20);
	if (offset > file_.size || length > file_.size - offset)
		return bad("the file ends within its header");
	budget -= length;
	if (!content_->fd.valid()) {
		std::memcpy(to, content_->text.data() + offset, length);
		return {};
	}
	while (length) {
		const ssize_t n =
			::pread(content_->fd.get(), at, length, static_cast<off_t>(offset));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "{}: {}", file_.name, std::strerror(errno));
		if (n == 0)
			return bad("the file ends within its header");
		at += n;
		offset += static_cast<std::uint64_t>(n);
		length -= static_cast<std::size_t>(n);
	}
	return {};
}

} // namespace itme
