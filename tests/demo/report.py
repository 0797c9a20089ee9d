#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads what the guest measured, prints the table and the picture of `make demo`; fails if tokens differ."""

import argparse
import json
import os
import statistics
import sys
import textwrap

sys.dont_write_bytecode = True
import gguf  # noqa: E402

MIB = 1 << 20
MB = 1e6
TIERS = ("dram", "cxl", "nvme")
TITLES = {"stock": "stock Linux", "itme": "ITME", "dram": "all in DRAM"}
COLOURS = {"dram": "32", "cxl": "36", "nvme": "90"}
BAR = 18
COLUMN = 13


class Run:
    """One decoding: decode.mjs's own figures, and the snapshots at its start and end."""

    def __init__(self, results, name, model):
        self.base = os.path.join(results, name)
        self.name = name
        for key, value in self.json(".json").items():
            setattr(self, key, value)
        self.ranges = self.resident(model)

    def text(self, suffix):
        with open(self.base + suffix) as f:
            return f.read()

    def json(self, suffix):
        return json.loads(self.text(suffix))

    def grown(self, what, key):
        return self.json(f".end.{what}.json")[key] - self.json(f".start.{what}.json")[key]

    def per_token(self, value):
        return value / self.decode_tokens

    def seconds(self):
        return self.per_token(self.decode_s)

    def resident(self, model):
        """[(tier, offset, length), ...] of what is in memory at the end."""
        where = self.json(".residency.json")
        if self.name != "itme":
            return [("dram", *r) for r in where["resident"]]
        size = where["chunk_size"]
        runs = [(r["tier"], r["chunk"] * size, r["count"] * size) for r in where["map"]]
        return [(t, o, min(n, model.size - o)) for t, o, n in runs if t in ("dram", "cxl")]

    def lies(self, offset, length):
        """Bytes of a part of the model on each tier."""
        found = dict.fromkeys(TIERS, 0)
        for tier, start, size in self.ranges:
            found[tier] += max(0, min(offset + length, start + size) - max(offset, start))
        found["nvme"] = length - found["dram"] - found["cxl"]
        return found

    def stall(self):
        """Seconds a token that threads spent in faults for the model's data, summed over threads."""
        if self.name == "itme":
            return self.per_token(self.grown("stats", "stall_ns") / 1e9)
        return self.per_token(self.grown("faults", "us") / 1e6)


def cpu(run, key):
    """Seconds a token, summed over threads; of the run's control group, so without the kernel's workers."""
    def at(when):
        return int(dict(line.split() for line in run.text(f".{when}.cpu.stat").splitlines())[key])
    return run.per_token((at("end") - at("start")) / 1e6)


def compare(run, reference):
    if run is reference:
        return str(len(run.tokens))
    same = sum(a == b for a, b in zip(run.tokens, reference.tokens))
    return "equal" if run.tokens == reference.tokens else f"DIFFER, {same} same"


def table(runs, model, opt, limit):
    reference = runs["dram"]
    order = ("stock", "itme", "dram")
    rows = []

    def row(title, value):
        rows.append((title, [value(runs[name]) for name in order]))

    total = {name: run.lies(0, model.size) for name, run in runs.items()}
    row("tokens, greedy", lambda r: compare(r, reference))
    row("tokens/s", lambda r: f"{1 / r.seconds():.2f}")
    row("  of all in DRAM", lambda r: f"{100 * reference.seconds() / r.seconds():.0f} %")
    # In some of the tokens the interpreter around llama.cpp has something of its own to do.
    middle = {name: statistics.median(run.token_s) for name, run in runs.items()}
    row("  the median token", lambda r: f"{100 * middle['dram'] / middle[r.name]:.0f} %")
    row("read from NVMe, MB/token", lambda r: f"{r.per_token(r.disk_bytes) / MB:.1f}")
    # Belady's MIN over a scan that repeats: what fits stays, the rest is read each time.
    least = {"dram": 0, "stock": 0, "itme": max(model.scanned() - opt.dram - opt.cxl, 0)}
    if any(least.values()):
        row("  of what MIN reads", lambda r: f"{100 * r.per_token(r.disk_bytes) / least[r.name]:.1f} %"
            if least[r.name] else "-")
    row("fault stall, thread-s/token", lambda r: f"{r.stall():.2f}")
    row("behind all in DRAM, s/token", lambda r: f"{r.seconds() - reference.seconds():.2f}")
    row("CPU in user space, s/token", lambda r: f"{cpu(r, 'user_usec'):.2f}")
    row("CPU in the kernel, s/token", lambda r: f"{cpu(r, 'system_usec'):.2f}")
    for tier in TIERS:
        row(f"model on {tier.upper() if tier != 'nvme' else 'NVMe alone'}, MB",
            lambda r, t=tier: f"{total[r.name][t] / MB:.1f}")
    row("DRAM at most, all in all, MiB",
        lambda r: "no limit" if r is reference else f"{limit['limit'] // MIB}")

    width = max(len(title) for title, _ in rows)
    print(f"\n{'':{width}}" + "".join(f"{TITLES[name]:>{COLUMN}}" for name in order))
    for title, values in rows:
        print(f"{title:{width}}" + "".join(f"{v:>{COLUMN}}" for v in values))
    return {title.strip(): dict(zip(order, values)) for title, values in rows}


