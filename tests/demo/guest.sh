#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The guest's side of `make demo`: decodes from the model on the NVMe drive three times, each in a control group of
# its own, and leaves what was measured in /results for report.py. tests/demo/run sets the DEMO_* variables.
set -eu

: "${DEMO_NODE:?} ${DEMO_LIB:?} ${DEMO_MODULE:?} ${DEMO_ITMECTL:?} ${DEMO_ITMED:?} ${DEMO_DRAM:?} ${DEMO_CXL:?}"
: "${DEMO_DISK:?} ${DEMO_COUNTED:?}"
here=$(dirname "$(realpath "$0")")
cgroups=/sys/fs/cgroup
disk=$DEMO_DISK
# Not on the host's file system: who writes there waits for the host, and under counting the clock runs on meanwhile.
out=/run/demo
export DEMO_MODEL=/models/model.gguf
mib=$((1 << 20))

say() {
	echo "demo: $*"
}

# Sums the time spent in filemap_fault(), where a page of ext4 is looked for, read in, waited for, and room made for it.
# Not taskstats: on 6.12 its block I/O delay is off, as a task may be dequeued by another one, which is then the one
# whose clock is started. Tracing costs the stock run some microseconds a fault, of about five hundred a token.
trace_faults() (
	cd /sys/kernel/tracing
	echo 'f:demo/fault_in filemap_fault' >>dynamic_events
	echo 'f:demo/fault_out filemap_fault%return' >>dynamic_events
	echo 'demo_fault u64 us' >>synthetic_events
	echo 'hist:keys=common_pid:t0=common_timestamp.usecs' >events/demo/fault_in/trigger
	# shellcheck disable=SC2016 # the histogram's own variables
	echo 'hist:keys=common_pid:us=common_timestamp.usecs-$t0:onmatch(demo.fault_in).demo_fault($us)' \
		>events/demo/fault_out/trigger
	echo 'hist:keys=common_cpu:vals=us' >events/synthetic/demo_fault/trigger
)

prepare() {
	echo "+memory +cpuset" >$cgroups/cgroup.subtree_control
	modprobe -a nvme ext4
	[ -z "${DEMO_DRIVE-}" ] || insmod "$DEMO_DRIVE" blob=opt/itme.model mbps=$((DEMO_BPS / 1000000))
	for _ in $(seq 100); do
		[ ! -b "/dev/$disk" ] || break
		sleep 0.1
	done
	mkdir -p /models
	mount -o ro "/dev/$disk" /models
	# Of 128 (the default), 512, 2048 and 8192 the best for stock Linux here; ITME does not use it.
	echo "$DEMO_READAHEAD_KB" >"/sys/block/$disk/queue/read_ahead_kb"
	trace_faults
}

# Drops the model, and nothing else, from the page cache: the programs' own pages stay warm for every run.
forget_model() {
	dd if=$DEMO_MODEL iflag=nocache count=0 status=none
}

# measure NAME LIMIT OWN COMMAND...: decode.mjs under COMMAND, in a control group that may hold LIMIT bytes, and is made
# to give back what is more than OWN. Its memory is on node 0: no page cache comes to lie on the CXL node by chance.
measure() {
	local name=$1 limit=$2 own=$3 status=0

	shift 3
	export DEMO_OUT=$out/$name DEMO_CGROUP=$cgroups/$name
	mkdir "$DEMO_CGROUP"
	echo 0 >"$DEMO_CGROUP/cpuset.mems"
	echo "$limit" >"$DEMO_CGROUP/memory.max"
	echo "$own" >"$DEMO_CGROUP/memory.high"
	(
		echo "$BASHPID" >"$DEMO_CGROUP/cgroup.procs"
		exec "$@" "$DEMO_NODE" "$here/decode.mjs" --lib "$DEMO_LIB" --model $DEMO_MODEL \
			--out "$DEMO_OUT.json" --disk "$disk" --tokens "$DEMO_TOKENS" --warm "$DEMO_WARM" --threads "$DEMO_THREADS" \
			--at "$here/snapshot"
	) >"$DEMO_OUT.log" 2>&1 &
	follow $! "$DEMO_OUT.log"
	wait $! || status=$?
	cp "$DEMO_CGROUP/memory.peak" "$DEMO_OUT.memory.peak"
	# Its page cache, the pages of node and of llama.cpp, is now the parent's: no later run is charged for it.
	rmdir "$DEMO_CGROUP"
	[ $status = 0 ] && return
	say "$name FAILED ($status):"
	grep -v ^token "$DEMO_OUT.log" | head -n 30
	return 1
}

