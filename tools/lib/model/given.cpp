// SPDX-License-Identifier: GPL-2.0
#include "model/given.hpp"

#include <map>
#include <utility>

namespace itme
{
namespace
{

std::map<std::string, std::shared_ptr<const Given>> &all()
{
	static std::map<std::string, std::shared_ptr<const Given>> files;

	return files;
}

} // namespace

void give_file(const std::string &name, Fd fd)
{
	all()[name] = std::make_shared<const Given>(Given{std::move(fd), ""});
}

void give_text(const std::string &name, const std::string &text)
{
	all()[name] = std::make_shared<const Given>(Given{Fd(), text});
}

bool only_given()
{
	return !all().empty();
}

std::shared_ptr<const Given> given(const std::string &name)
{
	const auto at = all().find(name);

	return at == all().end() ? nullptr : at->second;
}

} // namespace itme
