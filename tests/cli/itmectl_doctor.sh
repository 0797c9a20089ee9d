#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# doctor on this very machine.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

# finding CHECK: statuses of a check.
finding() {
	json '[f["status"] for f in d if f["check"] == "'"$1"'"]'
}

mount_itme dram=16M,cxl=16M || fail "mount"
ctl doctor --json
is "nothing fails here" "$status" 0
for what in kernel module symbols thp mount; do
	is "$what" "$(finding $what)" "['ok']"
done
is "both budgets" "$(finding budget)" "['ok', 'ok']"
json_is "node 1 is a CXL tier, onlined movable" '[f["status"] for f in d if "node 1" in f["finding"] and f["check"] == "nodes"]' "['ok']"
json_is "what is not ok has a way out" 'all((f["status"] == "ok") == (f["fix"] is None) for f in d)' True
cp "$dir/out" "$dir/live"
ctl doctor --json --root /
check "the libraries and sysfs agree" cmp "$dir/out" "$dir/live"
ctl doctor
is "text: a fix below each warning" "$(grep -c '^warn' <<<"$out")" "$(grep -c '^ *fix: ' <<<"$out")"
if [ "${LAB_PROFILE:-}" = cxl ]; then
	ctl doctor --json
	is "dax device online" "$(finding dax)" "['ok']"
	is "CXL device in a region" "$(finding cxl)" "['ok']"
fi
umount "$dir/mnt"
rmmod itme
ctl doctor --json
is "no mount is a warning" "$(finding mount)" "['warn']"
ctl doctor --json --module "$ITME_KO"
is "symbols of the module by its file" "$(finding symbols)" "['ok']"
ctl doctor --json --module /etc/passwd
is "a module that is none" "$status:$(finding symbols)" "1:['fail']"
finished
