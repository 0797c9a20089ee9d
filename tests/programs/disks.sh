#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The old benchmarks of file systems, for what they do and not for how fast: dbench, fs_mark, bonnie++, postmark.
set -u
# shellcheck source=tests/programs/programs.sh
. "$(dirname "$(readlink -f "$0")")/programs.sh"

secs=$(briefly 5 20)
files=$(briefly 200 1000)
mib=$(briefly 36 96)
check "mount" itmefs_up 16 8 384

# have COMMAND
have() {
	command -v "$1" >/dev/null || {
		skip "$1" "it is not installed"
		return 1
	}
}

if have dbench; then
	mkdir "$mnt/dbench"
	ends "dbench" 300 dbench -c /usr/share/dbench/client.txt -D "$mnt/dbench" -t "$secs" 2
	# It goes on after a call that fails, and says so.
	if grep -E '^ERROR|^\[.*failed|did not' "$dir/said" >"$dir/errors"; then
		fail "dbench: no error" "$(head -1 "$dir/errors")"
	else
		pass "dbench: no error"
	fi
	rm -rf "$mnt/dbench"
fi

if have fs_mark; then
	mkdir "$mnt/fs_mark"
	cd "$dir" || exit
	ends "fs_mark" 300 fs_mark -d "$mnt/fs_mark" -n "$files" -s 16384 -t 2 -D 8 -L 1 -k -S 1
	found=$(find "$mnt/fs_mark" -type f -size 16384c | wc -l)
	if [ "$found" = $((files * 2)) ]; then
		pass "fs_mark: all files are there, whole"
	else
		fail "fs_mark: all files are there, whole" "$found of $((files * 2))"
	fi
	rm -rf "$mnt/fs_mark"
fi

if have bonnie++; then
	mkdir "$mnt/bonnie"
	# -r: of memory it believes there to be; it reads back and rewrites what it wrote. Its own names: -n 1 is 1024 files.
	ends "bonnie++" 500 bonnie++ -d "$mnt/bonnie" -u 0:0 -r $((mib / 3)) -s "$mib" -n 1 -f -q
	rm -rf "$mnt/bonnie"
fi
went_out "these" 16

if have postmark; then
	mkdir "$mnt/postmark"
	cat >"$dir/postmark" <<-POSTMARK
		set location $mnt/postmark
		set number $(briefly 200 500)
		set transactions $(briefly 500 3000)
		set size 500 65536
		set seed 42
		set subdirectories 10
		run
		quit
	POSTMARK
	ends "postmark" 300 postmark "$dir/postmark"
	# As many were deleted as were made, and it has read and appended between.
	if grep -qi error "$dir/said" || [ "$(awk '/ created/ { n = $1 } / deleted/ { print n == $1 }' "$dir/said")" != 1 ]; then
		fail "postmark: all files were used" "$(grep -i error "$dir/said" | head -1)"
	else
		pass "postmark: all files were used"
	fi
	left=$(find "$mnt/postmark" -mindepth 1 | wc -l)
	if [ "$left" = 0 ]; then pass "postmark: nothing is left"; else fail "postmark: nothing is left" "$left"; fi
fi
unmounts
finished
