#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A dense model and one of experts: one after the other, both at once, and with the daemon killed in the middle.
set -u
# shellcheck source=tests/llama/engine.sh
. "$(dirname "$0")/engine.sh"

check "a dense model" make_gguf "$lower/cli.dense.gguf" --layers 8 --embd 384 --ff 1024 --heads 6
check "one of experts" make_gguf "$lower/cli.moe.gguf" --layers 6 --embd 256 --ff 384 --heads 4 --experts 8 --seed 2
for name in dense moe; do
	reference $name "$lower/cli.$name.gguf"
done
follow dense moe
becomes "of experts: it has triggers" 10 cli.moe.gguf 'm["triggers"] > 0' True

# One after the other.
for name in dense moe; do
	begin "one.$name" "$lower/cli.$name.gguf"
	loaded=$(stat_of cli.$name.gguf 'd["prefetch_bytes"], d["demand_bytes"]')
	finish "one.$name"
	same "$name: the tokens" "one.$name" "ref.$name"
	becomes "$name: planned still" 10 cli.$name.gguf 'm["phase"], m["origin"], m["passes"] > 0' \
		"('planned', 'header', True)"
	echo "# $name: $(stat_of cli.$name.gguf '{k: d[k] for k in ("read_bytes", "demand_bytes", "prefetch_bytes")}')"
	# Of an expert the head is waited for; and all of it if there is no time between the two.
	echo "# $name: prefetched and demanded when it was loaded: $loaded"
	is "$name: most was read ahead of its use" \
		"$(json "d['prefetch_bytes'] - ${loaded}[0] > d['demand_bytes'] - ${loaded}[1]")" True
done

# Killed in the middle, and back.
plan=$("$itmectl" status --json | python3 -c 'import json, sys
print(*(m["plan"] for m in json.load(sys.stdin)["models"] if m["model"] == "cli.dense.gguf"))')
begin killed "$lower/cli.dense.gguf"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
at=$(grep -c ^token "$dir/killed.log")
check "killed: llama.cpp decodes on" decoded killed $((at + 3))
start_itmed || fail "start again"
becomes "killed: the next one goes on with the plan" 60 cli.dense.gguf 'm["phase"], m["plan"]' "('planned', $plan)"
at=$(grep -c ^token "$dir/killed.log")
check "started again: it decodes on" decoded killed $((at + 3))
finish killed
same "killed: the tokens" killed ref.dense

# Two at once.
begin two.moe "$lower/cli.moe.gguf"
other=$engine
begin two.dense "$lower/cli.dense.gguf"
finish two.dense
engine=$other
finish two.moe
same "two at once: the tokens of the dense one" two.dense ref.dense
same "two at once: those of the one of experts" two.moe ref.moe
for name in dense moe; do
	becomes "two at once: $name is planned still" 10 cli.$name.gguf 'm["phase"], m["origin"]' "('planned', 'header')"
done

stop_itmed
is "it ends" "$?" 0
daemon=
finished
