# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by the tests here. As root, itme.ko inserted, itmefs not mounted.
# ITMECTL: the tool. ITME_LOWER_DIR: a directory on ext4 or the like, for swap areas.
# ITME_BRIEF=1: a part of it, within three minutes for all of them.

# shellcheck source=tests/lab/guest.sh
. "${LAB_DIR:?in a guest of tests/lab}/guest.sh"

itmectl=${ITMECTL:-itmectl}
lower=${ITME_LOWER_DIR:?a directory on a file system with O_DIRECT}
# shellcheck disable=SC2034 # for who sources this
here=$(dirname "$(readlink -f "$0")")
dir=$(mktemp -d)
# A short path: fs_mark overruns a buffer of its own with a long one.
mnt=/mnt/itme
brief=${ITME_BRIEF:-0}
mkdir -p "$mnt" "$dir/tmpfs"

clean_up() {
	cd /
	umount "$dir/tmpfs" 2>/dev/null
	umount "$mnt" 2>/dev/null
	rm -rf "$dir" "${lower:?}"/area.*
}
trap clean_up EXIT

# briefly BRIEF LONG: one of them.
briefly() {
	[ "$brief" = 1 ] && echo "$1" || echo "$2"
}

# area NAME MIB: a file with the header of mkswap; its path is $area.
area() {
	area=$lower/area.$1
	dd if=/dev/zero of="$area" bs=1M count="$2" conv=fsync status=none &&
		chmod 600 "$area" && mkswap "$area" >/dev/null
}

# itmefs_up DRAM_MIB CXL_MIB [AREA_MIB...]: on $mnt, with swap areas of these sizes; memory alone does not hold what is
# written then, so the drive has to.
itmefs_up() {
	local options="dram=${1}M,cxl=${2}M" mib n=0

	shift 2
	mount -t itmefs -o "$options" itme "$mnt" || return
	for mib; do
		n=$((n + 1))
		area $n "$mib" && "$itmectl" swap add "$area" >/dev/null || return
	done
}

itmefs_down() {
	umount "$mnt" && rm -f "$lower"/area.*
}

# tmpfs_up MIB: on $dir/tmpfs
tmpfs_up() {
	mount -t tmpfs -o "size=${1}M" tmpfs "$dir/tmpfs"
}

tmpfs_down() {
	umount "$dir/tmpfs"
}

# counter NAME: of all files since the mount
counter() {
	"$itmectl" stat --bytes --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# went_out NAME MIB: so much at least has been written to the areas, and none of it failed.
went_out() {
	local out errors

	out=$(counter swap_out_bytes)
	errors=$(counter swap_errors)
	if [ "${out:-0}" -ge $(($2 << 20)) ] && [ "$errors" = 0 ]; then
		pass "$1: written to the drive and back"
	else
		fail "$1: written to the drive and back" "$out bytes out, $errors errors"
	fi
}

# unmounts: nothing is left in use.
unmounts() {
	cd /
	check "unmount" itmefs_down
}

# ends NAME SECONDS COMMAND...: it succeeds in that time; what it says is shown if it does not.
ends() {
	local name=$1 limit=$2 rc start=$SECONDS

	shift 2
	# A debug kernel is about five times slower.
	[ "${LAB_KMEMLEAK:-0}" = 0 ] || limit=$((limit * 4))
	timeout -k 5 "$limit" "$@" >"$dir/said" 2>&1 </dev/null
	rc=$?
	echo "# $name: $((SECONDS - start)) s"
	if [ "$rc" = 0 ]; then
		pass "$name"
		return
	fi
	fail "$name" "exit $rc"
	tail -n 20 "$dir/said" | sed 's/^/#   /'
	return 1
}
