// SPDX-License-Identifier: GPL-2.0
// A terminal taken over, as less(1) does, and given back as it was.
#pragma once

#include <cstdio>
#include <string>
#include <termios.h>

namespace itmectl
{

class Screen
{
public:
	/// out is a terminal; keys come from stdin, if that is one.
	explicit Screen(std::FILE *out);
	Screen(const Screen &) = delete;
	Screen &operator=(const Screen &) = delete;
	Screen(Screen &&) = delete;
	Screen &operator=(Screen &&) = delete;

	~Screen() { leave(); }

	/// Give it back for a while, and take it again.
	void leave();
	void enter();

	/// As much of the lines as there is room for.
	void draw(const std::string &text);

	/// Where keys come from; -1 for nowhere.
	int keys() const { return keys_; }

	/// One that has been pressed; 0 for none.
	char key();

private:
	std::FILE *out_;
	int keys_ = -1;
	termios before_{};
	bool entered_ = false;
};

/// The first lines.
std::string clip(const std::string &text, std::size_t lines);

} // namespace itmectl
