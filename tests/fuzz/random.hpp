// SPDX-License-Identifier: GPL-2.0
// Numbers from a seed: the same on every machine, unlike the distributions of the library.
#pragma once

#include <cstdint>
#include <iterator>
#include <random>

namespace fuzz
{

class Random
{
public:
	explicit Random(std::uint64_t seed) : engine_(seed) {}

	std::uint64_t bits() { return engine_(); }

	/// 0 to n - 1
	std::uint64_t below(std::uint64_t n) { return engine_() % n; }

	bool one_in(std::uint64_t n) { return below(n) == 0; }

	/// Of an array or a vector.
	template <class T>
	auto &pick(T &from)
	{
		return from[below(std::size(from))];
	}

private:
	std::mt19937_64 engine_;
};

} // namespace fuzz
