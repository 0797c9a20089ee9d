#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The file of a model is replaced while it is decoded; and a model is repacked, so that its file is not used any more.
set -u
# shellcheck source=tests/llama/engine.sh
. "$(dirname "$0")/engine.sh"

check "a dense model" make_gguf "$lower/cli.dense.gguf" --layers 8 --embd 384 --ff 1024 --heads 6
check "one that takes another's place" make_gguf "$lower/cli.next" --layers 8 --embd 384 --ff 1024 --heads 6 --seed 4
check "one that is repacked" make_gguf "$lower/cli.q4.gguf" --layers 24 --embd 512 --ff 1024 --heads 8 --bits 4 --seed 3
for name in dense q4; do
	reference $name "$lower/cli.$name.gguf"
done
# It is told apart by its name: that of the file it replaces, in a directory of its own.
mkdir "$lower/cli.other"
ln "$lower/cli.next" "$lower/cli.other/cli.dense.gguf"
reference next "$lower/cli.other/cli.dense.gguf"
is "the models are not one" "$([ "$(tokens ref.next $wanted)" != "$(tokens ref.dense $wanted)" ] && echo so)" so

follow dense q4

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

# Repacked: of each layer is used only what lies between the weights, from when all of it has been read once. Most of the
# file is not read any more.
read_by() {
	stat_of cli.q4.gguf 'd["read_bytes"]'
}
begin q4 "$lower/cli.q4.gguf"
becomes "repacked: what is not used is seen" 300 cli.q4.gguf \
	'm["phase"] in ("unused", "learning") or m["origin"] == "learned" or m["left_out"] >= 20' True
echo "# $("$itmectl" status | grep -F cli.q4.gguf)"
# What is in memory and not used leaves it as the sampler finds that out.
for _ in {1..10}; do
	before=$(read_by)
	at=$(grep -c ^token "$dir/q4.log")
	decoded q4 $((at + 8))
	read=$(($(read_by) - before))
	echo "# read for 8 tokens: $read of $(stat -c %s "$lower/cli.q4.gguf") bytes"
	[ $((read * 4)) -gt "$(stat -c %s "$lower/cli.q4.gguf")" ] || break
done
is "repacked: and is not read" "$((read * 4 <= $(stat -c %s "$lower/cli.q4.gguf")))" 1
finish q4
same "repacked: the tokens" q4 ref.q4
stop_itmed
is "it ends" "$?" 0
daemon=
finished
