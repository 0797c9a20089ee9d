# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by tests that run in a lab guest: . "$LAB_DIR/guest.sh"
# LAB_PROFILE (numa, cxl), LAB_ONLINE and LAB_ICOUNT say which guest it is, ITME_KO which module is tested; /results is
# the host's directory.
# Results are KTAP on stdout: pass, fail and skip one line each, `finished` last.

lab_count=0
lab_failed=0

pass() {
	lab_count=$((lab_count + 1))
	echo "ok $lab_count $1"
}

# fail NAME [WHY]
fail() {
	lab_count=$((lab_count + 1))
	lab_failed=$((lab_failed + 1))
	echo "not ok $lab_count $1"
	[ -z "${2:-}" ] || echo "# $2"
}

# skip NAME WHY
skip() {
	lab_count=$((lab_count + 1))
	echo "ok $lab_count $1 # SKIP $2"
}

# check NAME COMMAND...: passes if the command does.
check() {
	local name=$1 out

	shift
	if out=$("$@" 2>&1); then
		pass "$name"
	else
		fail "$name" "$* exited with $?: ${out//$'\n'/ / }"
	fi
}

# finished: the plan comes last, as shell tests do not know it before.
finished() {
	echo "1..$lab_count"
	[ "$lab_failed" = 0 ]
	exit
}

# itme_load [PARAM=VALUE...]
itme_load() {
	insmod "$ITME_KO" "$@"
}

itme_unload() {
	rmmod itme
}

# wait_until SECONDS COMMAND...
wait_until() {
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# nvme_up: the emulated drive as /dev/nvme0n1.
nvme_up() {
	modprobe nvme && wait_until 20 test -b /dev/nvme0n1
}

# mkfs_mount DEVICE DIR: a fresh ext4. Without lazy init there is no background I/O in measurements.
mkfs_mount() {
	mkdir -p "$2" &&
		mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0,nodiscard "$1" &&
		mount -t ext4 "$1" "$2"
}

# null_blk_create NAME MIB [ATTRIBUTE=VALUE...]: a drive in DRAM, as /dev/NAME, whose completions are guest timers, so
# with --icount its speed does not hang on the host's. Attributes as in Documentation/block/null_blk.rst
# (mbps=700 completion_nsec=40000 irqmode=2 ...).
null_blk_create() {
	local name=$1 mib=$2 dir=/sys/kernel/config/nullb/$1 attr

	shift 2
	modprobe null_blk nr_devices=0 || return
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config || return
	mkdir "$dir" || return
	for attr in "size=$mib" memory_backed=1 "$@" power=1; do
		echo "${attr#*=}" >"$dir/${attr%%=*}" || return
	done
	wait_until 10 test -b "/dev/$name"
}

null_blk_remove() {
	rmdir "/sys/kernel/config/nullb/$1"
}

# dm_create NAME TABLE: /dev/mapper/NAME. There is no udev, so dmsetup makes the node itself.
dm_create() {
	modprobe dm-mod && dmsetup create "$1" --noudevsync --table "$2"
}

# dm_linear NAME DEVICE: passes all through, to be swapped for another table under a mounted filesystem.
dm_linear() {
	dm_create "$1" "0 $(blockdev --getsz "$2") linear $2 0"
}

# dm_reload NAME TABLE: I/O in flight is finished first. --nolockfs: a filesystem on it would flush, which may fail.
dm_reload() {
	dmsetup reload "$1" --table "$2" &&
		dmsetup suspend --nolockfs --noudevsync "$1" &&
		dmsetup resume --noudevsync "$1"
}

# dm_error_range NAME DEVICE START COUNT: from now on these sectors of NAME fail with EIO.
dm_error_range() {
	local size start=$3 end=$(($3 + $4))

	modprobe dm-mod || return
	size=$(blockdev --getsz "$2")
	dm_reload "$1" "$(
		[ "$start" = 0 ] || echo "0 $start linear $2 0"
		echo "$start $4 error"
		[ "$end" -ge "$size" ] || echo "$end $((size - end)) linear $2 $end"
	)"
}

# dm_heal NAME DEVICE: no sector fails any more.
dm_heal() {
	dm_reload "$1" "0 $(blockdev --getsz "$2") linear $2 0"
}

# dm_delay NAME DEVICE MILLISECONDS: every I/O takes that much longer.
dm_delay() {
	modprobe dm-delay && dm_reload "$1" "0 $(blockdev --getsz "$2") delay $2 0 $3"
}

dm_remove() {
	dmsetup remove --noudevsync --retry "$1"
}

# file_extents FILE: its blocks on the device, one "logical physical count" a line, in 512-byte sectors of the device.
file_extents() {
	filefrag -b512 -e "$1" | awk -F'[:. ]+' '/^ *[0-9]+:/ { sub(/^ +/, ""); print $2, $4, $3 - $2 + 1 }'
}

# cgroup_create NAME [FILE=VALUE...]: e.g. cgroup_create small memory.max=256M memory.swap.max=0
cgroup_create() {
	local dir=/sys/fs/cgroup/$1 attr

	shift
	echo "+memory +cpu +io +cpuset" >/sys/fs/cgroup/cgroup.subtree_control || return
	mkdir -p "$dir" || return
	for attr in "$@"; do
		echo "${attr#*=}" >"$dir/${attr%%=*}" || return
	done
}

# cgroup_run NAME COMMAND...
cgroup_run() {
	local dir=/sys/fs/cgroup/$1

	shift
	(
		# The subshell moves, so that the caller stays where it is.
		echo "$BASHPID" >"$dir/cgroup.procs" && exec "$@"
	)
}

# node1_blocks ACTION: offline, online_movable or online_kernel every block of node 1.
node1_blocks() {
	local state

	for state in /sys/devices/system/node/node1/memory*/state; do
		echo "$1" >"$state" || return
	done
}
