// SPDX-License-Identifier: GPL-2.0
// A file descriptor that closes itself.
#pragma once

#include <unistd.h>
#include <utility>

namespace itme
{

class Fd
{
public:
	Fd() = default;

	explicit Fd(int fd) : fd_(fd) {}

	Fd(const Fd &) = delete;
	Fd &operator=(const Fd &) = delete;

	Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

	Fd &operator=(Fd &&other) noexcept
	{
		std::swap(fd_, other.fd_);
		return *this;
	}

	~Fd()
	{
		if (fd_ >= 0)
			::close(fd_);
	}

	int get() const { return fd_; }

	bool valid() const { return fd_ >= 0; }

private:
	int fd_ = -1;
};

} // namespace itme
