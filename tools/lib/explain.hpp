// SPDX-License-Identifier: GPL-2.0
// From an errno of the module to one line that says what to do.
#pragma once

#include "file.hpp"
#include "mount.hpp"
#include "result.hpp"

#include <string>

namespace itme
{

using Unexpected = tl::unexpected<Error>;

Unexpected explain_no_mount();
/// The netlink family is not there.
Unexpected explain_no_family();
/// A request of the family has failed; why is the kernel's sentence, or empty.
Unexpected explain_netlink(int code, const std::string &why);
Unexpected explain_mount(const std::string &path, int code);
Unexpected explain_file(const std::string &name, int code);
Unexpected explain_range(const std::string &name, Range range, int code);
Unexpected explain_advise(const std::string &name, const Advice &advice, int code);
Unexpected explain_budget(itme_tier tier, std::uint64_t bytes, const Tier &now,
			  std::uint64_t chunk_max, int code);
/// Opening or looking up a lower file.
Unexpected explain_lower(const std::string &path, int code);
Unexpected explain_import(const std::string &path, const std::string &name, int code);

} // namespace itme