# follow PID LOG: one line that grows by a dot a token, until the process ends.
follow() {
	local seen=0 now loaded=

	echo -n "demo:     loading "
	while [ -d "/proc/$1" ] && [[ $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) != [ZX]* ]]; do
		# Under counting to look is time that the run on the one CPU does not have.
		sleep $((DEMO_COUNTED ? 10 : 1))
		now=$(grep -c ^token "$2" || true)
		if [ -z "$loaded" ] && grep -q ^loaded "$2"; then
			loaded=1
			echo -n "decoding "
		fi
		for ((; seen < now; seen++)); do
			echo -n .
		done
	done
	echo
}

# What the process needs beside the model: all its memory but page cache, as the run without a limit had it, and
# some to spare, as it is not the same in every run.
own_memory() {
	awk '/^(anon|kernel) / { sum += $2 } END { print sum + 8 * 1024 * 1024 }' $out/dram.end.memory.stat
}

# The daemon imports the model and plans it by its header; all that is here to do is to wait for that.
start_itmed() {
	local chunk=${DEMO_CHUNK:+chunk = '"'$DEMO_CHUNK'"'}

	export ITMED_SOCKET=/run/itmed.sock
	mkdir -p /run/itmed
	cat >/run/itmed.toml <<-TOML
		state_dir = "/run/itmed"
		socket = "$ITMED_SOCKET"
		[[model]]
		path = "$DEMO_MODEL"
		$chunk
	TOML
	"$DEMO_ITMED" --config /run/itmed.toml >$out/itmed.log 2>&1 &
	itmed=$!
	for _ in $(seq 300); do
		if "$DEMO_ITMECTL" status --json 2>/dev/null | grep -q '"phase": *"planned"'; then
			say "    itmed: $(grep -o 'plan .*' $out/itmed.log)"
			return 0
		fi
		kill -0 $itmed 2>/dev/null || break
		sleep 0.2
	done
	say "itmed FAILED:"
	cat $out/itmed.log
	return 1
}

prepare
mkdir -p $out
trap 'cp $out/* /results/' EXIT

say "1/3 all in DRAM: ext4, no limit, the whole model cached"
cat $DEMO_MODEL >/dev/null
measure dram max max

own=$(own_memory)
limit=$((own + DEMO_DRAM))
echo "{\"own\": $own, \"limit\": $limit}" >$out/limit.json
say "    llama.cpp needs $((own / mib)) MiB beside the model: the others get $((limit / mib)) MiB of DRAM"

say "2/3 stock: ext4, page cache within that limit"
forget_model
measure stock "$limit" max

say "3/3 ITME: $((DEMO_DRAM / mib)) MiB of DRAM and $((DEMO_CXL / mib)) MiB of CXL for the model"
forget_model
insmod "$DEMO_MODULE"
mkdir -p /itme
mount -t itmefs -o "dram=$DEMO_DRAM,cxl=$DEMO_CXL" itme /itme
start_itmed
export DEMO_ITME=model.gguf
# ITME's pages are not charged to the group: what is left of the limit is the process's own.
measure itme "$limit" "$own" "$DEMO_ITMECTL" run --
kill $itmed
wait $itmed
umount /itme
rmmod itme
say "done"
