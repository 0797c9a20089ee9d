#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# stress-ng beside checked readers of itmefs (the actors of ./stress), three times: as load on the machine's memory; run
# from itmefs itself, its own text and libraries being dropped and moved under it; and let loose on the read-only tree,
# where whatever it tries to write must fail, and what it may do on existing files must do no harm. The actors judge:
# content, budgets, hangs, and that all can be undone after it.
set -u

here=$(dirname "$(readlink -f "$0")")
soak=${ITME_SOAK:-0}
secs=12
[ "$soak" != 1 ] || secs=200
export ITME_SECONDS=$secs ITME_NO_KILLS=1
count=0
failed=0
# Not t.*: those the actors remove, when they clean up.
work=${ITME_LOWER_DIR:-/tmp}/stress-ng
mkdir -p "$work"

# round NAME ACTOR...: `stress` prints its own results; here it is one of ours.
round() {
	local name=$1 rc

	shift
	count=$((count + 1))
	echo "# $name"
	"$here/stress" "$@" 2>&1 | sed 's/^\(not ok\|ok\|TAP\|1\.\.\)/# &/'
	rc=${PIPESTATUS[0]}
	if [ "$rc" = 0 ]; then
		echo "ok $count $name"
	else
		failed=$((failed + 1))
		echo "not ok $count $name"
	fi
}

# one NAME...: one worker of each stressor that this stress-ng knows.
one() {
	local known s

	known=" $(stress-ng --stressors) "
	for s; do
		case $known in *" $s "*) echo "--$s 1" ;; esac
	done | tr '\n' ' '
}

if ! command -v stress-ng >/dev/null; then
	echo "1..0 # SKIP no stress-ng"
	exit 4
fi
echo "TAP version 13"

# --oom-avoid is not in Debian 12's: no stressor here grows without bound. Its own files are on a tmpfs, so that they are
# swapped, too; and page faults that allocate blocks of ext4, together with nodes and processors that went and came, make
# lockdep see a deadlock of the kernel's own when the machine is switched off.
mkdir -p "$work/tmp"
mount -t tmpfs -o size=400M tmp "$work/tmp"
common="--temp-path $work/tmp --timeout $((secs + 5)) --quiet"

# Memory full, migrated, compacted, swapped.
swap=$work/swap
if dd if=/dev/zero of="$swap" bs=1M count=192 status=none && mkswap -q "$swap" && chmod 600 "$swap"; then
	swapon "$swap"
fi
free=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
load="$(one vm mmap mremap madvise fault mlock pagemove numa userfaultfd)"
# A few seconds are too short for so many at once, more so in a debug kernel.
[ "$soak" != 1 ] || load+="$(one vm-rw vm-splice vm-addr mmapfork mmapaddr mincore msync munmap remap rmap memfd \
	tlb-shootdown zero malloc)"
sizes="--vm-bytes $((free / 2))M --vm-populate --mmap-bytes 64M --mmap-file --mremap-bytes 32M --vm-rw-bytes 16M"
sizes+=" --vm-splice-bytes 4M --memfd-bytes 16M --malloc-bytes 16M --msync-bytes 8M --userfaultfd-bytes 8M --page-in"
ITME_ALONG="exec stress-ng $common $load $sizes" \
	round "beside load on the memory" fault:3 read:2 cow move migrate drop compact
swapoff "$swap" 2>/dev/null
rm -f "$swap"

# Its text, and that of its libraries, on itmefs.
ng=$(command -v stress-ng)
mapfile -t libs < <(ldd "$ng" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }')
loader=
copies=()
for f in "$ng" "${libs[@]}"; do
	cp -L "$f" "$work/" && copies+=("$work/${f##*/}")
	case $f in */ld-*) loader=${f##*/} ;; esac
done
mnt=${ITME_MNT:-/tmp/itme-selftest}
text="$(one munmap madvise mlock mprotect mmap mremap fork vfork fault mincore pageswap physpage)"
# sync: the copies must be on the drive, and nobody may write them.
sync
ITME_IMPORT="${copies[*]}" ITME_ALONG="exec $mnt/$loader --library-path $mnt $mnt/stress-ng $common $text --mmap-bytes 16M" \
	round "run from itmefs" fault read drop:2 move:2 advise budget compact
rm -f "${copies[@]}"

# On the tree. stress-ng makes a directory of its own first, which fails; so it goes by an overlay, too, where lower files
# are itmefs' and what is written goes to a tmpfs.
over=$work/over
mkdir -p "$over" "$work/up"
mount -t tmpfs up "$work/up" && mkdir -p "$work/up/upper" "$work/up/work"
tree="$(one access chmod chown dentry dir dirmany dup fallocate fcntl fiemap file-ioctl flock fstat getdent \
	handle hdd inotify io iomix lease link locka lockf mknod open rename symlink touch utime xattr readahead)"
# Expanded by the shell that `stress` starts.
# shellcheck disable=SC2016
script='for i in 1 2 3; do
	stress-ng --temp-path $ITME_MNT --hdd 1 --open 1 --dir 1 --timeout 2 --quiet && exit 1
done
modprobe overlay 2>/dev/null
if mount -t overlay -o lowerdir=$ITME_MNT,upperdir=$WORK/up/upper,workdir=$WORK/up/work over $WORK/over; then
	trap "kill \$!; wait; umount -l $WORK/over" EXIT TERM
	chmod 644 $WORK/over/f3		# copied up from itmefs
	stress-ng --temp-path $WORK/over $TREE --hdd-bytes 4M --iomix-bytes 4M --readahead-bytes 8M \
		--fallocate-bytes 4M --timeout '$((secs + 5))' --quiet &
	wait $!
else
	while :; do ls -lR $ITME_MNT; stat $ITME_MNT/*; cat $ITME_MNT/*; done >/dev/null 2>&1
fi'
WORK=$work TREE=$tree ITME_ALONG=$script round "on the tree" fault read drop move hostile madvise
for _ in 1 2 3 4 5; do
	umount -l "$over" 2>/dev/null || break
done
umount -l "$work/up" 2>/dev/null
umount -l "$work/tmp" 2>/dev/null
rm -rf "$work"

echo "1..$count"
[ "$failed" = 0 ]
