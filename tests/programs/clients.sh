#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Programs that keep their data in /dev/shm, more of it than DRAM and CXL hold: memcached with its restartable cache
# (-e), which maps a file there, SQLite, Python's shared memory. The same on tmpfs first: all they read is the same, bit
# for bit. And what `itmectl run --shm` promises beside.
# shellcheck disable=SC2016 # what is for the shells of the commands
set -u
# shellcheck source=tests/programs/programs.sh
. "$(dirname "$(readlink -f "$0")")/programs.sh"

mib=$(briefly 32 96)
values=$((mib * 16))		# of 64 KiB each; memcached takes more, also for kinds of values that there are none of
slabs=$((mib + mib / 8 + 48))
memcached=${ITME_MEMCACHED:-$(command -v memcached)}

# serve: a memcached that has come up, with its number in $pid.
cat >"$dir/memcached.sh" <<-SCRIPT
	set -eu
	cache=/dev/shm/itme-cache
	serve() {
		"$memcached" -e \$cache -m $slabs -u root -U 0 -s "$dir/socket" -I 1m -t 2 &
		pid=\$!
		for _ in \$(seq 300); do
			[ ! -S "$dir/socket" ] || return 0
			sleep 0.1
		done
		return 1
	}
	serve
	python3 "$here/cache.py" fill "$dir/socket" $values 64
	python3 "$here/cache.py" read "$dir/socket" $values 64
	# It writes down what lies where in the file, and the next one finds it there.
	kill -USR1 \$pid
	wait \$pid || true
	rm -f "$dir/socket"
	# One of the same second is not taken for a restart.
	sleep 2
	serve
	python3 "$here/cache.py" read "$dir/socket" $values 64
	kill -TERM \$pid
	wait \$pid || true
	rm -f "$dir/socket" \$cache \$cache.meta
SCRIPT

# client NAME LIMIT SCRIPT: the digests of it on tmpfs and in an itmefs, the same.
client() {
	local name=$1 limit=$2 script=$3 plain

	ends "$name on tmpfs" "$limit" bash -c "$script" || return
	plain=$(grep -x '[0-9a-f]\{64\}' "$dir/said")
	ends "$name on itmefs" "$limit" "$itmectl" run --shm $((mib * 3))M -- bash -c "$script" || return
	if [ -n "$plain" ] && [ "$(grep -x '[0-9a-f]\{64\}' "$dir/said")" = "$plain" ]; then
		pass "$name: bit for bit as on tmpfs"
	else
		fail "$name: bit for bit as on tmpfs" "$(head -c 300 "$dir/said")"
	fi
}

check "mount" itmefs_up 16 8 $((mib * 4))
if [ -x "${memcached:-}" ]; then
	client "memcached" 500 ". '$dir/memcached.sh'"
	went_out "memcached" $((mib / 2))
else
	skip "memcached" "it is not there"
fi
client "shared memory of Python" 400 "python3 '$here/cache.py' shared $mib"
client "SQLite" 500 "mkdir /dev/shm/itme-db && python3 '$here/cache.py' database /dev/shm/itme-db $((mib / 3)) &&
	rmdir /dev/shm/itme-db"
went_out "all" "$mib"

# What run --shm promises.
run() {
	"$itmectl" run --shm 32M -- "$@" 2>&1
}
is() {
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got '${2//$'\n'/ / }', wanted '$3'"; fi
}
is "it is an itmefs of that size" "$(run sh -c 'stat -f -c %t /dev/shm; df -B1 --output=size /dev/shm | tail -1 | tr -d " "')" \
	"49544d45"$'\n'$((32 << 20))
is "mode, and flags as elsewhere" "$(run sh -c 'stat -c %a /dev/shm; grep -c "/dev/shm itmefs.*nosuid,nodev" /proc/mounts')" \
	"1777"$'\n'1
is "more than that is ENOSPC" "$(run sh -c 'head -c 40M /dev/zero >/dev/shm/f 2>/dev/null; stat -c %s /dev/shm/f')" \
	"$((32 << 20))"
is "outside, /dev/shm is what it was" "$(stat -f -c %T /dev/shm)" tmpfs
is "the exit status" "$(run sh -c 'exit 42'; echo $?)" 42
is "death by a signal" "$(run sh -c 'kill -9 $$'; echo $?)" 137
is "as another user" "$("$itmectl" run --shm 32M --user 65534:65534 -- sh -c 'echo x >/dev/shm/f; stat -c %u /dev/shm/f' 2>&1)" 65534
run sh -c 'mkdir -p /dev/shm/a/b/c; mkfifo /dev/shm/a/p; ln -s / /dev/shm/root; touch /dev/shm/a/b/c/f; chmod 0 /dev/shm/a'
is "nothing of it is left" "$(find "$mnt" -mindepth 1)" ""
check "what its links lead to is" test -d /etc
# A command that sleeps is told, and its files are gone with it.
"$itmectl" run --shm 32M -- sh -c 'echo there >/dev/shm/f; echo >"$1"; exec sleep 100' - "$dir/started" &
pid=$!
check "it starts" wait_until 20 test -e "$dir/started"
kill -TERM $pid
wait $pid
is "SIGTERM is passed on" "$?:$(find "$mnt" -mindepth 1)" "143:"
# Of one that was killed the files stay until the next one comes.
rm "$dir/started"
"$itmectl" run --shm 32M -- sh -c 'echo there >/dev/shm/f; echo $$ >"$1"; exec sleep 100' - "$dir/started" &
pid=$!
check "it starts again" wait_until 20 test -s "$dir/started"
kill -KILL $pid
wait $pid 2>/dev/null
run true
is "killed: while its command runs the files stay" "$(find "$mnt" -type f -name f | wc -l)" 1
kill -KILL "$(cat "$dir/started")"
check "then the next one takes them away" wait_until 10 sh -c \
	"'$itmectl' run --shm 32M -- true && [ -z \"\$(find '$mnt' -mindepth 1)\" ]"
head -c 1M /dev/urandom >"$lower/area.model"
sync "$lower/area.model"
sum=$(sha256sum <"$lower/area.model")
is "with an imported file" "$("$itmectl" run --import "$lower/area.model" --shm 32M -- sh -c \
	"stat -f -c %t '$lower/area.model' /dev/shm; sha256sum <'$lower/area.model'" 2>&1)" \
	"49544d45"$'\n'"49544d45"$'\n'"$sum"
"$itmectl" remove area.model
unmounts
finished
