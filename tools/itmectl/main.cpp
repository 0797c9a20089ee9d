// SPDX-License-Identifier: GPL-2.0
#include "app.hpp"

#include <exception>
#include <unistd.h>

int main(int argc, char **argv)
{
	itmectl::Environment env;

	env.open_mount = itme::open_mount;
	env.open_channel = itme::open_channel;
	env.progress = ::isatty(STDERR_FILENO) == 1;
	env.color = ::isatty(STDOUT_FILENO) == 1;
	try {
		return itmectl::run_itmectl(argc, argv, env);
	} catch (const std::exception &error) { // out of memory: nothing else is thrown
		std::fprintf(stderr, "itmectl: %s\n", error.what());
		return itmectl::exit_failure;
	}
}
