// SPDX-License-Identifier: GPL-2.0
#include "files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace itme
{

namespace
{

/// What is read whole is a table of the kernel or a module; /dev/zero is neither.
constexpr std::size_t file_max = 64U << 20;

} // namespace

Result<std::string> read_file(const std::string &path)
{
	const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	std::array<char, 65536> chunk{};
	std::string text;

	if (!fd.valid())
		return fail(errno, "{}: {}", path, std::strerror(errno));
	for (;;) {
		const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "{}: {}", path, std::strerror(errno));
		if (n == 0)
			return text;
		text.append(chunk.data(), static_cast<std::size_t>(n));
		if (text.size() > file_max)
			return fail(EFBIG, "{}: larger than what is read whole, {} MiB", path,
				    file_max >> 20);
	}
}

Raw<std::vector<std::string>> list_dir_at(int dir_fd)
{
	// A description of its own, so that no read position is shared.
	const int fd = ::openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return tl::unexpected(errno);
	const std::unique_ptr<DIR, int (*)(DIR *)> dir(::fdopendir(fd), ::closedir);
	if (!dir)
		return tl::unexpected(errno);

	std::vector<std::string> found;
	for (;;) {
		errno = 0;
		const dirent *entry = ::readdir(dir.get());
		if (!entry)
			break;
		const std::string_view name(static_cast<const char *>(entry->d_name));
		if (name != "." && name != "..")
			found.emplace_back(name);
	}
	if (errno)
		return tl::unexpected(errno);
	std::sort(found.begin(), found.end());
	return found;
}

namespace
{

/// Step by step, where openat2() may not be called: systemd's RestrictSUIDSGID= answers ENOSYS.
Raw<Fd> walk_below(int dir_fd, std::string_view path, int flags)
{
	struct stat top {
	}, now{};

	Fd at;

	if (::fstat(dir_fd, &top))
		return tl::unexpected(errno);
	for (;;) {
		const std::size_t end = path.find('/');
		const bool last = end == std::string_view::npos;
		const std::string name(path.substr(0, end));
		if (name == ".." || (name.empty() && (last || !at.valid())))
			return tl::unexpected(EXDEV);
		Fd next(::openat(at.valid() ? at.get() : dir_fd, name.empty() ? "." : name.c_str(),
				 last ? flags : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		if (!next.valid() || ::fstat(next.get(), &now))
			return tl::unexpected(errno);
		if (now.st_dev != top.st_dev)
			return tl::unexpected(EXDEV);
		if (last)
			return next;
		at = std::move(next);
		path.remove_prefix(end + 1);
	}
}

} // namespace

Raw<Fd> open_below(int dir_fd, const std::string &path, int flags)
{
	open_how how{};

	flags |= O_CLOEXEC | O_NOFOLLOW;
	how.flags = static_cast<__u64>(flags);
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
	Fd fd(static_cast<int>(::syscall(SYS_openat2, dir_fd, path.c_str(), &how, sizeof(how))));
	if (!fd.valid() && errno == ENOSYS)
		return walk_below(dir_fd, path, flags);
	if (!fd.valid())
		return tl::unexpected(errno);
	return fd;
}

Raw<std::vector<std::string>> list_files_below(int dir_fd)
{
	std::vector<std::string> left{"."};
	std::vector<std::string> files;

	// One directory is open at a time, however deep they are.
	while (!left.empty()) {
		const std::string path = std::move(left.back());
		const std::string before = path == "." ? "" : path + "/";
		left.pop_back();
		auto fd = open_below(dir_fd, path, O_RDONLY | O_DIRECTORY);
		// Gone meanwhile, not for us, or too deep for a path.
		if (!fd && path != ".")
			continue;
		if (!fd)
			return tl::unexpected(fd.error());
		const int raw = ::dup(fd->get());
		const std::unique_ptr<DIR, int (*)(DIR *)> dir(raw < 0 ? nullptr : ::fdopendir(raw),
							       ::closedir);
		if (!dir)
			return tl::unexpected(errno);
		while (const dirent *entry = ::readdir(dir.get())) {
			const std::string_view name(static_cast<const char *>(entry->d_name));
			if (entry->d_type == DT_REG)
				files.push_back(before + std::string(name));
			else if (entry->d_type == DT_DIR && name != "." && name != "..")
				left.push_back(before + std::string(name));
		}
	}
	std::sort(files.begin(), files.end());
	return files;
}

Raw<std::vector<std::string>> list_dir(const std::string &path)
{
	const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!fd.valid())
		return tl::unexpected(errno);
	return list_dir_at(fd.get());
}

} // namespace itme
