// SPDX-License-Identifier: GPL-2.0
#include "mutate.hpp"

#include "generate.hpp"

#include <algorithm>

namespace fuzz
{

static auto place(Random &random, Program &program)
{
	return program.calls.begin() +
	       static_cast<std::ptrdiff_t>(random.below(program.calls.size() + 1));
}

static void insert(Random &random, Program &program)
{
	program.calls.insert(place(random, program), generate_call(random, draw_op(random)));
}

static void change_argument(Random &random, Program &program)
{
	Call &call = random.pick(program.calls);

	if (call.args.empty())
		return;
	std::size_t index = random.below(call.args.size());
	Arg &arg = call.args[index];

	if (is_text(call.op->fields[index].kind) || !random.one_in(4)) {
		redraw(random, call, index);
		return;
	}
	switch (random.below(3)) {
	case 0:
		arg.value ^= 1ULL << random.below(64);
		break;
	case 1:
		arg.value += random.below(17) - 8;
		break;
	default:
		arg.value = ~arg.value;
	}
}

/// A run of calls of the other one.
static void splice(Random &random, Program &program, const Program &other)
{
	if (other.calls.empty())
		return;
	std::size_t from = random.below(other.calls.size());
	std::size_t count = 1 + random.below(other.calls.size() - from);
	auto first = other.calls.begin() + static_cast<std::ptrdiff_t>(from);

	program.calls.insert(place(random, program), first,
			     first + static_cast<std::ptrdiff_t>(count));
}

/// So that two threads are at it from some call on, or one again.
static void change_threads(Random &random, Program &program)
{
	bool one = random.one_in(3);
	std::size_t from = random.below(program.calls.size());

	for (std::size_t i = 0; i < program.calls.size(); i++)
		program.calls[i].second = !one && i >= from && random.one_in(2);
}

Program mutate(Random &random, Program program, const Program &other)
{
	do {
		if (program.calls.empty()) {
			insert(random, program);
			continue;
		}
		switch (random.below(10)) {
		case 0:
		case 1:
		case 2:
			insert(random, program);
			break;
		case 3:
			program.calls.erase(
				program.calls.begin() +
				static_cast<std::ptrdiff_t>(random.below(program.calls.size())));
			break;
		case 4:
			splice(random, program, other);
			break;
		case 5:
			std::swap(random.pick(program.calls), random.pick(program.calls));
			break;
		case 6:
			change_threads(random, program);
			break;
		default:
			change_argument(random, program);
		}
	} while (!random.one_in(3));
	if (program.calls.size() > Program::max_calls)
		program.calls.erase(program.calls.begin() + Program::max_calls,
				    program.calls.end());
	return program;
}

} // namespace fuzz
