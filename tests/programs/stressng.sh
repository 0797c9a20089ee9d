#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# stress-ng's stressors of files, mappings and memory on itmefs, each with --verify. Each that fails is run on tmpfs, too:
# what does not work there in the same guest is no fault of ours.
set -u
# shellcheck source=tests/programs/programs.sh
. "$(dirname "$(readlink -f "$0")")/programs.sh"

if ! command -v stress-ng >/dev/null; then
	skip "stress-ng" "it is not installed"
	finished
fi
secs=$(briefly 1 3)
known=" $(stress-ng --stressors) "
sizes="--mmap-bytes 24M --mmap-file --hdd-bytes 12M --iomix-bytes 8M --fallocate-bytes 16M --readahead-bytes 16M
	--msync-bytes 8M --mremap-bytes 16M --seek-size 16M --sync-file-bytes 8M --copy-file-bytes 128M --aiol-requests 8
	--shm-bytes 8M --vm-bytes 32M --revio-bytes 8M --dirdeep-bytes 1M --dirdeep-dirs 2 --dirmany-bytes 64K --io-ops 5
	--filename-opts posix"

# stress DIRECTORY NAME: one worker of that stressor.
stress() {
	# shellcheck disable=SC2086 # they are words
	timeout -k 5 $((secs + 60)) stress-ng --temp-path "$1" --timeout "$secs" --verify --quiet $sizes "--$2" 1 \
		>"$dir/said" 2>&1 </dev/null
}

# one NAME: passes, fails, or is skipped where tmpfs fails too. 3: not enough of something, 4: not in this kernel.
one() {
	local rc

	case $known in *" $1 "*) ;; *) return ;; esac
	stress "$mnt" "$1"
	rc=$?
	case $rc in
	0) pass "stress-ng $1" ;;
	3 | 4) skip "stress-ng $1" "not here" ;;
	*)
		if stress "$dir/tmpfs" "$1"; then
			fail "stress-ng $1" "exit $rc, on tmpfs it succeeds"
			stress "$mnt" "$1"
			head -n 10 "$dir/said" | sed 's/^/#   /'
		else
			skip "stress-ng $1" "fails on tmpfs as well"
		fi
		;;
	esac
}

tmpfs_up 384
check "mount" itmefs_up 8 8 384
# Those that go by files or map them; --class filesystem is these and more that take no path.
brief_ones="mmap hdd fallocate rename dentry open dir seek truncate iomix copy-file xattr"
all_ones="$brief_ones mremap msync mmapfork mmapaddr fault access aio aiol chdir chmod chown dirdeep dirmany dup fcntl
	fiemap file-ioctl filename flock fpunch fstat getdent io lease link locka lockf lockofd metamix mknod munmap null
	readahead sendfile splice symlink sync-file tmpfs touch unlink utime verity vm-splice inotify handle"
for name in $(briefly "$brief_ones" "$all_ones"); do
	one "$name"
done
went_out "stress-ng" "$(briefly 2 16)"

# What goes to /dev/shm: shared memory and semaphores of POSIX, several at once, with memory being taken meanwhile.
ends "stress-ng in /dev/shm of itmefs" $((secs * 4 + 120)) "$itmectl" run --shm 96M -- \
	stress-ng --timeout $((secs * 4)) --verify --quiet --shm 2 --shm-bytes 24M --shm-objs 4 --sem 1 --vm 1 --vm-bytes 64M
# All at once.
ends "stress-ng, many at once" $((secs * 4 + 180)) stress-ng --temp-path "$mnt" --timeout $((secs * 4)) --verify --quiet \
	--mmap 2 --mmap-file --mmap-bytes 24M --hdd 1 --hdd-bytes 12M --rename 1 --dentry 1 --fallocate 1 \
	--fallocate-bytes 16M --iomix 1 --iomix-bytes 8M
left=$(find "$mnt" -mindepth 1 | head -5)
if [ -z "$left" ]; then pass "nothing is left"; else fail "nothing is left" "${left//$'\n'/ }"; fi
tmpfs_down
unmounts
finished
