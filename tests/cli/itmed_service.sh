#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The units as they are installed, under a systemd of their own: mount, swap areas, the daemon in its sandbox; reload,
# a crash, a hang, and the end.
# Called by wait_until and a trap:
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"
# shellcheck source=tests/cli/itmed.sh
. "$(dirname "$0")/itmed.sh"

units=/etc/systemd/system
# That of the service: the daemon's own choice.
ITMED_SOCKET=/run/itme/itmed.sock
: >"$dir/itmed.log" # it is in the journal
systemd=

# What is left of it must not outlive the test: with its PID 1 all of the namespace goes.
end_systemd() {
	if [ -n "$systemd" ]; then
		[ "$lab_failed" = 0 ] || inside journalctl -o cat --no-pager -u 'itm*' -u mnt-itme.mount | sed 's/^/# /'
		kill -9 "$systemd"
	fi
	clean_up_itmed
}
trap end_systemd EXIT

# inside COMMAND...: where the services run.
inside() {
	nsenter -t "$systemd" -m -p "$@"
}
ctl_inside() {
	inside "$itmectl" "$@"
}
state_of() {
	inside systemctl is-active "$1"
}
has_state() {
	[ "$(state_of "$1")" = "$2" ]
}
show() {
	inside systemctl show --value -p "$2" "$1"
}
said() {
	inside journalctl -o cat --no-pager -u itmed.service 2>/dev/null | grep -q "$1"
}
# planned MODEL
planned() {
	ctl_inside status --json 2>/dev/null | tr -d ' \n' | grep -o "{[^{}]*\"model\":\"$1\"[^{}]*}" |
		grep -q '"phase":"planned"'
}

check "installed" cmake --install "$build" --prefix /usr/local
mkdir -p "$units" /etc/itme
sed 's/^Options=.*/Options=dram=64M/' "$top/tools/systemd/mnt-itme.mount" >"$units/mnt-itme.mount"
for unit in itmed.service itme-swap.service itme-tier.service; do
	check "systemd takes $unit" systemd-analyze verify --man=no "/usr/local/lib/systemd/system/$unit"
done
# What a boot does, and nobody here needs: the guest's hardware is there already, and all of its files are a network
# away.
for unit in systemd-{udevd,udev-trigger,modules-load,binfmt,sysusers,tmpfiles-setup,tmpfiles-setup-dev,journal-flush}.service \
	proc-sys-fs-binfmt_misc.automount; do
	ln -sf /dev/null "$units/$unit"
done
mkdir -p "$units/itmed.service.d"
printf '[Service]\nWatchdogSec=20\nTimeoutAbortSec=1\nRestartSec=1\n' >"$units/itmed.service.d/test.conf"
# So that what it opens the areas through goes with it.
mkdir -p "$units/itme-swap.service.d"
printf '[Service]\nPrivateMounts=yes\n' >"$units/itme-swap.service.d/test.conf"
cat >"$units/lab.target" <<-UNIT
	[Unit]
	Requires=mnt-itme.mount
	Wants=itmed.service itme-swap.service
	After=mnt-itme.mount itmed.service itme-swap.service
	AllowIsolate=yes
UNIT
for name in a b; do
	make_gguf "$lower/cli.$name.gguf" --layers 4 --embd 256 --ff 512 --heads 4 || fail "a model"
done
head -c 64M /dev/zero >"$lower/cli.swap"
chmod 600 "$lower/cli.swap"
check "a swap file" mkswap "$lower/cli.swap"
cat >/etc/itme/itmed.toml <<-TOML
	[watch]
	interval = "1s"
	[[model]]
	path = "$lower/cli.a.gguf"
	[[swap]]
	path = "$lower/cli.swap"
TOML

# A PID namespace of its own: PID 1 of the guest is the lab's.
env -i PATH="$PATH" container=lab unshare --fork --kill-child --pid --mount --mount-proc \
	sh -c 'mount --make-rshared / && exec /lib/systemd/systemd --system --unit=lab.target --log-target=journal' \
	>"$dir/systemd.log" 2>&1 &
