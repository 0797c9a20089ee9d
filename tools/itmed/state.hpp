// SPDX-License-Identifier: GPL-2.0
// What is known of models between two runs, in STATE_DIR/itmed.json.
#pragma once

#include "planfile.hpp"
#include "result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace itmed
{

/// Of a lower file: if all of it is the same, so is the content.
struct FileIdentity {
	std::uint64_t size = 0;
	std::int64_t mtime = 0; ///< ns; 0 where its path cannot be reached
	std::uint64_t ino = 0;
	std::uint64_t dev = 0;

	bool operator==(const FileIdentity &) const = default;
};

struct KeptFile {
	std::string name; ///< by which the plan speaks of it
	FileIdentity identity;

	bool operator==(const KeptFile &) const = default;
};

enum class Origin { header, learned };

/// Who had it mapped when this was written; valid for one boot and one import.
struct Holder {
	std::string boot;
	std::uint32_t object = 0;
	std::string cgroup;

	bool operator==(const Holder &) const = default;
};

struct Record {
	std::vector<KeptFile> files;
	Origin origin = Origin::header;
	bool wrong_header = false; ///< touches have shown that the header does not tell the order
	bool unused = false;	   ///< it was read once and then left alone
	std::uint32_t chunk = 0;   ///< of the files when the plan was made, bytes; 0: not known
	std::optional<itme::PlanFile> plan;
	Holder holder;
	std::int64_t day = 0; ///< of its last use, since 1970: the oldest makes way

	bool operator==(const Record &) const = default;
};

struct State {
	std::vector<Record> records;

	/// By identity, in that order.
	Record *find(const std::vector<FileIdentity> &files);
	/// There, or new; of too many the oldest goes.
	Record &at(const std::vector<KeptFile> &files);
};

constexpr std::size_t records_max = 256;

/// What does not make sense is an error as a whole, or leaves one record out.
itme::Result<State> parse_state(std::string_view text);
std::string format_state(const State &state);

/// A file that is not there is an empty state.
itme::Result<State> load_state(const std::string &dir);
/// All of it or nothing, also after a power failure.
itme::Result<void> save_state(const std::string &dir, const std::string &text);

} // namespace itmed
