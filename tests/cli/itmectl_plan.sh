#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# plan: set, load, save, show, list, step, learn, delete; what the module makes of them, and what is refused.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

refuses "no mount: says how to mount" 1 "mount -t itmefs -o dram=SIZE" plan list
mount_itme dram=24M,cxl=8M || fail "mount"
succeeds "no plans" plan list --json
json_is "an empty array" d "[]"
model a 5
ctl import "$model" --chunk 64K
a=$model
model b 1
ctl import "$model" --name "b b" --chunk 64K

# plan TEXT: into a file of its own, $plan.
plan() {
	plan=$dir/plan.json
	printf '%s' "$1" >"$plan"
}

# Whole files.
succeeds "set --cyclic" plan set --cyclic cli.a "b b" --stage 2M --name whole
id=$out
check "set: prints the number" grep -qx '[0-9][0-9]*' "$dir/out"
succeeds "list" plan list
is "list: headings" "$(head -1 <<<"$out" | tr -s ' ')" \
	"ID NAME LEARNED-FROM CYCLIC STAGES SIZE DRAM CXL AT PASSES JUMPS CYCLE CURSORS"
succeeds "list --json" plan list --json
json_is "list: what it is" '[(p["id"], p["name"], p["pid"], p["cyclic"], p["stages"], p["length"], p["bytes"]) for p in d]' \
	"[($id, 'whole', None, True, 4, 96, $((6 * mib)))]"
succeeds "show --json" plan show whole --json
json_is "show: ranges" '[[(r["file"], r["offset"], r["length"]) for r in s["ranges"]] for s in d["stage_list"]]' \
	"[[('cli.a', 0, $((2 * mib)))], [('cli.a', $((2 * mib)), $((2 * mib)))], [('cli.a', $((4 * mib)), $mib)], [('b b', 0, $mib)]]"
json_is "show: where they lie" '[s["dram"] + s["cxl"] + s["nvme"] - s["bytes"] for s in d["stage_list"]]' "[0, 0, 0, 0]"
succeeds "show of columns" plan show "$id" -n -b -o stage,files,bytes
is "show: those columns" "$out" "0 cli.a 2097152
1 cli.a 2097152
2 cli.a 1048576
3 b b   1048576"
succeeds "show" plan show "$id"
is "show: the stages" "$(grep -c '^ *[0-3] ' <<<"$out")" 4

# Followed by what is read, and by steps.
check "read it" cmp "$a" "$dir/mnt/cli.a"
check "read it all" cmp "$model" "$dir/mnt/b b"
check "read it again" cmp "$a" "$dir/mnt/cli.a"
succeeds "list after a pass" plan list --json
json_is "one pass" 'd[0]["passes"] >= 1' True
succeeds "step" plan step whole 2
is "step: silent" "$out" ""
succeeds "show after a step" plan show whole --json
json_is "step: entered last" 'd["at"]' 2
json_is "step: a cursor there" 'd["stage_list"][2]["cursors"]' 1
json_is "step: the cursor" '[c["stage"] for c in d["cursors"] if c["stage"] == 2]' "[2]"
refuses "step to no stage" 1 "has no stage 9" plan step whole 9
refuses "step of no plan" 1 "there is no plan 'none'" plan step none 0
refuses "step of no number" 2 "STAGE" plan step whole second

# Files with plans.
plan '{"name": "file", "cyclic": false, "lookahead": "1MiB", "budget": 8388608, "stages": [
	[{"file": "cli.a", "offset": "64K", "length": "128K"}, {"file": "b b"}], [], [{"file": "cli.a", "length": 65536}]]}'
succeeds "set FILE" plan set "$plan" --json
json_is "set: name" 'd["name"]' file
file=$(json 'd["id"]')
succeeds "save" plan save "$file"
cp "$dir/out" "$dir/saved.json"
json_is "save: what was set" '(d["name"], d["cyclic"], d["lookahead"], d["budget"], len(d["stages"][0]), d["stages"][1])' \
	"('file', False, 1048576, 8388608, 2, [])"
