#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tiers, import, list, residency, advise, stat, remove: output, JSON, and what is refused.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

refuses "no mount: says how to mount" 1 "mount -t itmefs -o dram=SIZE" list
refuses "--mount of another file system" 1 "not an itmefs mount" --mount "$lower" list
mount_itme dram=16M,cxl=16M || fail "mount"

# Tiers.
succeeds "tier list" tier list
is "tier list: headings" "$(head -1 <<<"$out" | tr -s ' ')" "TIER NODES BUDGET USED PINNED BUSY CAPACITY FREE"
succeeds "tier list --json" tier list --json
json_is "tier list: budgets and nodes" '[(t["tier"], t["nodes"], t["budget"]) for t in d]' \
	"[('dram', [0], $((16 * mib))), ('cxl', [1], $((16 * mib)))]"
succeeds "tier set" tier set dram 12M --json
json_is "tier set: shows the new budget" 'd[0]["budget"]' $((12 * mib))
is "tier set: in the mount options" "$(grep -c 'dram=12288k' /proc/mounts)" 1
refuses "tier set below the minimum" 1 "below the minimum of 8M" tier set dram 4M
refuses "tier set dram 0" 1 "below the minimum" tier set dram 0
refuses "tier set above the node" 1 "more than its nodes have" tier set dram 100T
refuses "tier set nvme" 2 "has no budget" tier set nvme 1G
refuses "tier set to no size" 2 "not a size" tier set dram -1
refuses "tier set to too much of a size" 2 "too large" tier set dram 99999999999999999999
succeeds "tier set dram back" tier set dram 16M
succeeds "tier set cxl 0" tier set cxl 0
succeeds "tier set cxl back" tier set cxl 16M

# Import.
model a 5
a=$model
succeeds "import" import "$a" --json
json_is "import: shows the file" '(d[0]["name"], d[0]["size"], d[0]["chunk_size"], d[0]["path"], d[0]["lower_ino"])' \
	"('cli.a', $((5 * mib)), $((2 * mib)), '$a', $(stat -c %i "$a"))"
json_is "import: lower_dev is st_dev" 'd[0]["lower_dev"]' "$(stat -c %d "$a")"
check "the data is the same" cmp "$a" "$dir/mnt/cli.a"
refuses "import again" 1 "imported already, as 'cli.a'" import "$a"
refuses "import of a taken name" 1 "the name 'cli.a' is taken" import /etc/passwd --name cli.a
refuses "import of nothing" 1 "no such file" import "$lower/cli.none"
refuses "import of a directory" 1 "a directory" import "$lower"
refuses "import of a device" 1 "not a regular file" import /dev/null
mkfifo "$lower/cli.fifo"
refuses "import of a FIFO does not wait" 1 "not a regular file" import "$lower/cli.fifo"
: >"$lower/cli.empty"
refuses "import of an empty file" 1 "empty" import "$lower/cli.empty"
refuses "import from a file system without O_DIRECT" 1 "O_DIRECT" import /sys/kernel/mm/transparent_hugepage/enabled
refuses "import of an itmefs file" 1 "itmefs itself" import "$dir/mnt/cli.a" --name b
model growing 1
exec 9>>"$model"
refuses "import of a file being written" 1 "open for writing" import "$model"
exec 9>&-
refuses "import under a name with a slash" 1 "cannot be a name" import "$model" --name a/b
refuses "import under a long name" 1 "longer than 255" import "$model" --name "$(printf 'n%.0s' {1..256})"
refuses "import with a bad chunk" 1 "power of two from 64K to 2M" import "$model" --chunk 3M
refuses "import of two under one name" 2 "--name is for one path" import "$a" "$model" --name x
succeeds "import with name and chunk" import "$model" --name "odd name" --chunk 64K -J
json_is "import: that name and chunk" '(d[0]["name"], d[0]["chunk_size"])' "('odd name', 65536)"
mkdir "$dir/mnt/own"
: >"$dir/mnt/own/f"
mount --bind /etc/passwd "$dir/mnt/own/f"
succeeds "list where something is mounted over a file" list --json
json_is "list: the others" '[o["name"] for o in d]' "['cli.a', 'odd name']"
umount "$dir/mnt/own/f"
rm -r "$dir/mnt/own"
is "a lower file cannot be written" "$( (echo >>"$model") 2>&1 | grep -c 'Text file busy')" 1
succeeds "list" list
is "list: a line for each and headings" "$(wc -l <<<"$out")" 3
succeeds "list of columns" list -n -o name,size -b
is "list: those columns" "$(head -1 <<<"$out")" "cli.a    $((5 * mib))"
refuses "list of a column that is none" 2 "no column 'colour'; there are name" list -o colour
succeeds "list --json" list --json
json_is "list: tiers add up" 'all(o["dram"] + o["cxl"] + o["nvme"] == o["size"] for o in d)' True

