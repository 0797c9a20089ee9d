#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What POSIX says of files, on itmefs and on tmpfs in the same guest. What tmpfs does not do either is skipped; where
# POSIX leaves it open, itmefs does as tmpfs. Once in memory that holds all of it, once through a swap area.
set -u
# shellcheck source=tests/programs/programs.sh
. "$(dirname "$(readlink -f "$0")")/programs.sh"

# compare NAME: what the checks said of tmpfs, and of itmefs.
compare() {
	local name=$1 line ok

	while read -r line; do
		case $line in
		"ok "*) pass "$name: ${line#ok }" ;;
		"not ok "*)
			line=${line#not ok }
			ok=${line%%:*}
			if grep -qx "ok $ok" "$dir/tmpfs.said"; then
				fail "$name: $ok" "${line#*: }"
			else
				skip "$name: $ok" "not on tmpfs either: ${line#*: }"
			fi
			;;
		"value "*)
			# As a test of its own: tmpfs must have said the same.
			if grep -qxF "$line" "$dir/tmpfs.said"; then
				pass "$name: ${line% *} as tmpfs"
			else
				fail "$name: ${line% *} as tmpfs" "${line#value } here"
			fi
			;;
		*) fail "$name: said" "$line" ;;
		esac
	done <"$dir/itmefs.said"
	if [ "$(grep -c ok "$dir/itmefs.said")" = "$(grep -c ok "$dir/tmpfs.said")" ]; then
		pass "$name: as many checks"
	else
		fail "$name: as many checks"
	fi
}

tmpfs_up 64
check "all checks on tmpfs end" sh -c "'$here/posix-checks' '$dir/tmpfs' >'$dir/tmpfs.said'"
tmpfs_down

check "mount" itmefs_up 64 0
check "in memory: all checks end" sh -c "'$here/posix-checks' '$mnt' >'$dir/itmefs.said'"
compare "in memory"
unmounts

check "mount with a swap area" itmefs_up 8 8 64
check "with a swap area: all checks end" sh -c "'$here/posix-checks' '$mnt' >'$dir/itmefs.said'"
compare "with a swap area"
went_out "with a swap area" 32
unmounts
finished