starter=$!
has_begun() {
	systemd=$(pgrep -P "$starter") && [ -n "$systemd" ] && [ "$(state_of lab.target 2>/dev/null)" = active ]
}
if ! wait_until 240 has_begun; then
	fail "systemd starts them" "$(inside systemctl --no-pager list-units --failed 2>&1; inside journalctl --no-pager -n 40 _TRANSPORT=stdout _TRANSPORT=journal _TRANSPORT=syslog 2>&1)"
	exit 1
fi
pass "systemd starts them"
is "the daemon has said that it is ready" "$(state_of itmed.service) $(show itmed.service NotifyAccess)" "active main"
is "its areas are in use" "$(ctl_inside swap list --json | grep -c cli.swap)" 1
check "a model is imported and planned" wait_until 120 planned cli.a.gguf
check "the journal has it" wait_until 20 said 'cli.a.gguf: plan [0-9]* from its header'
pid=$(show itmed.service MainPID)
# shellcheck disable=SC2016
is "without new privileges, with few capabilities" \
	"$(inside awk '/^(CapBnd|NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$pid/status" | tr '\n' ' ')" "00000000002010e5 1 2 "

cat >>/etc/itme/itmed.toml <<-TOML
	[[model]]
	path = "$lower/cli.b.gguf"
TOML
check "reload" inside systemctl reload itmed.service
check "what is new there is imported and planned" wait_until 120 planned cli.b.gguf
is "the daemon is the same" "$(show itmed.service MainPID)" "$pid"
echo 'nonsense' >>/etc/itme/itmed.toml
inside systemctl reload itmed.service
check "a config that is wrong is said to be" wait_until 20 said 'the config stays as it was'
sed -i '$d' /etc/itme/itmed.toml

# restarted HOW: a new one runs.
restarted() {
	local now

	now=$(show itmed.service MainPID)
	[ "$now" != 0 ] && [ "$now" != "$pid" ] && has_state itmed.service active
}
ids() {
	ctl_inside plan list --json | grep -oE '"id": *[0-9]+'
}
paths() {
	ctl_inside "$@" --json | sed -n 's/.*"path": *"\([^"]*\)".*/\1/p' | sort | tr '\n' ' '
}
before=$(ids)
is "each has one" "$(wc -l <<<"$before")" 2
inside kill -9 "$pid"
check "killed, it comes again" wait_until 60 restarted
check "and has its plans still" wait_until 60 planned cli.b.gguf
is "which are those that were" "$(ids)" "$before"
# Those were opened through mounts of namespaces that have gone with their processes.
is "the path of a model is what it was" "$(paths list)" "$lower/cli.a.gguf $lower/cli.b.gguf "
is "and that of an area" "$(paths swap list)" "$lower/cli.swap "
pid=$(show itmed.service MainPID)
inside kill -STOP "$pid"
check "hung, it is replaced by the watchdog" wait_until 120 restarted

cp "$lower/cli.b.gguf" "$lower/cli.next" && echo >>"$lower/cli.next" && mv "$lower/cli.next" "$lower/cli.b.gguf"
check "in its sandbox it can replace a file" wait_until 60 said 'cli.b.gguf: has been replaced'
check "and plans what is there now" wait_until 120 planned cli.b.gguf

# A look of the daemon keeps it busy for a moment.
check "the mount is stopped" wait_until 20 inside systemctl stop mnt-itme.mount
is "with its areas" "$(state_of itme-swap.service)" inactive
is "but not the daemon" "$(state_of itmed.service)" active
check "which waits for the next one" wait_until 60 said 'the itmefs is gone'
check "mounted again" inside systemctl start mnt-itme.mount
check "a model is planned at once" wait_until 120 planned cli.a.gguf
check "stopped" inside systemctl stop itmed.service
check "unmounted" inside systemctl stop mnt-itme.mount
is "no mount is left" "$(inside grep -c itmefs /proc/self/mounts)" 0
kill -9 "$systemd"
wait "$starter" 2>/dev/null
systemd=
finished
