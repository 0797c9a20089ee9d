// SPDX-License-Identifier: GPL-2.0
// Headers of models are read by a child that may do nothing else: what is in them was written by
// somebody.
#pragma once

#include "config.hpp"
#include "fd.hpp"
#include "planfile.hpp"
#include "result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace itmed
{

/// A file of a model, opened for reading.
struct ParserFile {
	std::string name;
	itme::Fd fd;
};

struct ParsedModel {
	std::string architecture;
	std::uint32_t chunk = 0; ///< the size that would be best
	itme::PlanFile plan;	 ///< checked to be a plan, not that it fits the files
};

/// What the child has said, judged; nothing of it is believed.
itme::Result<ParsedModel> parse_answer(std::string_view answer);

/// A child at work. Killed when it goes out of scope.
class Parser
{
public:
	/// program is run with --read-model; its user is nobody, its limits are those given.
	static itme::Result<Parser> start(const std::string &program,
					  const std::vector<ParserFile> &files, std::uint32_t chunk,
					  const ParserLimits &limits);

	Parser(const Parser &) = delete;
	Parser &operator=(const Parser &) = delete;
	Parser(Parser &&other) noexcept;
	Parser &operator=(Parser &&other) noexcept;
	~Parser();

	pid_t pid() const { return pid_; }

	/// For poll(): readable when there is something for read().
	int fd() const { return out_.get(); }

	/// What there is; true when there will be nothing more: the child has ended, or has said
	/// too much.
	bool read();

	/// Ends the child, if it runs still, and tells what has come of it.
	itme::Result<ParsedModel> finish();

private:
	Parser(pid_t pid, itme::Fd out) : pid_(pid), out_(std::move(out)) {}

	pid_t pid_ = -1;
	itme::Fd out_;
	std::string said_;
	bool ended_ = false; ///< it has closed its end by itself
};

/// The child: main() of `itmed --read-model`. Descriptors from 3 on are the files.
int read_model_main(int argc, char **argv);

} // namespace itmed
