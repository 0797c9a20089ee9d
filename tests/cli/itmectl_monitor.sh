#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# monitor and top: what they say of what happens, as text and as JSON, to a pipe and to a terminal, and how they end.
set -u
# shellcheck source=tests/cli/cli.sh
. "$(dirname "$0")/cli.sh"

# begin_monitor ARGUMENT...: in the background, into $dir/events; $pid.
begin_monitor() {
	"$itmectl" monitor "$@" >"$dir/events" 2>"$dir/events.err" &
	pid=$!
	# It listens once it sleeps in poll.
	wait_until 20 grep -q poll "/proc/$pid/wchan"
}

# end_monitor SIGNAL: $status.
end_monitor() {
	kill -"$1" "$pid"
	wait "$pid"
	status=$?
}

# events EXPRESSION: over the JSON lines, called d.
events() {
	python3 -c 'import json, sys; d = [json.loads(l) for l in open(sys.argv[1])]; print(eval(sys.argv[2]))' "$dir/events" "$1" 2>&1
}

# heard TEXT: it comes soon.
# shellcheck disable=SC2317 # called by check
heard() {
	wait_until 20 grep -q -- "$1" "$dir/events"
}

# Also before there is a mount.
begin_monitor --json
mount_itme dram=16M || fail "mount"
model a 5
ctl import "$model" --chunk 64K
check "object-new" heard object-new
check "cmp" cmp "$model" "$dir/mnt/cli.a"
ctl plan set --cyclic cli.a --stage 1M --name decode
ctl plan step decode 3
check "stage" heard '"stage":3'
python3 -c 'import mmap, sys
f = open(sys.argv[1], "rb")
print(mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)[5])' "$dir/mnt/cli.a" >"$dir/byte"
check "object-mapped" heard object-mapped
ctl remove cli.a
check "object-gone" heard object-gone
end_monitor INT
is "SIGINT ends it well" "$status:$(cat "$dir/events.err")" 0:
is "object-new: what" "$(events '[(e["name"], e["bytes"]) for e in d if e["event"] == "object-new"]')" "[('cli.a', $((5 * mib)))]"
is "stage: what" "$(events '[(e["plan_name"], e["stage"]) for e in d if e["event"] == "stage"][-1]')" "('decode', 3)"
is "object-mapped: its name" "$(events '[e["name"] for e in d if e["event"] == "object-mapped"]')" "['cli.a']"
is "object-gone: its name" "$(events '[e["name"] for e in d if e["event"] == "object-gone"]')" "['cli.a']"
is "times do not fall" "$(events 'all(a["monotonic_ns"] <= b["monotonic_ns"] for a, b in zip(d, d[1:]))')" True
is "the clock is right" "$(events 'abs(d[0]["time_ns"] / 1e9 - '"$EPOCHSECONDS"') < 600')" True

