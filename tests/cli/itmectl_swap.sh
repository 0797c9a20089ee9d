#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# swap add, list, remove: on a partition and on files, what is refused and why, and that a remove can be broken off.
# Then run --shm: its limit, and that nothing of it stays.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

# file NAME MIB: a file without holes; its path is $file.
file() {
	file=$lower/cli.$1
	dd if=/dev/zero of="$file" bs=1M count="$2" conv=fsync status=none && chmod 600 "$file"
}

refuses "no mount" 1 "mount -t itmefs" swap list
mount_itme dram=16M || fail "mount"
succeeds "swap list of nothing" swap list --json
json_is "an empty array" d "[]"

# Refused, with the reason.
refuses "swap add of nothing" 1 "no such file" swap add "$lower/cli.none"
refuses "swap add of a directory" 1 "irectory" swap add "$lower"
refuses "swap add of a character device" 1 "neither a block device" swap add /dev/null
file plain 8
refuses "swap add without a header" 1 "mkswap $file" swap add "$file"
chmod 644 "$file"
refuses "swap add of a file that others may read" 1 "chmod 600 $file" swap add "$file"
chmod 600 "$file"
truncate -s 8M "$lower/cli.holes"
chmod 600 "$lower/cli.holes"
mkswap "$lower/cli.holes" >/dev/null 2>&1
refuses "swap add of a file with holes" 1 "has holes" swap add "$lower/cli.holes"
mkswap "$file" >/dev/null
swapon "$file"
refuses "swap add of what the kernel swaps to" 1 "swapoff $file" swap add "$file"
swapoff "$file"
mounted=$(findmnt -no SOURCE -T "$lower")
refuses "swap add of a mounted drive" 1 "mounted at" swap add "$mounted"
null_blk_create cliswap 64
refuses "swap add of an empty drive" 1 "mkswap /dev/cliswap" swap add /dev/cliswap
printf 'SWAPSPACE2' | dd of=/dev/cliswap bs=1 seek=16374 conv=notrunc,fsync status=none
refuses "swap add of another page size" 1 "page size" swap add /dev/cliswap
refuses "swap add with a bad priority" 2 "prio" swap add -p 40000 "$file"

# A file and a drive.
mkswap -L scratch -U 01234567-89ab-cdef-0123-456789abcdef /dev/cliswap >/dev/null
succeeds "swap add of a file" swap add -p 3 "$file" --json
json_is "swap add: shows it" '(d[0]["path"], d[0]["prio"], d[0]["used"], d[0]["flags"])' "('$file', 3, 0, [])"
succeeds "swap add of a drive, checked" swap add --check /dev/cliswap --json
json_is "label and UUID" '(d[0]["label"], d[0]["uuid"], d[0]["flags"])' \
	"('scratch', '01234567-89ab-cdef-0123-456789abcdef', ['check'])"
json_is "its size" "60 << 20 < d[0]['size'] <= 64 << 20" True
refuses "swap add again" 1 "in use" swap add "$file"
is "it cannot be written" "$( (echo x >>"$file") 2>&1 | grep -c 'Text file busy')" 1
is "nor be mounted" "$(mount -t ext4 /dev/cliswap /mnt 2>&1 | grep -c busy)" 1
succeeds "swap list" swap list
is "swap list: headings" "$(head -1 <<<"$out" | tr -s ' ')" "PATH SIZE USED PRIO READ WRITTEN ERRORS FLAGS"
is "swap list: a line for each" "$(wc -l <<<"$out")" 3

# More than memory holds, and back.
head -c 48M /dev/urandom >"$dir/data"
check "48 MiB into 16" cp "$dir/data" "$dir/mnt/data"
succeeds "list" list --json
json_is "list: a written file" '[(o["name"], o["size"], o["flags"], o["path"]) for o in d]' "[('data', $((48 * mib)), ['native'], '')]"
json_is "list: it is on the drive for a part" 'd[0]["nvme"] >= 30 << 20 and d[0]["dram"] <= 16 << 20' True
succeeds "swap list --json" swap list --json
json_is "the higher priority is full first" '[a["used"] > 6 << 20 for a in d]' "[True, True]"
succeeds "stat" stat --json
json_is "stat: what was written" 'd["swap_out_bytes"] >= 30 << 20 and d["swap_errors"] == 0' True
check "all of it comes back" cmp "$dir/data" "$dir/mnt/data"
mkdir "$dir/mnt/sub"
mv "$dir/mnt/data" "$dir/mnt/sub/renamed"
succeeds "residency by its new path" residency sub/renamed --json
json_is "residency: adds up" 'd["dram"] + d["nvme"]' $((48 * mib))
succeeds "stat of it" stat sub/renamed --json

