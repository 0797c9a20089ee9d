#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make bench-model`: a decode model against what else there is to run it with, where memory holds a part of it.

One guest of the `numa` profile in which one instruction is one nanosecond, and a drive that takes the time of one
(drive/mdrive.c): the figures repeat within 1 %, which a second guest checks with some of the rows. About 10
minutes.

For each figure that is wanted: what it is, the target, what was reached, and the rows it is made of. A target that is
not met says MISSED. Exit code 1 if a guest failed or did not repeat; with --strict also if a target was missed.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import model_figures  # noqa: E402
import model_header  # noqa: E402
import model_rows  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build/model")
LAB = os.path.join(TOP, "tests/lab/run")
ITMECTL = os.path.join(TOP, "build/tools/itmectl/itmectl")
ITMED = os.path.join(TOP, "build/tools/itmed/itmed")
HEADER = os.path.join(BUILD, "header.gguf")
# For the peers' processes themselves, page tables and all.
SPARE_KIB = 4096

NOTES = """\
{layers} layers of {layer_kib} KiB = {size} MiB, a load each 64 B; one vCPU, 1 instruction/ns, all that the kernel does is on
it too. Drive: 40 us, then {slow} or {fast} MB/s, moving no data (as DMA). io is a layer's time at the drive.
Memory: ITME's DRAM budget, ring included; the others a cgroup with as much, and 4 MiB for the process itself (ITME's
process and page tables are not counted); all in DRAM and double buffer (2 layers) are bounds, not limited. stall: over
the same pass all in DRAM. Steady: passes from the third on. MIN: Belady's, of all the budget."""


def build(opt):
    kdir = subprocess.run([LAB, "--print-kdir"], check=True, capture_output=True, text=True).stdout.strip()
    for target in (BUILD + "/itme-bench", BUILD + "/drive/model_drive.ko"):
        subprocess.run(["make", "-s", "-C", HERE, "OUT=" + BUILD, "KDIR=" + kdir, target], check=True)
    for path, target in ((opt.module, "lab-modules"), (ITMECTL, "tools"), (ITMED, "tools")):
        if not os.path.exists(path):
            raise SystemExit(f"model: {path} is not there: make {target}")
    with open(HEADER, "wb") as f:
        f.write(model_header.header(model_rows.LAYERS, model_rows.LAYER_KIB << 10))


def guest(opt, name, rows):
    """Boots a guest for these rows; what each pass measured, or None if it failed."""
    results = os.path.join(opt.results, name)
    shutil.rmtree(results, ignore_errors=True)
    os.makedirs(results)
    start = time.monotonic()
    print(f"model: {len(rows)} rows ({name}) ...", flush=True)
    env = {"BENCH_PROGRAM": BUILD + "/itme-bench", "MODEL_DRIVE": BUILD + "/drive/model_drive.ko",
           "MODEL_SIZE_KIB": model_rows.LAYERS * model_rows.LAYER_KIB, "MODEL_SPARE_KIB": SPARE_KIB,
           "MODEL_TRACE": "1" if opt.trace else "", "MODEL_ROWS": "\n".join(r.line() for r in rows),
           "ITME_KO": os.path.realpath(opt.module), "ITMECTL": ITMECTL, "ITMED": ITMED, "MODEL_HEADER": HEADER}
    lab = subprocess.Popen([LAB, "--profile", "numa", "--quiet", "--icount", "--smp", "1", "--dram", "2G", "--cxl",
                            "256M", "--results", results, "--timeout", str(opt.timeout),
                            *(f"--append={a}" for a in opt.append),
                            *(a for k, v in env.items() for a in ("--env", f"{k}={v}")),
                            "--", os.path.join(HERE, "model_guest")], stdin=subprocess.DEVNULL)
    try:
        code = lab.wait(opt.timeout + 60)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        if lab.poll() is None:      # SIGTERM: the lab then ends its guest
            lab.terminate()
            lab.wait(10)
    if code != 0:
        with open(os.path.join(results, "output.log"), errors="replace") as f:
            print("".join("    " + line for line in f.readlines()[-15:]), end="", file=sys.stderr)
        print(f"model: the guest failed; its results and console.log are in {results}", file=sys.stderr)
        return None
    print(f"model: done in {time.monotonic() - start:.0f} s", flush=True)
    with open(os.path.join(results, "figures.jsonl")) as f:
        return model_figures.Measured([json.loads(line) for line in f])


def measure(opt, rows):
    """What was measured, and what did not repeat."""
    first = guest(opt, "first", rows)
    if first is None or opt.once:
        return first, []
    again = [r for r in rows if r.again or opt.check]
    second = guest(opt, "second", again) if again else None
    if again and second is None:
        return None, []
    return first, list(model_figures.differing(first, second, [r.name for r in again])) if second else []


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--json", metavar="FILE", help="the figures and all passes as JSON too")
    p.add_argument("--strict", action="store_true", help="exit code 1 if a target was missed")
    p.add_argument("--once", action="store_true", help="no second guest")
    p.add_argument("--check", action="store_true", help="all rows in the second guest, not only some")
    p.add_argument("--rows", metavar="WORD", action="append", help="only rows whose name contains it, and their passes")
    p.add_argument("--trace", action="store_true", help="trace events too, one file a row in the results; it costs time")
    p.add_argument("--append", metavar="PARAM", action="append", default=[], help="more kernel parameters")
    p.add_argument("--results", metavar="DIR", default=BUILD + "/results")
    p.add_argument("--timeout", type=int, default=1500, help="of a guest, seconds (default %(default)s)")
    p.add_argument("--module", metavar="FILE", default=os.path.join(TOP, "kmod/itme.ko"),
                   help="another build of the module")
    opt = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = [r for r in model_rows.ROWS if not opt.rows or any(w in r.name for w in opt.rows)]
    if not rows:
        p.error("no such rows")
    build(opt)
    measured, differ = measure(opt, rows)
    if measured is None:
        return 1
    if opt.rows:
        print(measured.passes_table())
        return 0
    figures = model_figures.figures(measured)
    if opt.json:
        with open(opt.json, "w") as f:
            json.dump({"figures": [fig.as_dict() for fig in figures], "passes": measured.lines}, f, indent=2)
    for fig in figures:
        print(fig.text() + "\n")
    print(NOTES.format(layers=model_rows.LAYERS, layer_kib=model_rows.LAYER_KIB, size=model_rows.SIZE >> 20,
                       slow=model_rows.SLOW, fast=model_rows.FAST))
    for line in differ:
        print(f"model: did not repeat: {line}", file=sys.stderr)
    missed = [fig for fig in figures if not fig.met]
    print(f"{len(figures) - len(missed)} of {len(figures)} targets met")
    return 1 if differ or (opt.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
