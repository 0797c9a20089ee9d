#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# itmed: what changes under it: a configuration, a model file, an order of use, a header that is none.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"
# shellcheck source=tests/cli/itmed.sh
. "$(dirname "$0")/itmed.sh"

# What is wrong with a configuration, and where.
config 'budget = 7'
"$itmed" --check-config --config "$dir/itmed.toml" >"$dir/out" 2>"$dir/err"
is "check-config: file, line and remedy" "$?:$(grep -c "^itmed: $dir/itmed.toml:3:10: no key 'budget' in the file; there are" "$dir/err")" 2:1
mount_itme dram=24M || fail "mount"
lower_model=$lower/cli.gguf
check "a model" make_gguf "$lower_model" --layers 4 --embd 256 --ff 512 --heads 8
config "[watch]
interval = \"1s\"
[tier.dram]
budget = \"16M\"
[[model]]
path = \"$lower_model\"
chunk = \"64K\""
"$itmed" --check-config --config "$dir/itmed.toml" >"$dir/out" 2>"$dir/err"
is "check-config: a good one" "$?:$(cat "$dir/err")" 0:
start_itmed || fail "start"
becomes "imported as configured, and planned" 120 cli.gguf 'm["phase"], m["origin"]' "('planned', 'header')"
succeeds "tiers" tier list --json
json_is "the budget is set" '[t["budget"] for t in d if t["tier"] == "dram"]' "[$((16 * mib))]"

# Reload: a bad file keeps the old configuration.
cp "$dir/itmed.toml" "$dir/good.toml"
echo 'wrong' >>"$dir/itmed.toml"
refuses "reload of a bad file" 1 "itmed.toml:" status --reload
kill -HUP "$daemon"
sleep 1
becomes "SIGHUP with a bad file changes nothing" 10 cli.gguf 'm["phase"]' planned
{
	cat "$dir/good.toml"
	printf '[[rule]]\npath = "*/cli.gguf"\nplan = "none"\n'
} >"$dir/itmed.toml"
kill -HUP "$daemon"
becomes "reload: a rule that says none" 60 cli.gguf 'm["phase"], m["plan"]' "('off', None)"
cp "$dir/good.toml" "$dir/itmed.toml"
succeeds "reload by command" status --reload
becomes "reload: planned again" 60 cli.gguf 'm["phase"]' planned

# Another file takes the place of the model.
size=$(stat -c %s "$lower_model")
check "another model" make_gguf "$lower/cli.next" --layers 6 --embd 256 --ff 512 --heads 8
mv "$lower/cli.next" "$lower_model"
becomes "a file that is replaced is imported anew" 60 cli.gguf "m['size'] > $size, m['phase']" "(True, 'planned')"
check "its content is the new one" cmp "$lower_model" "$dir/mnt/cli.gguf"

# A file that is no model, and one whose header lies.
head -c $mib /dev/urandom >"$lower/cli.noise"
{
	printf 'GGUF\3\0\0\0'
	printf '\377%.0s' {1..16}
	head -c $mib /dev/zero
} >"$lower/cli.liar"
sync
"$itmectl" import "$lower/cli.noise" "$lower/cli.liar" --chunk 64K >/dev/null
becomes "no model: it is to be learned" 60 cli.noise 'm["phase"], m["note"] != ""' "('learning', True)"
becomes "a header that lies: it is to be learned" 60 cli.liar 'm["phase"], m["note"] != ""' "('learning', True)"
is "and itmed is well" "$(kill -0 "$daemon" && echo yes)" yes

# It is used in another order than its header says: that one is learned, kept, and known to the next run.
cat >"$dir/shuffle.py" <<'PY'
import os, random, sys
f = os.open(sys.argv[1], os.O_RDONLY)
order = list(range(0, os.fstat(f).st_size, 64 << 10))
random.Random(1).shuffle(order)
while True:
    for at in order:
        os.pread(f, 64 << 10, at)
PY
check "a smaller budget" "$itmectl" tier set dram 8M
sed -i 's/budget = "16M"/budget = "8M"/' "$dir/itmed.toml"
check "a model of 18 MiB" make_gguf "$lower/cli.big" --layers 24 --embd 256 --ff 512 --heads 8
"$itmectl" import "$lower/cli.big" --chunk 64K >/dev/null
becomes "planned by its header" 120 cli.big 'm["phase"], m["origin"]' "('planned', 'header')"
python3 "$dir/shuffle.py" "$dir/mnt/cli.big" &
reader=$!
becomes "another order is learned and kept" 240 cli.big 'm["phase"], m["origin"]' "('planned', 'learned')"
kill "$reader"
wait "$reader" 2>/dev/null
stop_itmed
is "it ends" "$?" 0
daemon=
"$itmectl" remove cli.big
"$itmectl" import "$lower/cli.big" --chunk 64K >/dev/null
start_itmed || fail "start again"
becomes "the next run knows it" 60 cli.big 'm["phase"], m["origin"]' "('planned', 'learned')"

# The mount goes and comes.
# A look of the daemon keeps it busy for a moment.
check "unmount" wait_until 20 umount "$dir/mnt"
# Called by wait_until.
# shellcheck disable=SC2317
waits() {
	"$itmectl" status 2>&1 | grep -q "waits for an itmefs"
}
check "unmounted: it waits" wait_until 60 waits
mount_itme dram=24M || fail "mount again"
becomes "mounted: the configured model is imported again" 120 cli.gguf 'm["phase"]' planned
stop_itmed
is "it ends again" "$?" 0
daemon=
finished
