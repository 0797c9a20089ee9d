// SPDX-License-Identifier: GPL-2.0
// What the verbs share: the options before them, where to print, how to fail.
//
// Data goes to stdout, text to stderr. Every failure is one line.
#pragma once

#include "mount.hpp"
#include "netlink/family.hpp"
#include "table.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace itmectl
{

/// What surrounds a verb; tests give another one.
struct Environment {
	std::function<itme::Result<itme::Mount>(const std::string &dir)> open_mount;
	std::function<itme::Result<std::unique_ptr<itme::Channel>>()> open_channel;
	std::FILE *out = stdout;
	std::FILE *err = stderr;
	bool progress = false; ///< stderr is a terminal
	bool color = false;    ///< stdout is a terminal
};

enum Exit : int {
	exit_ok = 0,
	exit_failure = 1,
	exit_usage = 2,
	exit_run_failed = 125, ///< run: itmectl's own failure, as env(1) and chroot(1)
	exit_not_executable = 126,
	exit_not_found = 127,
};

class Context
{
public:
	explicit Context(Environment env) : env_(std::move(env)) {}

	const Environment &env() const { return env_; }

	Style style() const;

	itme::Result<itme::Mount> mount() const { return env_.open_mount(mount_dir); }

	itme::Result<itme::Family> family() const;

	void print(const std::string &text) const { std::fputs(text.c_str(), env_.out); }

	void warn(const std::string &text) const;
	/// Prints the line; returns the exit status of a failed verb.
	int fail(const itme::Error &error) const;
	/// A table or its error, as an exit status.
	int show(const itme::Result<std::string> &rendered) const;

	// What the command line set.
	std::string mount_dir;
	bool json = false;
	bool bytes = false;
	bool noheadings = false;
	std::string columns;
	std::vector<std::string> command; ///< run: the -- and what follows it
	int status = exit_ok;

private:
	Environment env_;
};

// One for each verb, each in a file of its own: adds its subcommand to the application.
void add_tier(CLI::App &app, Context &ctx);
void add_swap(CLI::App &app, Context &ctx);
void add_import(CLI::App &app, Context &ctx);
void add_remove(CLI::App &app, Context &ctx);
void add_list(CLI::App &app, Context &ctx);
void add_residency(CLI::App &app, Context &ctx);
void add_advise(CLI::App &app, Context &ctx);
void add_model(CLI::App &app, Context &ctx);
void add_plan(CLI::App &app, Context &ctx);
void add_run(CLI::App &app, Context &ctx);
void add_stat(CLI::App &app, Context &ctx);
void add_status(CLI::App &app, Context &ctx);
void add_monitor(CLI::App &app, Context &ctx);
void add_top(CLI::App &app, Context &ctx);
void add_holders(CLI::App &app, Context &ctx);
void add_doctor(CLI::App &app, Context &ctx);

/// The whole program.
int run_itmectl(int argc, const char *const *argv, const Environment &env);

} // namespace itmectl
