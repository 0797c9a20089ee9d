// SPDX-License-Identifier: GPL-2.0
// The system calls libitme makes on an itmefs mount. Tests put a model of the module in its place.
#pragma once

#include "fd.hpp"
#include "result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace itme
{

class Device
{
public:
	virtual ~Device() = default;

	/// The root directory; stays open as long as the device.
	virtual int root() const = 0;
	/// Names are paths from the root.
	virtual Raw<Fd> open(const std::string &name) = 0;
	virtual Raw<std::vector<std::string>> names() = 0;
	virtual Raw<void> unlink(const std::string &name) = 0;
	virtual Raw<void> ioctl(int fd, unsigned long request, void *arg) = 0;
};

/// The real thing, over the open root directory of a mount.
std::unique_ptr<Device> kernel_device(Fd root);

} // namespace itme
