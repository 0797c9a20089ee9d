#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# holders: who keeps umount and rmmod from working.
# shellcheck disable=SC2217 # sleep does not read its stdin, it holds it
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

ctl holders
is "no mount: nobody" "$status:$err" "0:itmectl: nobody holds an itmefs"
mount_itme dram=16M || fail "mount"
model a 1
ctl import "$model"

# started PID: the shell has become the sleep.
started() {
	wait_until 20 grep -q sleep "/proc/$1/comm"
}

# kinds: what holds it, the mounts left out.
kinds() {
	ctl holders --json
	json '[(h["kind"], h["command"]) for h in d if h["kind"] != "mount"]'
}

is "only the mount itself" "$(kinds)" "[]"
json_is "the mount" '[h["name"] for h in d]' "['$dir/mnt']"

sleep 60 <"$dir/mnt/cli.a" &
pid=$!
started $pid
is "an open file" "$(kinds)" "[('fd', 'sleep')]"
json_is "its pid, path and user" '[(h["pid"], h["name"], h["user"], h["detail"]) for h in d if h["kind"] == "fd"]' \
	"[($pid, '$dir/mnt/cli.a', 'root', '0')]"
is "umount: busy" "$(umount "$dir/mnt" 2>&1 | grep -c busy)" 1
is "rmmod: busy" "$(rmmod itme 2>&1 | grep -c 'in use')" 1
kill "$pid"
wait "$pid" 2>/dev/null

(cd "$dir/mnt" && exec sleep 60) &
pid=$!
started $pid
is "a current directory" "$(kinds)" "[('cwd', 'sleep')]"
kill "$pid"
wait "$pid" 2>/dev/null

mkfifo "$dir/ready"
python3 -c 'import mmap, sys, time
f = open(sys.argv[1], "rb")
m = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
f.close()
open(sys.argv[2], "w").close()
time.sleep(120)' "$dir/mnt/cli.a" "$dir/ready" &
pid=$!
timeout 60 cat "$dir/ready"
# Python keeps a duplicate of the fd beside the mapping.
is "a mapping" "$(kinds | grep -c "('map', 'python3")" 1
kill "$pid"
wait "$pid" 2>/dev/null

# A mount in another namespace outlives the umount here.
unshare -m --propagation private sleep 60 &
pid=$!
started $pid
check "umount here" umount "$dir/mnt"
ctl holders --json
json_is "a mount elsewhere" '[(h["pid"], h["kind"], h["name"]) for h in d]' "[($pid, 'mount', '$dir/mnt')]"
is "rmmod: still busy" "$(rmmod itme 2>&1 | grep -c 'in use')" 1
kill "$pid"
wait "$pid" 2>/dev/null

# After a lazy umount no table of mounts has it.
mount_itme dram=16M
ctl import "$model"
sleep 60 <"$dir/mnt/cli.a" &
pid=$!
started $pid
umount -l "$dir/mnt"
is "after umount -l" "$(kinds)" "[('fd', 'sleep')]"
kill "$pid"
wait "$pid" 2>/dev/null
ctl holders
is "nobody any more" "$status:$err" "0:itmectl: nobody holds an itmefs"
check "rmmod" wait_until 10 rmmod itme
finished