# Residency and advice.
succeeds "advise hot" advise hot cli.a
is "advise: how much was done" "$out" "cli.a: hot holds for 5M of 5M"
succeeds "residency --json" residency cli.a --json
json_is "hot data is in DRAM" '(d["dram"], d["cxl"], d["nvme"])' "($((5 * mib)), 0, 0)"
succeeds "advise pageout to CXL" advise pageout cli.a --tier cxl --length 2M -J
json_is "advise: JSON" '(d["advice"], d["tier"], d["length"], d["done"])' "('pageout', 'cxl', $((2 * mib)), $((2 * mib)))"
succeeds "residency --map --json" residency cli.a --map --json
json_is "a chunk is on CXL" '[(r["chunk"], r["count"], r["tier"]) for r in d["map"]][0]' "(0, 1, 'cxl')"
succeeds "residency --map" residency cli.a --map --width 2
is "the drawing" "$(sed -n '4,5p' <<<"$out")" "       0 CD"$'\n'"      4M D"
succeeds "residency --by-range" residency cli.a --by-range head=0:2M --by-range 4M:0 -J
json_is "residency of ranges" '[(r["label"], r["length"], r["cxl"]) for r in d]' \
	"[('head', $((2 * mib)), $((2 * mib))), ('', $mib, 0)]"
refuses "residency past the end" 1 "does not start inside" residency cli.a --by-range 5M:1
refuses "residency of no range" 2 "not a range" residency cli.a --by-range 5M
refuses "residency of nothing" 1 "no such file" residency none
refuses "residency of a path that leads out" 1 "not the name" residency ../mnt/cli.a
succeeds "advise pin" advise pin cli.a --tier dram --offset 2M --length 2M
succeeds "tier list after pin" tier list -J
json_is "pinned bytes" 'd[0]["pinned"]' $((2 * mib))
succeeds "the pinned chunk in the map" residency cli.a --map -J
json_is "pinned flag" '[r["chunk"] for r in d["map"] if "pinned" in r["flags"]]' "[1]"
succeeds "advise unpin" advise unpin cli.a
model large 40
succeeds "import of a file larger than memory" import "$model"
refuses "pin of more than fits" 1 "does not fit the dram tier" advise pin cli.large
succeeds "a refused pin pins nothing" tier list -J
json_is "nothing pinned" 'sum(t["pinned"] for t in d)' 0
succeeds "advise willneed is bounded" advise willneed cli.large
refuses "advise unknown" 2 "not an advice" advise lukewarm cli.a
refuses "advise to no tier" 2 "not a tier" advise hot cli.a --tier tape
refuses "advise hot to NVMe" 1 "is refused" advise hot cli.a --tier nvme
refuses "advise past the end" 1 "start inside" advise cold cli.a --offset 5M
refuses "advise on a negative offset" 2 "not a size" advise cold cli.a --offset=-1
succeeds "advise cold" advise cold cli.a
succeeds "advise pageout" advise pageout cli.a
succeeds "residency after pageout" residency cli.a -J
json_is "all of it is on NVMe" 'd["nvme"]' $((5 * mib))

# Counters.
succeeds "stat" stat
is "stat: a line for each counter" "$(wc -l <<<"$out")" 24
succeeds "stat NAME --json" stat cli.a --json
json_is "stat: it was read" 'd["read_bytes"] >= 5 * 1024 * 1024 and d["hints"] > 0' True
succeeds "stat --interval" stat -i 0.1 -c 2 --json
is "stat: an object a line" "$(wc -l <<<"$out")" 2
refuses "stat of nothing" 1 "no such file" stat none

# Replaced and deleted lower files.
rm "$a"
succeeds "list with a deleted lower file" list -J
json_is "unlinked flag and path" '[(o["flags"], o["path"]) for o in d if o["name"] == "cli.a"]' "[(['unlinked'], '$a (deleted)')]"

# As nobody: what is open to all, and what is not.
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/itmectl" "$@" >"$dir/out" 2>&1
}
cp "$itmectl" "$dir/itmectl" 2>/dev/null
chmod 755 "$dir" "$dir/itmectl"
chmod 644 "$dir"/out
check "tier list as nobody" as_nobody tier list
as_nobody tier set dram 8M
is "tier set as nobody" "$?:$(grep -c root "$dir/out")" 1:1
as_nobody import /etc/passwd
is "import as nobody" "$?:$(grep -c root "$dir/out")" 1:1
as_nobody run -- true
is "run as nobody" "$?:$(grep -c root "$dir/out")" 125:1

# Remove.
refuses "remove of nothing" 1 "no such file" remove none
succeeds "remove two" remove cli.a cli.large --json
json_is "remove: JSON" '[o["name"] for o in d]' "['cli.a', 'cli.large']"
succeeds "remove the last" remove -- "odd name"
succeeds "list of nothing" list -J
json_is "an empty array" 'd' "[]"
check "a lower file can be written again" sh -c "echo >>'$lower/cli.growing'"
refuses "no verb" 2 "verb"
refuses "an unknown verb" 2 "bogus" bogus
check "umount" umount "$dir/mnt"
finished
