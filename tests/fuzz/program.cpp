// SPDX-License-Identifier: GPL-2.0
#include "program.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace fuzz
{

static std::size_t index_of(const Op &op, std::string_view field)
{
	auto found = std::ranges::find(op.fields, field, &Field::name);

	if (found == op.fields.end()) {
		std::fprintf(stderr, "itmefuzz: %s has no %s\n", op.name.data(), field.data());
		std::abort();
	}
	return static_cast<std::size_t>(found - op.fields.begin());
}

std::uint64_t Call::value(std::string_view field) const
{
	return args[index_of(*op, field)].value;
}

const std::string &Call::text(std::string_view field) const
{
	return args[index_of(*op, field)].text;
}

void Call::set(std::string_view field, std::uint64_t value)
{
	args[index_of(*op, field)].value = value;
}

void Call::set(std::string_view field, std::string text)
{
	args[index_of(*op, field)].text = std::move(text);
}

static std::string quoted(std::string_view text)
{
	std::string out = "\"";

	for (char c : text) {
		if (std::isprint(static_cast<unsigned char>(c)) && c != '"' && c != '\\') {
			out += c;
			continue;
		}
		char escape[8];

		std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned char>(c));
		out += escape;
	}
	return out + '"';
}

static std::string number(const Field &field, std::uint64_t value)
{
	auto found = std::ranges::find(field.choices, value, &Choice::value);
	char text[32];

	if (found != field.choices.end())
		return std::string(found->name);
	std::snprintf(text, sizeof(text), value < 10 ? "%llu" : "0x%llx",
		      static_cast<unsigned long long>(value));
	return text;
}

std::string Program::text() const
{
	std::string out;

	for (const Call &call : calls) {
		out += call.second ? "& " : "";
		out += call.op->name;
		for (std::size_t i = 0; i < call.args.size(); i++) {
			const Field &field = call.op->fields[i];

			if (call.args[i] == Arg())
				continue;
			out += ' ';
			out += field.name;
			out += '=';
			out += is_text(field.kind) ? quoted(call.args[i].text)
						   : number(field, call.args[i].value);
		}
		out += '\n';
	}
	return out;
}

/// One line, eaten from the front.
class Line
{
public:
	explicit Line(std::string_view rest) : rest_(rest) {}

	bool empty()
	{
		while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())))
			rest_.remove_prefix(1);
		return rest_.empty() || rest_.front() == '#';
	}

	bool eat(char c)
	{
		if (empty() || rest_.front() != c)
			return false;
		rest_.remove_prefix(1);
		return true;
	}

	std::string_view word()
	{
		std::size_t n = 0;

		while (n < rest_.size() && rest_[n] != '=' &&
		       !std::isspace(static_cast<unsigned char>(rest_[n])))
			n++;
		return take(n);
	}

	std::string string()
	{
		std::string out;

		if (!eat('"'))
			throw std::runtime_error("a text must be quoted");
		while (!rest_.empty() && rest_.front() != '"') {
			if (rest_.starts_with("\\x") && rest_.size() >= 4) {
				unsigned byte = 0;

				std::from_chars(rest_.data() + 2, rest_.data() + 4, byte, 16);
				out += static_cast<char>(byte);
				take(4);
			} else {
				out += take(1);
			}
		}
		if (!eat('"'))
			throw std::runtime_error("no end of the text");
		return out;
	}

private:
	std::string_view take(std::size_t n)
	{
		std::string_view front = rest_.substr(0, n);

		rest_.remove_prefix(n);
		return front;
	}

	std::string_view rest_;
};

static std::uint64_t parse_number(const Field &field, std::string_view text)
{
	auto found = std::ranges::find(field.choices, text, &Choice::name);
	std::uint64_t value = 0;
	int base = 10;

	if (found != field.choices.end())
		return found->value;
	if (text.starts_with("0x")) {
		base = 16;
		text.remove_prefix(2);
	}
	auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
	if (error != std::errc() || end != text.data() + text.size())
		throw std::runtime_error("no value of " + std::string(field.name) + ": " +
					 std::string(text));
	return value;
}

static Call parse_call(Line &line)
{
	bool second = line.eat('&') && !line.empty();
	std::string_view name = line.word();
	const Op *op = find_op(name);

	if (!op)
		throw std::runtime_error("no such call: " + std::string(name));
	Call call(*op);

	call.second = second;
	while (!line.empty()) {
		std::string_view key = line.word();
		auto field = std::ranges::find(op->fields, key, &Field::name);

		if (field == op->fields.end() || !line.eat('='))
			throw std::runtime_error("no such argument: " + std::string(key));
		Arg &arg = call.args[static_cast<std::size_t>(field - op->fields.begin())];
		if (is_text(field->kind))
			arg.text = line.string();
		else
			arg.value = parse_number(*field, line.word());
	}
	return call;
}

Program parse(std::string_view text)
{
	std::istringstream in{std::string(text)};
	std::string row;
	Program program;

	for (unsigned nr = 1; std::getline(in, row); nr++) {
		Line line(row);

		try {
			if (!line.empty())
				program.calls.push_back(parse_call(line));
		} catch (const std::runtime_error &e) {
			throw std::runtime_error("line " + std::to_string(nr) + ": " + e.what());
		}
	}
	return program;
}

Program load(const std::string &path)
{
	std::ifstream in(path, std::ios::binary);
	std::string text((std::istreambuf_iterator<char>(in)), {});

	if (!in)
		throw std::runtime_error(path + ": cannot be read");
	try {
		return parse(text);
	} catch (const std::runtime_error &e) {
		throw std::runtime_error(path + ": " + e.what());
	}
}

} // namespace fuzz