json_is "save: to the end is a length" 'd["stages"][0][1]["length"]' $mib
succeeds "save to a file" plan save file "$dir/again.json"
check "save: the same" cmp "$dir/saved.json" "$dir/again.json"
refuses "save to nowhere" 1 "No such file" plan save file "$dir/none/x"
refuses "save to a full disk" 1 "No space" plan save file /dev/full
succeeds "delete" plan delete file --json
json_is "delete: which" '[(p["id"], p["name"]) for p in d]' "[($file, 'file')]"
succeeds "load" plan load "$dir/saved.json"
loaded=$out
succeeds "load again" plan load "$dir/saved.json"
is "load: in its place" "$out" "$loaded"
succeeds "save what was loaded" plan save file
check "load: the same plan" cmp "$dir/out" "$dir/saved.json"
out=$("$itmectl" plan set - --id "$loaded" --name other <"$dir/saved.json")
is "set -: of stdin, in place of another" "$out" "$loaded"
succeeds "list of both" plan list --json
json_is "two plans" '[(p["id"], p["name"]) for p in d]' "[($id, 'whole'), ($loaded, 'other')]"
succeeds "set another of a name that there is" plan set "$plan" --name whole
second=$out
refuses "a name of two" 1 "several plans are called 'whole'" plan show whole
refuses "load over a name of two" 1 "several plans" plan load <(sed 's/"file",/"whole",/' "$plan")
succeeds "delete by number" plan delete "$second"

# One that takes many messages, and stages that take more than an attribute.
python3 - >"$dir/large.json" <<'PY'
import json
print(json.dumps({"name": "large", "stages": [
    [{"file": "cli.a", "offset": (i * 7 + j * 3) % 79 * 65536, "length": 65536} for j in range(3000)] for i in range(8)]}))
PY
succeeds "a large plan" plan load "$dir/large.json"
succeeds "save it" plan save large "$dir/large.saved"
is "all of it" "$(python3 - "$dir/large.json" "$dir/large.saved" <<'PY'
import json, sys
def uses(name):
    chunks = []
    for i, stage in enumerate(json.load(open(name))["stages"]):
        for r in stage:
            chunks += [(i, r["offset"] + at) for at in range(0, r["length"], 65536)]
    return chunks
a, b = (uses(n) for n in sys.argv[1:])
print(len(a), a == b)
PY
)" "24000 True"
succeeds "delete it" plan delete large

# Triggers.
plan '{"name": "moe", "triggers": [{"source": {"file": "cli.a", "length": "4K"},
	"targets": [{"file": "cli.a", "offset": "1M", "length": "64K"}, {"file": "b b", "length": "128K"}]}]}'
succeeds "triggers alone are a plan" plan load "$plan"
succeeds "list of triggers" plan list -J
json_is "triggers and targets" '[(p["triggers"], p["targets"]) for p in d if p["name"] == "moe"]' "[(1, 2)]"
succeeds "save triggers" plan save moe
json_is "save: triggers" '[(t["source"]["length"], [(r["file"], r["offset"]) for r in t["targets"]]) for t in d["triggers"]]' \
	"[(4096, [('cli.a', $mib), ('b b', 0)])]"
succeeds "delete triggers" plan delete moe

