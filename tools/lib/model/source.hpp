// SPDX-License-Identifier: GPL-2.0
// A file of a model, of which only the header is read; and how much of it at most.
#pragma once

#include "fd.hpp"
#include "model/given.hpp"
#include "model/model.hpp"
#include "result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace itme
{

/// What headers say that no model needs is an error: some MiB of vocabulary, and a name and a few
/// numbers for each tensor, are what there is.
constexpr std::uint64_t header_max = std::uint64_t{64} << 20;
constexpr std::uint64_t tensors_max = std::uint64_t{1} << 18;
constexpr std::size_t tensor_name_max = 255;
constexpr std::size_t files_max = 4096;

/// Bytes that may still be read, of all files of a model together.
using HeaderBudget = std::uint64_t;

class Source
{
public:
	/// Regular files only; nothing else is opened, as opening a device may do something.
	static Result<Source> open(int dir_fd, const std::string &name);
	/// Of what the process was given, see given.hpp.
	static Result<Source> open_given(const std::string &name);

	const ModelFile &file() const { return file_; }

	std::uint64_t size() const { return file_.size; }

	/// All of it, or an error that names the file. Takes it off the budget.
	Result<void> read(std::uint64_t offset, void *to, std::size_t length,
			  HeaderBudget &budget) const;

	/// The error of this file.
	template <class... Args>
	tl::unexpected<Error> bad(fmt::format_string<Args...> text, Args &&...args) const
	{
		return fail(EINVAL, "{}: {}", file_.name,
			    fmt::format(text, std::forward<Args>(args)...));
	}

private:
	Source(std::shared_ptr<const Given> content, ModelFile file) :
		content_(std::move(content)), file_(std::move(file))
	{
	}

	std::shared_ptr<const Given> content_;
	ModelFile file_;
};

} // namespace itme
