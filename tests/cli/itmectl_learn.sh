#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# plan learn: an order that nobody has told is shown, waited for, and kept. advise --pid on the process.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

mount_itme dram=24M || fail "mount"
model a 64
ctl import "$model" --chunk 256K

ctl plan learn
is "nothing has been learned" "$status:$err" "0:itmectl: nothing has been learned"
refuses "nor from a process" 1 "nothing has been learned from process $$" plan learn --pid $$
refuses "a process that is not there" 1 "process 4194304 has ended" plan learn --pid 4194304 --wait
refuses "not for long" 1 "nothing was learned in 0.5 seconds" plan learn --wait --timeout 0.5
refuses "keep no plan" 1 "there is no plan '7'" plan learn 7
refuses "a time without waiting" 2 "requires" plan learn --timeout 1

# Reads it in an order of its own, until it is killed; it has it mapped as well.
python3 -c 'import mmap, os, random, sys
f = open(sys.argv[1], "rb")
size = os.fstat(f.fileno()).st_size
m = mmap.mmap(f.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ)
order = list(range(0, size, 256 << 10))
random.Random(1).shuffle(order)
while True:
    for at in order:
        os.pread(f.fileno(), 256 << 10, at)' "$dir/mnt/cli.a" &
pid=$!
succeeds "wait until it is learned" plan learn --wait --timeout 120 --json
json_is "learned from that process" '[(p["pid"], p["cyclic"], p["passes"] >= 1) for p in d]' "[($pid, True, True)]"
learned=$(json 'd[0]["id"]')
succeeds "list: from whom" plan list -n -o pid
is "list: the process" "$(tr -d ' ' <<<"$out")" "$pid"
succeeds "save a learned one" plan save "$learned" "$dir/learned.json"
bytes=$(python3 -c 'import json, sys
print(sum(r["length"] for s in json.load(open(sys.argv[1]))["stages"] for r in s))' "$dir/learned.json")
# A use that came while the module was busy with what it has learned may be missing.
is "learned: nearly all of the file" "$((bytes > 60 * mib && bytes <= 64 * mib))" 1
succeeds "keep it" plan learn --pid "$pid" --wait --timeout 120 --name decode
succeeds "list of what is kept" plan list --json
json_is "kept: set, not learned" '[(p["name"], p["pid"], p["bytes"] > 60 << 20) for p in d]' "[('decode', None, True)]"
refuses "keep it again" 1 "was set, not learned" plan learn decode
sleep 3
succeeds "it is followed" plan list --json
json_is "followed: by a cursor" 'len(d[0]["cursors"]) > 0' True

# Hints on its memory.
at=0x$(awk '/cli.a/ { sub("-.*", "", $1); print $1; exit }' "/proc/$pid/maps")
succeeds "advise --pid" advise willneed "$at" --pid "$pid" --length 1M --json
# How much of it there is room for is not said by anybody.
json_is "advise --pid: what" '(d["pid"], d["advice"], d["address"], d["length"], 0 < d["done"] <= 1 << 20)' \
	"($pid, 'willneed', $((at)), $mib, True)"
succeeds "advise --pid all" advise cold all --pid "$pid"
# Of what is in memory.
is "advise --pid all: how much" "$(grep -cE "^$pid: cold holds for [1-9][0-9.]*M$" <<<"$out")" 1
succeeds "advise --pid across its end" advise hot $((at + 60 * mib)) --pid "$pid" --length 8G -J
refuses "advise --pid where nothing is" 1 "no file of itmefs is mapped there" advise hot 0x1000 --pid "$pid" --length 4096
refuses "advise --pid without a length" 2 "give a --length" advise hot "$at" --pid "$pid"
refuses "advise --pid all with a length" 2 "not with all" advise hot all --pid "$pid" --length 1
refuses "advise --pid of no address" 2 "not an address" advise hot cli.a --pid "$pid"
refuses "advise --pid with an offset" 2 "excludes" advise hot "$at" --pid "$pid" --offset 1
refuses "advise --pid of nobody" 1 "there is no process" advise hot all --pid 4194304
refuses "advise --pid to the wrong tier" 1 "that advice is not for that tier" advise hot all --pid "$pid" --tier nvme
cp "$itmectl" "$dir/itmectl" 2>/dev/null
chmod 755 "$dir" "$dir/itmectl"
setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/itmectl" advise cold all --pid "$pid" >"$dir/nobody" 2>&1
is "advise --pid as nobody" "$?:$(grep -c 'run it as root' "$dir/nobody")" 1:1
kill "$pid"
wait "$pid" 2>/dev/null
finished
