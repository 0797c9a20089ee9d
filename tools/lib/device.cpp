// SPDX-License-Identifier: GPL-2.0
#include "device.hpp"

#include "files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>

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
		Fd fd(::openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));

		if (!fd.valid())
			return tl::unexpected(errno);
		return fd;
	}

	Raw<std::vector<std::string>> names() override { return list_dir_at(root_.get()); }

	Raw<void> unlink(const std::string &name) override
	{
		if (::unlinkat(root_.get(), name.c_str(), 0))
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
