// SPDX-License-Identifier: GPL-2.0
#include "generate.hpp"

#include "lower.hpp"

#include <fcntl.h>
#include <iterator>
#include <numeric>

namespace fuzz
{

static constexpr std::uint64_t edges[] = {
	0,	   1,	       100,	  4095,		4096,	    4097,	0x10000,
	0x10001,   0x1fffff,   0x200000,  0x200001,	0x201000,   0x400000,	0x503039,
	0x1201001, 0x2800000,  0x27ff000, 1ULL << 31,	1ULL << 32, 1ULL << 36, 1ULL << 62,
	INT64_MAX, 1ULL << 63, ~0ULL,	  ~0ULL - 4095,
};

static constexpr std::string_view names[] = {"a", "a", "a", "b", "b", "c", "n", "n", "d", "d/n"};
static constexpr std::string_view odd_names[] = {
	"", ".", "..", "a/b", "/", "\xff\xfe", "with space", "..a", "a\n",
};

static constexpr std::string_view good_options[] = {
	"dram=8M",	    "dram=8M,cxl=8M", "dram=16M,cxl=8M",  "dram=8M,cxl=0",
	"dram=64M,cxl=64M", "dram=32M",	      "dram=10M,cxl=16M",
};

static constexpr std::string_view options[] = {
	"dram=8M",
	"dram=8m",
	"dram=8388608",
	"dram=16M",
	"dram=7M",
	"dram=8388607",
	"dram=0",
	"dram=",
	"dram",
	"dram=1T",
	"dram=999999999999999999p",
	"dram=8MM",
	"dram=-8M",
	"dram=0x800000",
	"dram= 8M",
	"cxl=8M",
	"cxl=0",
	"cxl=16M",
	"cxl=4K",
	"cxl=100P",
	"cxl",
	"dram_nodes=0",
	"dram_nodes=1",
	"dram_nodes=0:1",
	"dram_nodes=0-1",
	"dram_nodes=",
	"dram_nodes=9",
	"dram_nodes=1023",
	"dram_nodes=99999",
	"dram_nodes=0-",
	"dram_nodes=:",
	"dram_nodes=0:0",
	"cxl_nodes=1",
	"cxl_nodes=0",
	"cxl_nodes=0-1",
	"cxl_nodes=x",
	"mode=755",
	"mode=0",
	"mode=7777",
	"mode=10000",
	"mode=8",
	"mode=-1",
	"mode=",
	"mode=377777777777",
	"source=x",
	"foo=bar",
	"foo",
	"",
	"=",
	"ro",
	"dram=8M\x01",
	"dram_nodes=0-1:1",
	"dram_nodes=0-64/2",
	"cxl_nodes=all",
	"dram_nodes=N",
	"writeback=64K",
	"writeback=0",
	"writeback=1T",
	"writeback=",
	"reserve",
	"noreserve",
	"nr_inodes=3",
	"nr_inodes=0",
	"nr_inodes=99999999999",
	"uid=1000",
	"gid=-1",
};

static std::uint64_t draw_wild(Random &random)
{
	std::uint64_t value = random.one_in(2) ? random.pick(edges) : random.bits();

	if (random.one_in(4))
		value ^= 1ULL << random.below(64);
	return value >> (random.one_in(2) ? random.below(64) : 0);
}

static std::uint64_t draw_range(Random &random)
{
	switch (random.below(8)) {
	case 0:
		return draw_wild(random);
	case 1:
		return random.below(20 << 20);
	case 2:
		return random.below(20) << 16;
	case 3:
		return random.below(10) << 21;
	default:
		/* Within what the files have. */
		return edges[random.below(17)];
	}
}

static std::uint64_t draw_slot(Random &random, unsigned first, unsigned count)
{
	if (random.one_in(12))
		return random.below(fd_slots);
	/* The first most often, as there may be no other. */
	return first + random.below(random.below(count) + 1);
}

static std::uint64_t draw_choice(Random &random, const Field &field)
{
	std::uint64_t value;

	if (field.choices.empty())
		return draw_wild(random);
	value = random.pick(field.choices).value;
	if (random.one_in(16))
		value = random.one_in(2) ? value | random.pick(field.choices).value
					 : draw_wild(random);
	return value;
}

static std::string draw_name(Random &random)
{
	if (random.one_in(16))
		return std::string(1 + random.below(258), 'x');
	if (random.one_in(12))
		return std::string(random.pick(odd_names));
	return std::string(random.pick(names));
}

static std::string draw_options(Random &random)
{
	std::string text;

	if (!random.one_in(3))
		text = random.pick(good_options);
	for (std::uint64_t n = random.one_in(2) ? 0 : 1 + random.below(3); n; n--)
		text += (text.empty() ? "" : ",") + std::string(random.pick(options));
	if (random.one_in(12) && !text.empty())
		text[random.below(text.size())] = static_cast<char>(1 + random.below(255));
	return text;
}

void redraw(Random &random, Call &call, std::size_t index)
{
	const Field &field = call.op->fields[index];
	Arg &arg = call.args[index];

	switch (field.kind) {
	case Kind::choice:
		arg.value = draw_choice(random, field);
		break;
	case Kind::offset:
		arg.value = random.one_in(3) ? 0 : draw_range(random);
		break;
	case Kind::length:
		arg.value = random.one_in(4) ? 0 : draw_range(random);
		break;
	case Kind::small:
		arg.value = random.one_in(16) ? draw_wild(random) : random.below(32);
		break;
	case Kind::reserved:
		arg.value = random.one_in(10) ? draw_choice(random, field) : 0;
		break;
	case Kind::root_fd:
		arg.value = random.one_in(12) ? random.below(fd_slots) : 0;
		break;
	case Kind::file_fd:
		arg.value = draw_slot(random, first_file, first_lower - first_file);
		break;
	case Kind::lower_fd:
		arg.value = draw_slot(random, first_lower, first_other - first_lower);
		break;
	case Kind::socket:
		arg.value = draw_slot(random, first_socket, first_prefetch - first_socket);
		break;
	case Kind::prefetch:
		arg.value = draw_slot(random, first_prefetch, fd_slots - first_prefetch);
		break;
	case Kind::new_fd:
		arg.value = random.below(fd_slots);
		break;
	case Kind::map:
		arg.value = random.below(random.below(map_slots) + 1);
		break;
	case Kind::name:
		arg.text = draw_name(random);
		break;
	case Kind::options:
		arg.text = draw_options(random);
		break;
	}
}

Call generate_call(Random &random, const Op &op)
{
	Call call(op);

	for (std::size_t i = 0; i < call.args.size(); i++)
		redraw(random, call, i);
	return call;
}

const Op &draw_op(Random &random)
{
	static const unsigned sum =
		std::accumulate(all_ops().begin(), all_ops().end(), 0U,
				[](unsigned n, const Op *op) { return n + op->weight; });
	std::uint64_t at = random.below(sum);

	for (const Op *op : all_ops()) {
		if (at < op->weight)
			return *op;
		at -= op->weight;
	}
	return *all_ops().front();
}

static void add_mount(Random &random, Program &program)
{
	Call call(*find_op("mount"));

	call.set("options", std::string(random.pick(good_options)));
	program.calls.push_back(call);
}

/// A lower file, imported, open, and most often mapped.
static void add_file(Random &random, Program &program, unsigned nr)
{
	static constexpr Lower good[] = {Lower::small, Lower::page,   Lower::odd,  Lower::chunk,
					 Lower::over,  Lower::few,    Lower::few,  Lower::big,
					 Lower::big,   Lower::sparse, Lower::vast, Lower::scratch};
	static constexpr std::uint64_t chunks[] = {0, 0, 0x10000, 0x100000, 0x200000};
	std::string name(1, static_cast<char>('a' + nr));
	Call lower(*find_op("lower")), import(*find_op("import")), open(*find_op("open")),
		map(*find_op("mmap"));

	lower.set("file", static_cast<std::uint64_t>(random.pick(good)));
	lower.set("to", first_lower + nr);
	import.set("lower", first_lower + nr);
	import.set("name", name);
	import.set("chunk_size", random.pick(chunks));
	open.set("name", name);
	open.set("to", first_file + nr);
	map.set("fd", first_file + nr);
	map.set("flags", random.one_in(3) ? 0 : 1);
	map.set("to", nr);
	for (const Call &call : {lower, import, open})
		program.calls.push_back(call);
	if (!random.one_in(3))
		program.calls.push_back(map);
}

/// A file that is written, most often mapped and with more in it than fits, and then with a swap
/// area.
static void add_written(Random &random, Program &program)
{
	static constexpr std::uint64_t areas[] = {static_cast<std::uint64_t>(Lower::area),
						  static_cast<std::uint64_t>(Lower::area2)};
	Call lower(*find_op("lower")), add(*find_op("swap_add")), open(*find_op("open")),
		write(*find_op("write")), map(*find_op("mmap")), advise(*find_op("advise"));

	lower.set("file", random.pick(areas));
	lower.set("flags", std::uint64_t{O_RDWR});
	lower.set("to", first_lower + 1);
	add.set("area", first_lower + 1);
	add.set("flags", random.below(2));
	open.set("name", "n");
	open.set("flags", std::uint64_t{O_RDWR | O_CREAT});
	open.set("to", first_file + 1);
	write.set("fd", first_file + 1);
	write.set("length", std::uint64_t{7 << 20});
	map.set("fd", first_file + 1);
	map.set("protection", std::uint64_t{2});
	map.set("flags", std::uint64_t{1});
	map.set("to", 1);
	advise.set("fd", first_file + 1);
	advise.set("advice", std::uint64_t{2});
	advise.set("tier", std::uint64_t{255});
	if (!random.one_in(3)) {
		program.calls.push_back(lower);
		program.calls.push_back(add);
	}
	program.calls.push_back(open);
	for (std::uint64_t n = random.below(3); n; n--) {
		program.calls.push_back(write);
		write.set("offset", n * (7 << 20));
	}
	if (!random.one_in(3))
		program.calls.push_back(map);
	if (random.one_in(2))
		program.calls.push_back(advise);
}

/// A plan or triggers on the first file, of a kind that fits most.
static void add_plan(Random &random, Program &program)
{
	static constexpr std::uint64_t kinds[] = {0, 1, 2, 3};
	static constexpr std::uint64_t few[] = {0, 1, 2, 3};
	static constexpr std::uint64_t sizes[] = {100, 4096, 0x10000, 0x200000};
	Call socket(*find_op("nl_socket")), set(*find_op("nl_plan_set"));

	socket.set("kind", random.pick(kinds));
	socket.set("to", first_socket);
	set.set("socket", first_socket);
	set.set("cyclic", random.below(2));
	set.set("object", 1);
	set.set("length", random.pick(sizes));
	set.set("stride", random.one_in(4) ? 0 : random.pick(sizes));
	set.set("stages", random.pick(few));
	set.set("ranges", 1 + random.below(2));
	set.set("triggers", random.pick(few));
	set.set("targets", 1 + random.below(2));
	program.calls.push_back(socket);
	program.calls.push_back(set);
}

Program generate(Random &random)
{
	bool wild = random.one_in(8);
	bool threads = random.one_in(3);
	Program program;

	if (!wild) {
		add_mount(random, program);
		bool written = random.one_in(2);

		if (written)
			add_written(random, program);
		for (std::uint64_t nr = 0; nr <= (written ? 0 : random.below(5) / 3); nr++)
			add_file(random, program, static_cast<unsigned>(nr));
		if (random.one_in(2))
			add_plan(random, program);
	}
	for (std::uint64_t n = 1 + random.below(12); n && program.calls.size() < Program::max_calls;
	     n--) {
		Call call = generate_call(random, draw_op(random));

		call.second = threads && random.one_in(2);
		program.calls.push_back(call);
	}
	return program;
}

} // namespace fuzz
