// SPDX-License-Identifier: GPL-2.0
#include "journal.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <string_view>
#include <unistd.h>

namespace fuzz
{

/// Programs in the history before it begins anew; a worker may stumble long after its program.
static constexpr unsigned history_length = 500;

static itme::Fd create(const std::string &path)
{
	itme::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	if (!fd.valid())
		throw std::runtime_error(path + ": " + std::strerror(errno));
	return fd;
}

static void write_all(int fd, std::string_view text)
{
	while (!text.empty()) {
		ssize_t n = write(fd, text.data(), text.size());

		if (n <= 0)
			throw std::runtime_error(std::string("the journal: ") +
						 std::strerror(errno));
		text.remove_prefix(static_cast<std::size_t>(n));
	}
}

Journal::Journal(std::string dir) :
	dir_(std::move(dir)), running_(create(dir_ + "/itmefuzz.running"))
{
}

void Journal::running(const Program &program)
{
	std::string text = program.text();

	if (in_history_++ % history_length == 0) {
		rename((dir_ + "/itmefuzz.history").c_str(),
		       (dir_ + "/itmefuzz.history.old").c_str());
		history_ = create(dir_ + "/itmefuzz.history");
	}
	write_all(history_.get(), "# " + std::to_string(in_history_) + "\n" + text + "\n");
	lseek(running_.get(), 0, SEEK_SET);
	if (ftruncate(running_.get(), 0))
		throw std::runtime_error(std::string("the journal: ") + std::strerror(errno));
	write_all(running_.get(), text);
	fdatasync(running_.get());
}

std::string Journal::keep(const std::string &name, const std::string &comment,
			  const Program &program)
{
	std::string path = dir_ + "/" + name + "-" + std::to_string(++kept_) + ".fuzz";
	std::string text = "# ";

	for (char c : comment)
		text += c == '\n' ? std::string("\n# ") : std::string(1, c);
	itme::Fd fd = create(path);
	write_all(fd.get(), text + "\n" + program.text());
	fsync(fd.get());
	return path;
}

/// As tests/lab/watch.py has them, which judges the console.
static constexpr std::string_view bad_words[] = {
	"WARNING:",
	"BUG:",
	"kernel BUG",
	"Oops",
	"general protection",
	"blocked for more than",
	"detected stall",
	"soft lockup",
	"possible circular locking",
	"possible recursive locking",
	"inconsistent lock state",
	"suspicious RCU usage",
	"held lock freed",
	"lock held when returning",
	"KASAN",
	"UBSAN",
	"refcount_t",
	"Bad page",
	"Bad rss",
	"list_add corruption",
	"list_del corruption",
	"unable to handle",
	"scheduling while atomic",
	"sleeping function called",
	"Out of memory: Killed",
	"Busy inodes",
	"Objects remaining in",
	"still has objects",
	"page allocation failure",
};

KernelLog::KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC))
{
	lseek(fd_.get(), 0, SEEK_END);
}

std::string KernelLog::report()
{
	constexpr unsigned most = 30;
	std::string found;
	unsigned lines = 0;
	char record[8192];

	for (;;) {
		ssize_t n = read(fd_.get(), record, sizeof(record));

		if (n < 0 && errno == EPIPE) /* overwritten before it was read */
			continue;
		if (n <= 0)
			return found;
		std::string_view line(record, static_cast<std::size_t>(n));
		line.remove_prefix(std::min(line.find(';') + 1, line.size()));
		line = line.substr(0, line.find('\n'));
		bool bad = false;

		for (std::string_view word : bad_words)
			bad = bad || line.find(word) != line.npos;
		if ((bad || lines) && lines < most) {
			found += std::string(line) + "\n";
			lines++;
		}
	}
}

} // namespace fuzz