def notes(runs, model, opt, limit):
    dram, host = runs["dram"], opt.host
    consumed = model.size / dram.seconds()
    reads = runs["itme"].per_token(runs["itme"].disk_bytes)
    # The fastest token of each: the rest says how busy this machine was.
    slower = min(dram.token_s) / min(host["token_s"])
    clock = f"the emulated CPU decodes {slower:.0f} times slower than this machine's"
    if opt.counted:
        clock = ("one instruction of the one CPU takes a nanosecond, whatever this machine does besides, and the drive's "
                 "DMA no CPU")
    for text in (
        f"Model: {model.size / MB:.0f} MB, F16, {model.layers} layers. {dram.decode_tokens} tokens measured after "
        f"{dram.warm}, on {dram.threads} threads.",
        f"Memory: {limit['own'] // MIB} MiB for what llama.cpp needs beside the model, and {opt.dram // MIB} MiB for the "
        "model, as page cache (cgroup memory.max) or as ITME's DRAM budget; what llama.cpp leaves of the first, stock Linux "
        "has as page cache too. "
        f"ITME has {opt.cxl // MIB} MiB of CXL memory besides; stock Linux puts page cache there only when DRAM is full, "
        "so it is kept on DRAM (cpuset.mems). "
        f"Read-ahead of the stock run: {opt.readahead} KiB" + ("." if opt.counted else ", the best of those tried."),
        f"Scale: {clock}. The drive is throttled to "
        f"{opt.bps / MB:.0f} MB/s; decoding in DRAM consumes {consumed / MB:.0f} MB/s, {consumed / opt.bps:.1f} times that "
        "(for a PCIe 5 drive beside two channels of DDR5: about 5 times). What ITME reads takes the drive "
        f"{reads / opt.bps:.2f} s a token, decoding in DRAM {dram.seconds():.2f} s. "
        + ("Each load from emulated CXL memory is trapped, so CXL looks slower than it is. " if opt.cxl else "")
        + "Compare the columns; the times themselves mean nothing.",
        "Fault stall: what threads lost in faults, summed. Stock: time within filemap_fault(), which reads in and waits, "
        "and makes room first; ITME: waits for a fill, by its own count.",
    ):
        print("\n" + textwrap.fill(text, 80, subsequent_indent="  "))


def bar(found, colour):
    """A bar split by tier, to the nearest of its columns, and never hiding a tier that is there."""
    total = sum(found.values())
    columns = {t: max(round(BAR * n / total), 1 if n else 0) for t, n in found.items()}
    columns[max(columns, key=columns.get)] += BAR - sum(columns.values())
    mark = dict(zip(TIERS, "█▒·" if (sys.stdout.encoding or "").lower() == "utf-8" else "#=."))
    text = ""
    for tier in TIERS:
        part = mark[tier] * columns[tier]
        text += f"\033[{COLOURS[tier]}m{part}\033[0m" if colour and part else part
    return text


def picture(runs, model, colour):
    names = ("stock", "itme")
    legend = {"dram": BAR, "cxl": 0, "nvme": 0}
    sample = {t: bar({**dict.fromkeys(legend, 0), t: 1}, False)[0] for t in TIERS}
    print("\nWhere each layer lies after the last token  (" + ", ".join(
        f"{sample[t]} {t.upper() if t != 'nvme' else 'NVMe alone'}" for t in TIERS) + ")")
    print(f"{'MB':10}" + "  ".join(f"{TITLES[n]:{BAR}}" + "".join(f"{t.upper():>5}" for t in TIERS) for n in names))
    for label, tensors in model.groups():
        line = f"{label:10}"
        for name in names:
            found = dict.fromkeys(TIERS, 0)
            for offset, length in tensors:
                for tier, n in runs[name].lies(offset, length).items():
                    found[tier] += n
            line += bar(found, colour) + "".join(f"{found[t] / MB:5.1f}" for t in TIERS) + "  "
        print(line.rstrip())


def main():
    p = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "results"):
        p.add_argument(f"--{name}", required=True)
    for name in ("bps", "dram", "cxl", "readahead"):
        p.add_argument(f"--{name}", type=int, required=True)
    p.add_argument("--counted", action="store_true")
    opt = p.parse_args()
    model = gguf.Model(opt.model)
    runs = {name: Run(opt.results, name, model) for name in TITLES}
    limit, opt.host = (json.load(open(os.path.join(opt.results, f))) for f in ("limit.json", "host.json"))
    summary = table(runs, model, opt, limit)
    notes(runs, model, opt, limit)
    picture(runs, model, sys.stdout.isatty() and os.environ.get("NO_COLOR", "") == "")
    with open(os.path.join(opt.results, "table.json"), "w") as f:
        json.dump(summary, f, indent=1)
    if any(run.tokens != runs["dram"].tokens for run in runs.values()):
        print("\ndemo: FAILED: the tokens differ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
