// SPDX-License-Identifier: GPL-2.0
#include "model/json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace itme
{
namespace
{

constexpr std::size_t depth_max = 16;
constexpr std::size_t key_max = 255;

using Json = nlohmann::json;

class Handler final : public nlohmann::json_sax<Json>
{
public:
	explicit Handler(const JsonReader &reader) : reader_(&reader) {}

	const std::optional<std::string> &why() const { return why_; }

	bool null() override { return give({}); }

	bool boolean(bool value) override { return give({nullptr, std::nullopt, value}); }

	bool number_integer(number_integer_t /*value*/) override { return give({}); }

	bool number_unsigned(number_unsigned_t value) override { return give({nullptr, value}); }

	bool number_float(number_float_t /*value*/, const string_t & /*text*/) override
	{
		return give({});
	}

	bool string(string_t &value) override { return give({&value, std::nullopt}); }

	bool binary(binary_t & /*value*/) override { return give({}); }

	bool start_object(std::size_t /*elements*/) override { return enter(); }

	bool start_array(std::size_t /*elements*/) override { return enter(); }

	bool end_object() override { return leave(); }

	bool end_array() override { return leave(); }

	bool key(string_t &key) override
	{
		if (key.size() > key_max)
			return stop(fmt::format("a key of {} bytes; up to {} are right", key.size(),
						key_max));
		path_.back() = key;
		return true;
	}

	bool parse_error(std::size_t position, const std::string & /*token*/,
			 const nlohmann::detail::exception & /*error*/) override
	{
		// What the library says quotes the text, however long it is.
		return stop(fmt::format("not JSON, at byte {}", position));
	}

private:
	bool stop(std::string why)
	{
		why_ = std::move(why);
		return false;
	}

	bool ask(const std::function<JsonReader::Why(const JsonPath &)> &call)
	{
		if (call)
			why_ = call(path_);
		return !why_;
	}

	bool give(const JsonValue &value)
	{
		if (reader_->value)
			why_ = reader_->value(path_, value);
		return !why_;
	}

	bool enter()
	{
		if (path_.size() >= depth_max)
			return stop(fmt::format("more than {} levels", depth_max));
		if (!ask(reader_->begin))
			return false;
		path_.emplace_back();
		return true;
	}

	bool leave()
	{
		path_.pop_back();
		return ask(reader_->end);
	}

	const JsonReader *reader_;
	/// One more than the levels we are in: the last one is of the value that comes next.
	JsonPath path_;
	std::optional<std::string> why_;
};

} // namespace

std::optional<std::string> read_json(std::string_view text, const JsonReader &reader)
{
	Handler handler(reader);

	if (!Json::sax_parse(text.begin(), text.end(), &handler) && !handler.why())
		return "not JSON";
	return handler.why();
}

} // namespace itme
