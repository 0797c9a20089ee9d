#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# itmed --online and --offline with an emulated CXL device: regions, devices of device DAX, memory blocks.
# Called by wait_until:
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/../cli/cli.sh"

itmed=$(dirname "$(realpath "$itmectl")")/../itmed/itmed
region=region0
dax=dax0.0
node=/sys/devices/system/node/node1
drivers=/sys/bus/dax/drivers

config() {
	printf '[tier.cxl]\nonline = "%s"\n' "$1" >"$dir/itmed.toml"
}
daemon() {
	"$itmed" --config "$dir/itmed.toml" "$@" >"$dir/out" 2>&1
}
# states: each state and zone that a block of the node has, once.
states() {
	local block

	for block in "$node"/memory[0-9]*; do
		[ -e "$block" ] || continue
		echo "$(cat "$block/state") $(cat "$block/valid_zones")"
	done | sort -u | tr '\n' ';'
}
offline_blocks() {
	local block

	for block in "$node"/memory[0-9]*/state; do
		[ ! -e "$block" ] || [ "$(cat "$block")" = offline ] || echo offline >"$block" || return 1
	done
}
region_is() {
	[ "$([ -e /sys/bus/cxl/drivers/cxl_region/$region ] && echo enabled || echo disabled)" = "$1" ]
}
# driver_of: of the device.
driver_of() {
	basename "$(readlink -f /sys/bus/dax/devices/$dax/driver)"
}

# As the lab has brought it up: nothing to do, so nothing to undo.
config movable
check "online: what is online already" daemon --online
check "is said to be" grep -q "$dax: was online already (node 1)" "$dir/out"
before=$(states)
check "offline: nothing was done" daemon --offline
is "so nothing is undone" "$(states)" "$before"

# All of it down, as after a boot with memory that nobody onlines.
down() {
	wait_until 10 offline_blocks &&
		echo "$dax" >"$drivers/kmem/unbind" && echo "$region" >/sys/bus/cxl/drivers/cxl_region/unbind
}
check "taken down by hand" down
is "no memory is left on the node" "$(states)" ""
config no
check "online = no" daemon --online
is "does nothing" "$(states)" ""

config movable
check "online = movable" daemon --online
is "the region is enabled" "$(region_is enabled && echo so)" so
is "the memory is online, and can go again" "$(states)" "online Movable;"
check "the journal says what that means" grep -q "$dax: online as node 1, movable" "$dir/out"
check "once more" daemon --online
is "changes nothing" "$(states)" "online Movable;"

# What itmefs has there is read again from the drive, and nothing is lost.
model tier 24
check "mount" mount_itme dram=16M,cxl=16M
check "import" "$itmectl" import "$model"
sum=$(sha256sum <"$model")
for _ in 1 2 3; do
	is "reads" "$(sha256sum <"$dir/mnt/cli.tier")" "$sum"
done
succeeds "where it is" residency cli.tier --map --json
json_is "in part on CXL" 'any(r["tier"] == "cxl" for r in d["map"])' True
check "offline, in use" daemon --offline
is "no memory is left" "$(states)" ""
is "nor a region" "$(region_is disabled && echo so)" so
is "what was there is read again" "$(sha256sum <"$dir/mnt/cli.tier")" "$sum"
check "umount" umount "$dir/mnt"
check "offline again" daemon --offline

# A character device first.
as_devdax() {
	modprobe device_dax && echo $region >/sys/bus/cxl/drivers/cxl_region/bind &&
		wait_until 10 test -e /sys/bus/dax/devices/$dax &&
		{ [ "$(driver_of)" != kmem ] || { wait_until 10 offline_blocks && echo $dax >$drivers/kmem/unbind; }; } &&
		echo $dax >$drivers/device_dax/new_id
	[ "$(driver_of)" = device_dax ]
}
config movable
if as_devdax; then
	check "online: a character device" daemon --online
	is "becomes memory" "$(driver_of) $(states)" "kmem online Movable;"
	check "offline" daemon --offline
	is "and a character device again" "$(driver_of) $(states)" "device_dax "
	check "which is enabled as it was" region_is enabled
else
	fail "a character device"
fi
# Last, as it may stay.
config kernel
check "online = kernel" daemon --online
is "the memory is the kernel's" "$(states)" "online Normal;"
check "the journal says what that means, too" grep -q 'may never go offline again' "$dir/out"
if daemon --offline; then
	is "the memory went all the same" "$(states)" ""
else
	check "what does not go offline is said" grep -q "$dax: does not go offline" "$dir/out"
	check "and remembered" grep -q onlined /run/itme/online.json
fi
finished
