// SPDX-License-Identifier: GPL-2.0
// The verbs over a model of the module: runs one, and keeps what it printed.
#pragma once

#include "app.hpp"

#include "fake_channel.hpp"
#include "fake_device.hpp"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace itmectl
{

class Cli : public ::testing::Test
{
protected:
	Cli() { family.module = &module; }

	/// Runs it; fills out and err, returns the exit status.
	int run(std::vector<const char *> args, int lines = 1)
	{
		char *out_text = nullptr;
		char *err_text = nullptr;
		std::size_t size = 0;
		Environment env;

		args.insert(args.begin(), "itmectl");
		env.open_mount = [this](const std::string &dir) -> itme::Result<itme::Mount> {
			return itme::Mount(std::make_unique<itme::test::FakeDevice>(module),
					   dir.empty() ? "/fake" : dir);
		};
		env.open_channel = [this]() -> itme::Result<std::unique_ptr<itme::Channel>> {
			return std::make_unique<itme::test::FakeChannel>(family);
		};
		env.out = ::open_memstream(&out_text, &size);
		env.err = ::open_memstream(&err_text, &size);
		const int status = run_itmectl(static_cast<int>(args.size()), args.data(), env);
		std::fclose(env.out);
		std::fclose(env.err);
		out = out_text;
		err = err_text;
		std::free(out_text);
		std::free(err_text);
		if (status) {
			EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), lines) << err;
		}
		EXPECT_TRUE(module.reserved_clean);
		return status;
	}

	Json json() const { return Json::parse(out); }

	static constexpr std::uint64_t mib = 1U << 20;

	itme::test::FakeModule module;
	itme::test::FakeFamily family;
	std::string out;
	std::string err;
};

} // namespace itmectl
