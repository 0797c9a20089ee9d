#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The netlink family with the kernel's own command-line client, by the spec alone: tools/net/ynl/cli.py.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

ksrc=$("$top/scripts/setup" --ksrc)
client=$ksrc/tools/net/ynl/cli.py
[ -e "$client" ] || fail "the kernel's client" "no $client: run scripts/setup"

# That the spec is a good one is checked once, as it takes its time.
schema=(--schema "$ksrc/Documentation/netlink/genetlink.yaml")

# ynl ARGUMENT...: as ctl.
ynl() {
	PYTHONDONTWRITEBYTECODE=1 python3 "$client" --spec "$top/Documentation/netlink/specs/itme.yaml" "${schema[@]}" \
		--output-json "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	out=$(cat "$dir/out")
	err=$(cat "$dir/err")
	schema=(--no-schema)
}

# asked NAME ARGUMENT...: exit 0 and nothing on stderr.
asked() {
	local name=$1

	shift
	ynl "$@"
	is "$name" "$status:${err//$'\n'/ }" "0:"
}

# refused NAME TEXT ARGUMENT...
refused() {
	local name=$1 text=$2

	shift 2
	ynl "$@"
	if [ "$status" != 0 ] && [[ $out$err == *"$text"* ]]; then
		pass "$name"
	else
		fail "$name" "$*: exit $status: ${out//$'\n'/ } ${err//$'\n'/ }"
	fi
}

refused "without a mount" "no itmefs is mounted" --do stats-get --json '{}'
mount_itme dram=32M || fail "mount"
model a 6
python3 - "$dir/mnt" "$model" <<'PY' || fail "import"
import fcntl, os, struct, sys, ctypes
root, lower = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_RDONLY)
name = ctypes.create_string_buffer(b"a")
arg = struct.pack("=iIIIQ3Q", lower, 0, 64 << 10, 1, ctypes.addressof(name), 0, 0, 0)
fcntl.ioctl(root, (3 << 30) | (len(arg) << 16) | (ord("I") << 8) | 0x43, bytearray(arg))
PY

asked "tier-get" --do tier-get --json '{"tier": "dram"}'
json_is "tier-get: budget" 'd["budget"]' $((32 * mib))
json_is "tier-get: node" '0 in d["node"] if isinstance(d["node"], list) else d["node"] == 0' True
asked "tier-get, both" --dump tier-get
json_is "tier-get, both: names" '[t["tier"] for t in d]' "['dram', 'cxl']"
asked "tier-set" --do tier-set --json '{"tier": "dram", "budget": 16777216}'
asked "tier-get after it" --do tier-get --json '{"tier": "dram"}'
json_is "tier-set: budget" 'd["budget"]' $((16 * mib))
refused "tier-set, too small" "below the minimum" --do tier-set --json '{"tier": "dram", "budget": 4096}'

asked "object-get" --do object-get --json '{"name": "a"}'
json_is "object-get: size" 'd["size"]' $((6 * mib))
json_is "object-get: where" 'd["nvme"]' $((6 * mib))
id=$(json 'd["id"]')
exec 3<"$dir/mnt/a"
asked "advise" --do advise --json "{\"object\": $id, \"advice\": \"willneed\"}"
json_is "advise: all of it" 'd["done"]' $((6 * mib))
check "the reader's data" cmp "$dir/mnt/a" "$model"
asked "object-get, all" --dump object-get
json_is "object-get, all: opens" '[o["opens"] for o in d if o["name"] == "a"]' "[1]"
json_is "object-get, all: dram" 'd[0]["dram"]' $((6 * mib))
exec 3<&-

asked "plan-set" --do plan-set --json "{\"name\": \"decode\", \"cyclic\": true, \"stage\": [
	{\"range\": [{\"object\": $id, \"offset\": 0, \"length\": 131072}]},
	{\"range\": [{\"object\": $id, \"offset\": 262144, \"length\": 65536}, {\"object\": $id, \"length\": 65536}]}]}"
plan=$(json 'd["id"]')
asked "plan-get" --do plan-get --json "{\"id\": $plan}"
json_is "plan-get: what it is" '(d["name"], d["stages"], d["length"], d["bytes"])' "('decode', 2, 4, 196608)"
asked "plan-get, all" --dump plan-get
json_is "plan-get, all: one" 'len(d)' 1
asked "plan-get, its stages" --dump plan-get --json "{\"id\": $plan}"
json_is "plan-get: the stages" '[(s["index"], [r["offset"] for r in s["range"]]) for m in d[1:] for s in m["stage"]]' \
	"[(0, [0]), (1, [262144, 0])]"
refused "plan-set, a wrong range" "stage 0, range 0: ends after the end of object" --do plan-set \
	--json "{\"stage\": [{\"range\": [{\"object\": $id, \"length\": $((7 * mib))}]}]}"

asked "config-set" --do config-set --json '{"stall-threshold": 1000000}'
asked "config-get" --do config-get --json '{}'
json_is "config-get: what was set" 'd["stall-threshold"]' 1000000

# The client takes its time to begin, and then listens for a while: steps of the plan until it has ended.
while [ ! -e "$dir/heard" ]; do
	PYTHONDONTWRITEBYTECODE=1 python3 "$client" --spec "$top/Documentation/netlink/specs/itme.yaml" --no-schema \
		--do plan-step --json "{\"id\": $plan, \"at\": 1}"
done >"$dir/steps" 2>&1 &
ynl --subscribe events --sleep 15
touch "$dir/heard"
wait
is "steps" "$(sort -u "$dir/steps")" None
check "an event is heard" grep -q stage-ntf "$dir/out"

asked "plan-del" --do plan-del --json "{\"id\": $plan}"
refused "plan-del again" "there is no plan $plan" --do plan-del --json "{\"id\": $plan}"
asked "stats-get" --do stats-get --json '{}'
json_is "stats-get: bytes" 'd["read-bytes"]' $((6 * mib))
json_is "stats-get: none lost" 'd["events-lost"]' 0
finished
