// SPDX-License-Identifier: GPL-2.0
#include "screen.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace itmectl
{
namespace
{

// The other screen, no cursor, no wrapping of long lines; and back.
constexpr const char *take_over = "\033[?1049h\033[?25l\033[?7l";
constexpr const char *give_back = "\033[?7h\033[?25h\033[?1049l";

} // namespace

std::string clip(const std::string &text, std::size_t lines)
{
	std::size_t at = 0;

	for (; lines && at < text.size(); lines--) {
		const std::size_t end = text.find('\n', at);
		at = end == std::string::npos ? text.size() : end + 1;
	}
	return text.substr(0, at);
}

Screen::Screen(std::FILE *out) : out_(out)
{
	if (!::tcgetattr(STDIN_FILENO, &before_))
		keys_ = STDIN_FILENO;
	enter();
}

void Screen::enter()
{
	termios raw = before_;

	if (entered_)
		return;
	entered_ = true;
	// Keys as they come, unseen; signals by keys stay.
	raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (keys_ >= 0)
		::tcsetattr(keys_, TCSADRAIN, &raw);
	std::fputs(take_over, out_);
	std::fflush(out_);
}

void Screen::leave()
{
	if (!entered_)
		return;
	entered_ = false;
	std::fputs(give_back, out_);
	std::fflush(out_);
	if (keys_ >= 0)
		::tcsetattr(keys_, TCSADRAIN, &before_);
}

void Screen::draw(const std::string &text)
{
	winsize size{};
	std::string lines = text;

	if (!::ioctl(::fileno(out_), TIOCGWINSZ, &size) && size.ws_row)
		lines = clip(text, size.ws_row);
	// The last one must not end in a new line: it would scroll.
	if (lines.ends_with('\n'))
		lines.pop_back();
	// Over what is there: each line to its end, then what is below.
	std::string picture = "\033[H";
	for (const char c : lines) {
		if (c == '\n')
			picture += "\033[K\r";
		picture += c;
	}
	std::fputs((picture + "\033[K\033[J").c_str(), out_);
	std::fflush(out_);
}

char Screen::key()
{
	pollfd there{keys_, POLLIN, 0};
	char c = 0;

	if (keys_ < 0 || ::poll(&there, 1, 0) != 1)
		return 0;
	if (::read(keys_, &c, 1) == 1)
		return c;
	// The terminal has gone; it would be readable for ever.
	keys_ = -1;
	return 0;
}

} // namespace itmectl
