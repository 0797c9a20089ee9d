// SPDX-License-Identifier: GPL-2.0
#include "parser.hpp"

#include "model/model.hpp"
#include "printable.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace itmed
{
namespace
{

/// Of an answer: the largest plan that the module takes has less.
constexpr std::size_t answer_max = std::size_t{32} << 20;
constexpr std::size_t text_max = 200;
/// What is before it in the first line.
constexpr std::size_t head_max = 16;
constexpr int first_file = 3;

/// Between fork() and exec() in a process that may have threads: system calls only.
[[noreturn]] void become_child(const char *program, char *const *argv, int out,
			       const std::vector<int> &files, int null)
{
	static char *const no_environment[] = {nullptr};
	sigset_t none;

	sigemptyset(&none);
	::sigprocmask(SIG_SETMASK, &none, nullptr);
	bool fine = ::dup2(null, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
		    ::dup2(null, STDERR_FILENO) >= 0;
	int next = first_file;
	for (const int file : files)
		fine = fine && ::dup2(file, next++) >= 0;
	fine = fine && !::syscall(SYS_close_range, next, ~0U, 0);
	if (fine)
		::execve(program, argv, no_environment);
	::_exit(127);
}

std::string ended_how(int status)
{
	if (WIFSIGNALED(status)) {
		const int signal = WTERMSIG(status);
		if (signal == SIGXCPU)
			return "it took too long";
		if (signal == SIGKILL)
			return "it was killed: it took too long, or too much memory";
		return fmt::format("it was ended by signal {} ({})", signal,
				   ::sigabbrev_np(signal));
	}
	return fmt::format("it ended with exit code {}", WEXITSTATUS(status));
}

} // namespace

itme::Result<ParsedModel> parse_answer(std::string_view answer)
{
	constexpr std::string_view good = "plan ";
	constexpr std::string_view bad = "error ";
	const std::size_t end = answer.find('\n');
	ParsedModel model;

	// Or there is none: npos is more than anything.
	if (end > text_max + head_max)
		return itme::fail(EPROTO, "its answer makes no sense");
	const std::string_view head = answer.substr(0, end);
	if (head.starts_with(bad))
		return itme::fail(EINVAL, "{}", printable(head.substr(bad.size())));
	if (!head.starts_with(good))
		return itme::fail(EPROTO, "its answer makes no sense");
	const char *const last = head.data() + head.size();
	const auto [rest, ec] = std::from_chars(head.data() + good.size(), last, model.chunk);
	if (ec != std::errc() || rest == last || *rest != ' ' || !itme::is_chunk(model.chunk))
		return itme::fail(EPROTO, "its answer makes no sense");
	model.architecture = printable({rest + 1, last});
	auto plan = itme::parse_plan(answer.substr(end + 1));
	if (!plan)
		return itme::fail(EPROTO, "its answer makes no sense: {}",
				  printable(plan.error().message).substr(0, text_max));
	model.plan = std::move(*plan);
	return model;
}

itme::Result<Parser> Parser::start(const std::string &program, const std::vector<ParserFile> &files,
				   std::uint32_t chunk, const ParserLimits &limits)
{
	std::array<int, 2> ends{-1, -1};

	if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK))
		return itme::fail(errno, "pipe: {}", std::strerror(errno));
	itme::Fd ours(ends[0]);
	const itme::Fd theirs(ends[1]);
	const itme::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
	// Its writes wait for us.
	::fcntl(theirs.get(), F_SETFL, 0);

	// Copies above all numbers that they get in the child.
	const int above = first_file + static_cast<int>(files.size()) + 1;
	std::vector<itme::Fd> copies;
	std::vector<int> numbers;
	copies.emplace_back(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, above));
	const int out = copies.back().get();
	for (const auto &file : files) {
		copies.emplace_back(::fcntl(file.fd.get(), F_DUPFD_CLOEXEC, above));
		numbers.push_back(copies.back().get());
		if (!copies.back().valid())
			return itme::fail(errno, "too many files: {}", std::strerror(errno));
	}
	if (!null.valid() || out < 0)
		return itme::fail(errno, "/dev/null: {}", std::strerror(errno));

	std::vector<std::string> words{"itmed", "--read-model", std::to_string(chunk),
				       std::to_string(limits.memory),
				       std::to_string(limits.cpu.count())};
	for (const auto &file : files)
		words.push_back(file.name);
	std::vector<char *> argv;
	argv.reserve(words.size() + 1);
	for (auto &word : words)
		argv.push_back(word.data());
	argv.push_back(nullptr);

	const pid_t pid = ::fork();
	if (pid < 0)
		return itme::fail(errno, "fork: {}", std::strerror(errno));
	if (!pid)
		become_child(program.c_str(), argv.data(), out, numbers, null.get());
	return Parser(pid, std::move(ours));
}

Parser::Parser(Parser &&other) noexcept :
	pid_(std::exchange(other.pid_, -1)), out_(std::move(other.out_)),
	said_(std::move(other.said_)), ended_(other.ended_)
{
}

Parser &Parser::operator=(Parser &&other) noexcept
{
	std::swap(pid_, other.pid_);
	std::swap(out_, other.out_);
	std::swap(said_, other.said_);
	std::swap(ended_, other.ended_);
	return *this;
}

Parser::~Parser()
{
	if (pid_ < 0)
		return;
	::kill(pid_, SIGKILL);
	while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
	}
}

bool Parser::read()
{
	std::array<char, 65536> buffer;

	for (;;) {
		const auto got = ::read(out_.get(), buffer.data(), buffer.size());
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return false;
		if (got <= 0) {
			ended_ = got == 0;
			return true;
		}
		if (said_.size() + static_cast<std::size_t>(got) > answer_max)
			return true;
		said_.append(buffer.data(), static_cast<std::size_t>(got));
	}
}

itme::Result<ParsedModel> Parser::finish()
{
	int status = 0;

	// One that has closed its end is about to end; one that has not has had its time.
	if (!ended_)
		::kill(pid_, SIGKILL);
	for (int i = 0; i < 100 && ended_; i++) {
		if (::waitpid(pid_, &status, WNOHANG) == pid_) {
			pid_ = -1;
			break;
		}
		::usleep(10'000);
	}
	if (pid_ >= 0) {
		::kill(pid_, SIGKILL);
		while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
		}
		pid_ = -1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return itme::fail(EIO, "{}", ended_how(status));
	if (!ended_)
		return itme::fail(EFBIG, "its answer is too long");
	return parse_answer(said_);
}

} // namespace itmed
