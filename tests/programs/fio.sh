#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# fio writes, and verifies what it has written, files several times larger than DRAM and CXL together.
set -u
# shellcheck source=tests/programs/programs.sh
. "$(dirname "$(readlink -f "$0")")/programs.sh"

size=$(briefly 48 96)
check "mount" itmefs_up 16 8 256

# verified NAME OPTION...: in a directory of its own, read back by a process of its own.
verified() {
	local name=$1 job

	shift
	mkdir -p "$mnt/fio"
	job=(fio --name=job "--directory=$mnt/fio" "--size=${size}M" --verify=crc32c --verify_fatal=1 --randseed=7
		--fallocate=none --group_reporting --minimal "$@")
	if ends "fio $name: writes" 400 "${job[@]}" --do_verify=0; then
		ends "fio $name: verifies" 400 "${job[@]}" --do_verify=1 --verify_only
	fi
	rm -rf "$mnt/fio"
}

verified "psync, 1 MiB in order" --ioengine=psync --rw=write --bs=1M
verified "mmap, 64 KiB in order" --ioengine=mmap --rw=write --bs=64k
verified "psync, 16 KiB at random" --ioengine=psync --rw=randwrite --bs=16k
# A small piece of a chunk that is on the drive has all of the chunk read.
verified "mmap, 16 KiB at random" --ioengine=mmap --rw=randwrite --bs=16k "--size=$((size / 2 + 8))M"
went_out "fio" "$size"
if [ "$brief" != 1 ]; then
	verified "psync, of all sizes" --ioengine=psync --rw=randwrite --bsrange=512-256k --verify=crc32c
	verified "direct, 64 KiB" --ioengine=psync --direct=1 --rw=write --bs=64k
	verified "three writers" --ioengine=psync --numjobs=3 --size=$((size / 3))M --rw=randwrite --bs=32k
	verified "libaio" --ioengine=libaio --iodepth=8 --rw=randwrite --bs=64k
	# Reads, writes and verifies the same blocks again and again.
	mkdir "$mnt/fio"
	ends "fio mixed, with trims of its own" 400 fio --name=mixed "--directory=$mnt/fio" "--size=${size}M" --rw=randrw \
		--bs=32k --ioengine=psync --verify=xxhash --verify_backlog=64 --verify_fatal=1 --time_based --runtime=20 \
		--randseed=9 --minimal
	rm -rf "$mnt/fio"
fi
unmounts
finished
