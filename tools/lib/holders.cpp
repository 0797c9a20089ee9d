// SPDX-License-Identifier: GPL-2.0
#include "holders.hpp"

#include "files.hpp"
#include "mountinfo.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

namespace itme
{
namespace
{

namespace fs = std::filesystem;

class Scanner
{
public:
	explicit Scanner(const HolderScan &scan) : scan_(scan)
	{
		for (const dev_t dev : scan.devices)
			ours_[dev] = true;
	}

	Result<HolderList> scan()
	{
		const auto names = list_dir(scan_.proc);
		std::vector<int> pids;

		if (!names)
			return fail(names.error(), "{}: {}", scan_.proc,
				    std::strerror(names.error()));
		for (const auto &name : *names) {
			int pid = 0;
			const auto [rest, err] =
				std::from_chars(name.data(), name.data() + name.size(), pid);
			if (err == std::errc() && *rest == '\0' && pid != scan_.skip_pid)
				pids.push_back(pid);
		}
		std::sort(pids.begin(), pids.end());
		for (const int pid : pids)
			scan_mounts(pid);
		for (const int pid : pids)
			scan_process(pid);
		return std::move(list_);
	}

private:
	std::string path(int pid, std::string_view what) const
	{
		return fmt::format("{}/{}/{}", scan_.proc, pid, what);
	}

	void add(int pid, std::string_view kind, std::string name, std::string detail)
	{
		Holder holder;

		struct stat st {
		};

		holder.pid = pid;
		if (auto comm = read_file(path(pid, "comm"))) {
			while (comm->ends_with('\n'))
				comm->pop_back();
			holder.command = *comm;
		}
		if (!::stat(path(pid, "").c_str(), &st))
			holder.uid = st.st_uid;
		holder.kind = kind;
		holder.name = std::move(name);
		holder.detail = std::move(detail);
		list_.holders.push_back(std::move(holder));
	}

	/// Is this the device of an itmefs? One that no table of mounts has (a lazy umount) is
	/// recognized by the magic of the file system behind example.
	bool ours(dev_t dev, const std::string &example)
	{
		const auto known = ours_.find(dev);
		if (known != ours_.end())
			return known->second;

		struct statfs buf {
		};

		const bool yes = scan_.magic && !::statfs(example.c_str(), &buf) &&
				 static_cast<std::int64_t>(buf.f_type) == scan_.magic;
		ours_[dev] = yes;
		return yes;
	}

	/// One row for each mount of ours in each namespace.
	void scan_mounts(int pid)
	{
		std::error_code ec;
		const std::string space = fs::read_symlink(path(pid, "ns/mnt"), ec).string();
		if (ec || !namespaces_.insert(space).second)
			return;
		const auto text = read_file(path(pid, "mountinfo"));
		if (!text)
			return;
		for (const auto &mount : parse_mountinfo(*text)) {
			if (mount.fstype == scan_.fstype)
				ours_[mount.dev] = true;
			else
				ours_.try_emplace(mount.dev, false);
			if (ours_[mount.dev])
				add(pid, "mount", mount.point, space);
		}
	}

	void scan_link(int pid, std::string_view what, std::string_view kind, std::string detail)
	{
		const std::string link = path(pid, what);

		struct statx st {
		};

		std::error_code ec;

		// No sync: a network file system that hangs must not make us hang.
		if (::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC, 0, &st))
			return;
		if (ours(makedev(st.stx_dev_major, st.stx_dev_minor), link))
			add(pid, kind, fs::read_symlink(link, ec).string(), std::move(detail));
	}

	void scan_maps(int pid)
	{
		const auto text = read_file(path(pid, "maps"));
		std::string_view rest = text ? std::string_view(*text) : std::string_view();

		while (!rest.empty()) {
			const std::size_t end = rest.find('\n');
			scan_map(pid, rest.substr(0, end));
			rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
		}
	}

	void scan_map(int pid, std::string_view line)
	{
		// address perms offset major:minor inode path, see proc_pid_maps(5)
		std::array<std::string_view, 5> words;

		for (auto &word : words) {
			const std::size_t end = line.find(' ');
			word = line.substr(0, end);
			line.remove_prefix(std::min(line.size(), word.size() + 1));
		}
		unsigned int major = 0;
		unsigned int minor = 0;
		const std::string_view dev = words[3];
		const char *end = dev.data() + dev.size();
		const auto colon = std::from_chars(dev.data(), end, major, 16);
		if (colon.ptr == end || *colon.ptr != ':')
			return;
		std::from_chars(colon.ptr + 1, end, minor, 16);
		if (words[4] == "0")
			return;
		const std::string address(words[0]);
		if (!ours(makedev(major, minor), path(pid, "map_files/" + address)))
			return;
		line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
		add(pid, "map", unescape_octal(line), address);
	}

	void scan_process(int pid)
	{
		scan_link(pid, "cwd", "cwd", "");
		scan_link(pid, "root", "root", "");
		scan_link(pid, "exe", "exe", "");
		const auto fds = list_dir(path(pid, "fd"));
		if (fds)
			for (const auto &number : *fds)
				scan_link(pid, "fd/" + number, "fd", number);
		else if (fds.error() == EACCES)
			list_.unreadable++;
		scan_maps(pid);
	}

	const HolderScan &scan_;
	std::map<dev_t, bool> ours_;
	std::set<std::string> namespaces_;
	HolderList list_;
};

} // namespace

Result<HolderList> find_holders(const HolderScan &scan)
{
	return Scanner(scan).scan();
}

} // namespace itme