# Nowhere to go to; then Ctrl-C; then removed.
refuses "swap remove of what does not fit" 1 "no room elsewhere" swap remove /dev/cliswap
succeeds "it is in use as before" swap list --json
json_is "not draining" '[a["flags"] for a in d]' "[[], ['check']]"
check "the data is all there" cmp "$dir/data" "$dir/mnt/sub/renamed"
succeeds "room in memory" tier set dram 64M
succeeds "swap remove of a file" swap remove "$file"
check "it can be written again" sh -c "echo x >>'$file'"
id=$("$itmectl" swap list -n -o id)
succeeds "swap remove by number" swap remove "${id// /}" --json
json_is "swap remove: which" 'd[0]["path"]' /dev/cliswap
check "the data is in memory" cmp "$dir/data" "$dir/mnt/sub/renamed"
refuses "swap remove of what is none" 1 "not a swap area" swap remove "$file"
succeeds "swap add" swap add /dev/cliswap
succeeds "swap remove --all" swap remove --all

# As the configuration of itmed says.
itmed=${ITMED:-$(dirname "$(dirname "$(command -v "$itmectl")")")/itmed/itmed}
cat >"$dir/itmed.toml" <<-TOML
	[[swap]]
	path = "$file"
	priority = 7
	[[swap]]
	path = "/dev/cliswap"
	check = true
TOML
mkswap "$file" >/dev/null
check "itmed --swapon" "$itmed" -c "$dir/itmed.toml" --swapon
succeeds "swap list" swap list --json
json_is "what is configured" '[(a["path"], a["prio"], a["flags"]) for a in d]' \
	"[('$file', 7, []), ('/dev/cliswap', -1, ['check'])]"
check "itmed --swapon again" "$itmed" -c "$dir/itmed.toml" --swapon
printf '[[swap]]\npath = "%s"\n' "$dir/none" >>"$dir/itmed.toml"
"$itmed" -c "$dir/itmed.toml" --swapon 2>"$dir/err"
is "itmed --swapon of what is not there" "$?:$(grep -c 'none: no such file' "$dir/err")" 1:1
check "itmed --swapoff" "$itmed" -c "$dir/itmed.toml" --swapoff
succeeds "swap list" swap list --json
json_is "none is left" d "[]"

# A remove that takes long is broken off.
modprobe dm-delay
dmsetup create clislow --noudevsync --table "0 $(blockdev --getsz /dev/cliswap) delay /dev/cliswap 0 0 /dev/cliswap 0 0"
mkswap /dev/mapper/clislow >/dev/null 2>&1
succeeds "swap add of a device-mapper device" swap add /dev/mapper/clislow
succeeds "less room" tier set dram 16M
dmsetup suspend --nolockfs clislow
dmsetup load clislow --table "0 $(blockdev --getsz /dev/cliswap) delay /dev/cliswap 0 2000 /dev/cliswap 0 2000"
dmsetup resume --noudevsync clislow
succeeds "and then more" tier set dram 96M
env --default-signal=INT "$itmectl" swap remove --all >"$dir/out" 2>"$dir/err" &
remover=$!
check "it is being removed" wait_until 60 sh -c "'$itmectl' swap list --json | grep -q draining"
kill -INT "$remover"
wait "$remover"
is "Ctrl-C: exit status and why" "$?:$(grep -c 'interrupted; it is used as before' "$dir/err")" 1:1
succeeds "swap list after it" swap list --json
json_is "it is still in use" '[(a["flags"], a["used"] > 0) for a in d]' "[([], True)]"
dmsetup suspend --nolockfs clislow
dmsetup load clislow --table "0 $(blockdev --getsz /dev/cliswap) linear /dev/cliswap 0"
dmsetup resume --noudevsync clislow
check "the data is all there still" cmp "$dir/data" "$dir/mnt/sub/renamed"
succeeds "swap remove in the end" swap remove --all
dmsetup remove --noudevsync --retry clislow

# As nobody.
chmod 755 "$dir"
cp "$itmectl" "$dir/itmectl"
mkswap /dev/cliswap >/dev/null 2>&1
chmod 666 /dev/cliswap
setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/itmectl" swap add /dev/cliswap >"$dir/out" 2>&1
is "swap add as nobody" "$?:$(grep -c root "$dir/out")" 1:1

# /dev/shm of a command.
refuses "run --shm of no size" 125 "not a size" run --shm much -- true
refuses "run --shm 0" 125 "nothing could be written" run --shm 0 -- true
ctl run --shm 8M -- sh -c 'head -c 20M /dev/zero >/dev/shm/f; stat -f -c "%t %b" /dev/shm; stat -c %s /dev/shm/f'
is "run --shm: a limit" "$out" "49544d45 2048"$'\n'$((8 * mib))
# The descriptors that the command has are of files: none leads out of its mount namespace. And nobody gets at its /dev/shm
# by the mount.
# shellcheck disable=SC2016 # the shell's own, in there
ctl run --shm 8M -- sh -c 'for fd in /proc/self/fd/*; do test ! -d "$fd" || readlink "$fd"; done'
is "run --shm: no directory is inherited" "$(grep -v '^/proc' <<<"$out")" ""
# shellcheck disable=SC2016
ctl run --shm 8M -- sh -c 'cd "$1" && stat -c %a .shm-* && setpriv --reuid 65534 --regid 65534 --clear-groups ls .shm-*/ 2>&1 | grep -c denied' \
	- "$dir/mnt"
is "run --shm: closed to others" "$out" 700$'\n'1
is "run --shm: nothing is left" "$(find "$dir/mnt" -name '.shm*')" ""
check "umount" umount "$dir/mnt"
null_blk_remove cliswap
finished
