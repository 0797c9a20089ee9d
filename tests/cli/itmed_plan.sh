#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# itmed: import, a plan from the header, a reader in the order of layers reads what MIN would; killed and restarted in
# the middle; metrics; what it costs.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"
# shellcheck source=tests/cli/itmed.sh
. "$(dirname "$0")/itmed.sh"

config '[watch]
interval = "1s"'
start_itmed || fail "start without a mount"
"$itmectl" status >"$dir/out" 2>"$dir/err"
is "without a mount it waits" "$(grep -c 'waits for an itmefs' "$dir/err")" 1
mount_itme dram=24M || fail "mount"
# Called by wait_until.
# shellcheck disable=SC2317
sees_mount() {
	! "$itmectl" status 2>&1 | grep -q waits
}
wait_until 60 sees_mount || fail "the mount is seen"

# About 40 MiB in 8 layers.
lower_model=$lower/cli.gguf
check "a model" make_gguf "$lower_model" --layers 8 --embd 512 --ff 1024 --heads 8
"$itmectl" import "$lower_model" --chunk 256K >/dev/null
becomes "a plan from the header" 120 cli.gguf 'm["phase"], m["origin"], m["architecture"], m["stages"] >= 8' \
	"('planned', 'header', 'llama', True)"
succeeds "the module has it" plan list --json
json_is "its name" '[p["name"] for p in d]' "['itmed:cli.gguf']"
json_is "it is cyclic, and of nearly all of the file" \
	'[(p["cyclic"], p["bytes"] > 0.9 * '"$(stat -c %s "$lower_model")"') for p in d]' "[(True, True)]"

# Reads what the plan says, in its order, as a decode does: mapped, each page. The content is compared.
cat >"$dir/reader.py" <<'PY'
import hashlib, json, mmap, os, sys
name, lower, plan, passes = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3])), int(sys.argv[4])
def digest(path):
    f = os.open(path, os.O_RDONLY)
    m = mmap.mmap(f, os.fstat(f).st_size, mmap.MAP_SHARED, mmap.PROT_READ)
    for n in range(passes):
        h = hashlib.blake2b()
        for stage in plan["stages"]:
            for r in stage:
                for at in range(r["offset"], r["offset"] + r["length"], 65536):
                    h.update(m[at:min(at + 65536, r["offset"] + r["length"], len(m))])
        if path == name:
            print(f"pass {n}", file=open(sys.argv[5], "a"), flush=True)
        else:
            break
    return h.hexdigest()
print(digest(name) == digest(lower))
PY
"$itmectl" plan save itmed:cli.gguf >"$dir/plan.json"
# read_model PASSES: says True when the content was right.
read_model() {
	python3 "$dir/reader.py" "$dir/mnt/cli.gguf" "$lower_model" "$dir/plan.json" "$1" "$dir/passes"
}
bytes_read() {
	"$itmectl" stat cli.gguf --json --bytes >"$dir/out" && json 'd["read_bytes"]'
}
is "two passes for a start" "$(read_model 2)" True
before=$(bytes_read)
is "four passes in the order of layers" "$(read_model 4)" True
after=$(bytes_read)
# MIN keeps what fits and reads the rest in each pass. The ring and what is under way at both ends take something.
python3 - "$dir/plan.json" "$((after - before))" >"$dir/min" <<'PY'
import json, sys
chunk, budget, passes = 256 << 10, 24 << 20, 4
chunks = {r["offset"] // chunk + i for s in json.load(open(sys.argv[1]))["stages"] for r in s
          for i in range(-(-r["length"] // chunk))}
least = passes * (len(chunks) * chunk - budget)
print(f"{int(sys.argv[2]) / least:.3f} of MIN ({int(sys.argv[2]) >> 20} MiB, MIN {least >> 20} MiB)")
PY
echo "# $(cat "$dir/min")"
is "it reads about what MIN reads" "$(awk '{ print ($1 >= 0.9 && $1 <= 1.35) }' "$dir/min")" 1

# Killed while somebody reads: the kernel carries on with the plan.
read_model 6 >"$dir/killed" &
reader=$!
sleep 1
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
wait "$reader"
is "killed in the middle: the content is right" "$(cat "$dir/killed")" True
"$itmectl" plan list --json >"$dir/out"
is "killed: its plan is there" "$(json 'len(d)')" 1
plan=$(json 'd[0]["id"]')
passes=$(json 'd[0]["passes"]')
refuses "killed: itmectl says how to start it" 1 "does not run" status
start_itmed || fail "start again"
becomes "started again: it goes on with the plan that is there" 60 cli.gguf 'm["phase"], m["plan"]' "('planned', $plan)"
"$itmectl" plan list --json >"$dir/out"
json_is "started again: nothing was set anew" "[(p['id'], p['passes'] >= $passes) for p in d]" "[($plan, True)]"
is "and it is followed still" "$(read_model 2)" True

# Metrics, who may ask, and what it costs.
succeeds "metrics" status --metrics
metrics='^(itme_tier_used_bytes\{tier="dram"\}|itme_model_read_bytes_total\{.*model="cli.gguf"|itmed_connected 1)'
is "metrics: of tiers, of the model, of the daemon" "$(grep -oE "$metrics" <<<"$out" | cut -d'{' -f1 | sort -u | wc -l)" 3
is "metrics: no process in any label" "$(grep -c 'pid=' <<<"$out")" 0
cp "$itmectl" "$dir/ctl" && chmod 755 "$dir" "$dir/ctl"
setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/ctl" status --socket "$ITMED_SOCKET" >"$dir/out" 2>"$dir/err"
is "nobody may not ask" "$?:$(grep -c 'not for this user' "$dir/err")" 1:1
sleep 3
ticks() {
	awk '{ print $14 + $15 }' "/proc/$daemon/stat"
}
writes() {
	awk '/^write_bytes/ { print $2 }' "/proc/$daemon/io"
}
cpu=$(ticks)
wrote=$(writes)
sleep 20
cpu=$(($(ticks) - cpu))
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status")
anon=$(awk '/^RssAnon/ { print $2 }' "/proc/$daemon/status")
echo "# idle for 20 s: $cpu ticks of CPU (of 2000), RSS $rss KiB, of which anonymous $anon KiB"
is "idle: below 20 MB" "$((rss < 20000))" 1
# Emulated, a CPU is some twenty times slower than a real one: 5 % here are far below 1 % there.
is "idle: little CPU" "$((cpu <= 100))" 1
is "idle: nothing is written" "$(($(writes) - wrote))" 0
stop_itmed
is "it ends" "$?" 0
daemon=
finished