# A filter, lines for people, a count.
begin_monitor --filter object-gone,object-new --count 2
ctl import "$model" --name $'\e[31mred'
check "an event as a line" heard object-new
is "its line" "$(grep -cE '^[0-9:]{8}\.[0-9]{3} object-new +.*red \([0-9]+\) 5M$' "$dir/events")" 1
is "escaped" "$(grep -c $'\e' "$dir/events")" 0
cat "$dir"/mnt/*red >/dev/null
ctl plan set --once $'\e[31mred'
ctl remove $'\e[31mred'
wait "$pid"
is "the count ends it" "$?:$(wc -l <"$dir/events")" 0:2
refuses "an event that is none" 2 "'bogus' is not an event; they are object-new" monitor --filter bogus

# Too many at once: what the module does not keep is counted, what the socket does not hold is told.
ctl import "$model" --chunk 64K
begin_monitor --json --filter pressure
kill -STOP "$pid"
python3 - "$dir/plan" <<'PY'
import json, sys
json.dump({"name": "fine", "stages": [[{"file": "cli.a", "offset": i % 80 * 65536, "length": 65536}] for i in range(80)]},
          open(sys.argv[1], "w"))
PY
ctl plan load "$dir/plan"
# Many more events than a socket holds.
for _ in {1..100}; do
	cat "$dir/mnt/cli.a" >/dev/null
done
kill -CONT "$pid"
sleep 1
end_monitor TERM
is "SIGTERM ends it well" "$status" 0
told=$(events 'len([e for e in d if e["event"] == "lost"])')
lost=$(events 'sum(e["count"] or 0 for e in d if e["event"] == "lost")')
if [ "$told" = 0 ]; then
	is "none lost, none told" "$(cat "$dir/events.err")" ""
else
	is "lost: told at the end" "$(sed 's/more than //' "$dir/events.err")" "itmectl: $lost events were lost"
fi

# A reader that goes.
timeout 60 "$itmectl" monitor | head -1 >"$dir/one" &
pid=$!
sleep 1
for stage in 1 2 3 4 5 6 7 8; do
	ctl plan step fine "$stage"
	sleep 0.2
done
wait "$pid"
is "each line at once, to a pipe" "$(wc -l <"$dir/one")" 1

# top.
cat "$dir/mnt/cli.a" >/dev/null &
succeeds "top -b" top -b -n 2 -d 0.2
is "top: two blocks" "$(grep -c '^itme ' <<<"$out")" 2
is "top: tiers" "$(grep -cE '^(dram|cxl) ' <<<"$out")" 4
is "top: the plan" "$(grep -cE ' fine +-' <<<"$out")" 2
is "top: no escape sequences" "$(grep -c $'\e' <<<"$out")" 0
succeeds "top --json" top -n 1 -d 0.2 --json
json_is "top: keys" 'sorted(d)' "['interval_ns', 'monotonic_ns', 'per_second', 'plans', 'tiers', 'total']"
json_is "top: a budget" '[t["budget"] for t in d["tiers"] if t["tier"] == "dram"]' "[$((16 * mib))]"
json_is "top: what was read" 'd["total"]["read_bytes"] >= 5 << 20' True
json_is "top: the plan's number of stages" 'd["plans"][0]["stages"]' 80
refuses "top: too often" 2 "range" top -d 0

# To a terminal: taken over and given back, whatever ends it.
cat >"$dir/terminal.py" <<'PY'
import os, pty, select, signal, sys, termios, time

def run(end):
    go, ready = os.pipe()
    pid, fd = pty.fork()
    if not pid:
        os.read(go, 1)
        os.execv(sys.argv[1], [sys.argv[1], "top", "-d", "0.2"])
    before = termios.tcgetattr(fd)
    os.write(ready, b"x")
    seen = b""
    def read(until, limit=20):
        nonlocal seen
        stop = time.monotonic() + limit
        while time.monotonic() < stop and not until():
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    seen += os.read(fd, 65536)
                except OSError:
                    return
    read(lambda: seen.count(b"\x1b[H") >= 3)
    raw = termios.tcgetattr(fd)
    end(pid, fd)
    read(lambda: b"\x1b[?1049l" in seen)
    status = os.waitpid(pid, 0)[1]      # it says that it goes before it sets the terminal back
    after = termios.tcgetattr(fd)
    print(seen.startswith(b"\x1b[?1049h"), b"dram" in seen, raw[3] & termios.ICANON == 0, after[3] == before[3],
          seen.endswith(b"\x1b[?1049l"), status)

run(lambda pid, fd: os.write(fd, b"q"))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    run(lambda pid, fd: os.kill(pid, number))

def stop_and_go(pid, fd):
    """Stopped, it has given the terminal back; continued, it takes it again."""
    os.kill(pid, signal.SIGTSTP)
    stopped = os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    text = os.read(fd, 65536)
    lent = termios.tcgetattr(fd)[3] & termios.ICANON
    os.kill(pid, signal.SIGCONT)
    while b"\x1b[?1049h" not in text:
        text += os.read(fd, 65536)
    again = termios.tcgetattr(fd)[3] & termios.ICANON
    print(stopped, lent != 0, again == 0)
    os.write(fd, b"q")

run(stop_and_go)
PY
python3 "$dir/terminal.py" "$itmectl" >"$dir/out" 2>&1
is "top on a terminal: q, SIGINT, SIGTERM, SIGHUP, q" "$(grep -c '^True True True True True 0$' "$dir/out")" 5
is "top on a terminal: SIGTSTP" "$(grep -v ' 0$' "$dir/out")" "True True True"

# The module goes meanwhile.
"$itmectl" top -b -d 0.2 >/dev/null 2>"$dir/top.err" &
top_pid=$!
begin_monitor
check "umount" umount "$dir/mnt"
wait "$top_pid"
is "top: the mount goes" "$?:$(grep -c 'no itmefs is mounted' "$dir/top.err")" 1:1
check "rmmod" wait_until 10 rmmod itme
wait "$pid"
is "monitor: the module goes" "$?:$(cat "$dir/events.err")" "1:itmectl: the itme module has been unloaded"
for verb in "plan list" monitor "top -b" "advise hot all --pid 1"; do
	# shellcheck disable=SC2086 # words
	refuses "$verb without the module" 1 "itme module is not loaded: modprobe itme" $verb
done
finished
