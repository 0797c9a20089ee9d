# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by the tests of itmectl. As root, itme.ko inserted, itmefs not mounted.
# ITMECTL: the program (default: from PATH). ITME_LOWER_DIR: a directory on ext4 or the like.

top=$(dirname "$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")")
# shellcheck source=tests/lab/guest.sh
. "${LAB_DIR:-$top/tests/lab}/guest.sh"

itmectl=${ITMECTL:-itmectl}
lower=${ITME_LOWER_DIR:?a directory on a file system with O_DIRECT}
dir=$(mktemp -d)
mib=$((1024 * 1024))

clean_up() {
	umount "$dir/mnt" 2>/dev/null
	rm -rf "$dir"
	rm -rf "${lower:?}"/cli.*
}
trap clean_up EXIT

# mount_itme OPTIONS
mount_itme() {
	mkdir -p "$dir/mnt"
	mount -t itmefs -o "$1" itme "$dir/mnt"
}

# model NAME MIB: a lower file with data of its own; its path is $model.
model() {
	model=$lower/cli.$1
	head -c "$(($2 * mib))" /dev/urandom >"$model" && sync "$model"
}

# ctl ARGUMENT...: runs it; $out, $err and $status are what came of it.
ctl() {
	"$itmectl" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
}

# succeeds NAME ARGUMENT...: exit 0 and nothing on stderr.
succeeds() {
	local name=$1

	shift
	ctl "$@"
	if [ "$status" = 0 ] && [ -z "$err" ]; then
		pass "$name"
	else
		fail "$name" "$*: exit $status: ${err//$'\n'/ / }"
	fi
}

# refuses NAME STATUS TEXT ARGUMENT...: that exit status, one line on stderr with TEXT in it.
refuses() {
	local name=$1 wanted=$2 text=$3

	shift 3
	ctl "$@"
	if [ "$status" = "$wanted" ] && [ "$(wc -l <"$dir/err")" = 1 ] && [[ $err == "itmectl: "*"$text"* ]]; then
		pass "$name"
	else
		fail "$name" "$*: exit $status: ${err//$'\n'/ / }"
	fi
}

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "got '${2//$'\n'/ / }', wanted '${3//$'\n'/ / }'"
	fi
}

# json EXPRESSION: of the last output, called d there.
json() {
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$dir/out" "$1" 2>&1
}

# json_is NAME EXPRESSION WANTED
json_is() {
	is "$1" "$(json "$2")" "$3"
}
