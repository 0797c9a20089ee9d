// SPDX-License-Identifier: GPL-2.0
#include "device.hpp"

#include "files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace itme
{
namespace
{

class KernelDevice final : public Device
{
public:
	explicit KernelDevice(Fd root) : root_(std::move(root)) {}

	int root() const override { return root_.get(); }

	Raw<Fd> open(const std::string &name) override
	{
		// O_NONBLOCK: what was a file may be a FIFO now.
		auto fd = open_below(root_.get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY);

		struct stat st {
		};

		if (fd && (::fstat(fd->get(), &st) || !S_ISREG(st.st_mode)))
			return tl::unexpected(S_ISDIR(st.st_mode) ? EISDIR : ENXIO);
		return fd;
	}

	Raw<std::vector<std::string>> names() override { return list_files_below(root_.get()); }

	Raw<void> unlink(const std::string &name) override
	{
		const std::size_t slash = name.rfind('/');
		Raw<Fd> dir = slash == std::string::npos
				      ? Fd(::dup(root_.get()))
				      : open_below(root_.get(), name.substr(0, slash),
						   O_PATH | O_DIRECTORY);

		if (!dir)
			return tl::unexpected(dir.error());
		if (::unlinkat(dir->get(), name.substr(slash + 1).c_str(), 0))
			return tl::unexpected(errno);
		return {};
	}

	Raw<void> ioctl(int fd, unsigned long request, void *arg) override
	{
		if (::ioctl(fd, request, arg))
			return tl::unexpected(errno);
		return {};
	}

private:
	Fd root_;
};

} // namespace

std::unique_ptr<Device> kernel_device(Fd root)
{
	return std::make_unique<KernelDevice>(std::move(root));
}

} // namespace itme
