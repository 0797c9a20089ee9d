# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by the tests of itmed, beside cli.sh.
# ITMED: the program, MKGGUF: that of tests/demo (default: those of the build that has itmectl).

build=$(dirname "$(dirname "$(command -v "$itmectl")")")
itmed=${ITMED:-$build/itmed/itmed}
mkgguf=${MKGGUF:-$build/tests/mkgguf}
export ITMED_SOCKET=$dir/itmed.sock
daemon=

# config TEXT: the configuration, with what all tests need.
config() {
	cat >"$dir/itmed.toml" <<-TOML
		state_dir = "$dir/state"
		socket = "$ITMED_SOCKET"
		$1
	TOML
	mkdir -p "$dir/state"
}

start_itmed() {
	"$itmed" --config "$dir/itmed.toml" >>"$dir/itmed.log" 2>&1 &
	daemon=$!
	wait_until 60 "$itmectl" status >/dev/null 2>&1
}

stop_itmed() {
	kill "$daemon" && wait "$daemon"
}

# What is left of it must not outlive the test.
clean_up_itmed() {
	local status=$?

	[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
	[ "$status" = 0 ] && [ "$lab_failed" = 0 ] || sed 's/^/# itmed.log: /' "$dir/itmed.log"
	clean_up
}
trap clean_up_itmed EXIT

# model_is MODEL EXPRESSION WANTED: true when the daemon says so of it, m there.
model_is() {
	"$itmectl" status --json >"$dir/status" 2>/dev/null &&
		[ "$(python3 -c 'import json, sys
m = next((m for m in json.load(open(sys.argv[1]))["models"] if m["model"] == sys.argv[2]), None)
print(m is not None and eval(sys.argv[3]))' "$dir/status" "$1" "$2" 2>/dev/null)" = "$3" ]
}

# becomes NAME SECONDS MODEL EXPRESSION WANTED
becomes() {
	if wait_until "$2" model_is "$3" "$4" "$5"; then
		pass "$1"
	else
		fail "$1" "$(tr -d '\n' <"$dir/status")"
	fi
}

# make_gguf FILE ARGUMENT...: a model.
make_gguf() {
	local file=$1

	shift
	"$mkgguf" "$@" "$file" >/dev/null && sync "$file"
}