# What is wrong with a file is told by place.
refused_plan() {
	plan "$2"
	refuses "$1" 1 "$3" plan set "$plan"
}
refused_plan "no JSON" '{"stages": [' "parse error at line 1, column 13"
refused_plan "nothing" '' "parse error"
refused_plan "not UTF-8" $'{"name": "\xff"}' "parse error"
refused_plan "deep" "$(printf '[%.0s' {1..5000})" "more than 8 levels"
refused_plan "twice" '{"cyclic": true, "cyclic": false}' "'cyclic' is given twice"
refused_plan "no object" '[]' "the plan is not an object"
refused_plan "no stages" '{"name": "x"}' "neither stages nor triggers"
refused_plan "empty stages" '{"stages": [[], []]}' "neither stages nor triggers"
refused_plan "misspelt" '{"stage": []}' "no key 'stage'; there are name, cyclic"
refused_plan "a wrong type" '{"stages": [{"file": "cli.a"}]}' "stages[0] is not an array"
refused_plan "a negative offset" '{"stages": [[{"file": "cli.a", "offset": -1}]]}' "stages[0][0]: 'offset' is not a size"
refused_plan "a huge length" '{"stages": [[{"file": "cli.a", "length": 18446744073709551615}]]}' \
	"stages[0][0]: ends after the end of cli.a (5M)"
refused_plan "a length that is no number" '{"stages": [[{"file": "cli.a", "length": 1e99}]]}' "'length' is not a size"
refused_plan "an empty range" '{"stages": [[{"file": "cli.a", "length": 0}]]}' "the range is empty"
refused_plan "past the end" '{"stages": [[], [{"file": "b b"}, {"file": "b b", "offset": "1M"}]]}' "stages[1][1]: ends after the end"
refused_plan "no such file" '{"stages": [[{"file": "none"}]]}' "none: no such file"
refused_plan "a path" '{"stages": [[{"file": "/etc/passwd"}]]}' "no such file"
refused_plan "a long name" "{\"name\": \"$(printf 'n%.0s' {1..64})\", \"stages\": [[{\"file\": \"cli.a\"}]]}" "longer than 63"
refuses "no such plan file" 1 "No such file" plan load "$dir/none"
refuses "a directory as a plan" 1 "directory" plan load "$dir"
refuses "two plan files" 2 "give one file" plan set "$plan" "$plan"
refuses "small stages" 1 "too small" plan set --once cli.a --stage 1
refuses "stages of nothing" 1 "too small" plan set --once cli.a --stage 0
refuses "too many stages" 1 "more than 65536" plan set --once cli.a --stage 64
refuses "both" 2 "excludes" plan set --once --cyclic cli.a
refuses "a stage that is no size" 2 "not a size" plan set --once cli.a --stage x
refuses "in place of nothing" 1 "there is no plan 4000" plan set --once cli.a --id 4000
refuses "delete nothing" 1 "there is no plan 'none'" plan delete none
refuses "an unknown verb" 2 "subcommand" plan bogus
refuses "no verb" 2 "subcommand" plan

# Names that are hostile to terminals and to JSON.
ctl remove "b b"
ctl import "$lower/cli.b" --name $'\e[31mred'
succeeds "a plan of a hostile name" plan set --once $'\e[31mred' --name $'x\e[2J'
succeeds "show it" plan show "$out" -n -o files
is "escaped" "$(grep -c $'\e' <<<"$out")" 0
succeeds "a file that is removed" plan show whole -n -o files,nvme
is "removed: its place is not known" "$(tail -1 <<<"$out" | tr -s ' ')" "(gone) -"
ctl plan save whole
is "save without it: warns" "$status:${err##*itmectl: }" "0:1 ranges are left out: their files are removed"

# As nobody: reading is open, changes are not.
cp "$itmectl" "$dir/itmectl" 2>/dev/null
chmod 755 "$dir" "$dir/itmectl"
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/itmectl" "$@" >"$dir/nobody" 2>&1
}
check "list as nobody" as_nobody plan list
check "show as nobody" as_nobody plan show whole
check "save as nobody" as_nobody plan save whole
for verb in "set --once cli.a" "delete whole" "step whole 0"; do
	# shellcheck disable=SC2086 # words
	as_nobody plan $verb
	is "plan ${verb%% *} as nobody" "$?:$(grep -c 'CAP_SYS_ADMIN; run it as root' "$dir/nobody")" 1:1
done
finished
