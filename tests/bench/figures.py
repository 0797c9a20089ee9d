# SPDX-License-Identifier: GPL-2.0
"""From what the guests measured to the figures of the table."""

import json
import os
from dataclasses import asdict, dataclass
from statistics import median

MIB = 1 << 20


class Wrong(Exception):
    """The measurements are not there, or show that data was wrong."""


@dataclass
class Figure:
    what: str
    itme: float
    unit: str
    peer: float = None
    peer_name: str = ""
    ratio: float = None
    target: str = ""        # ">= 0.9" of the ratio, or of the ITME figure where there is no peer
    note: str = ""

    def met(self):
        if not self.target:
            return None
        sign, limit = self.target.split()
        value = self.itme if self.ratio is None else self.ratio
        return value >= float(limit) if sign == ">=" else value <= float(limit)

    def as_dict(self):
        return {**asdict(self), "met": self.met()}


class Measured:
    """The lines of a guest's figures.jsonl, by job."""

    def __init__(self, results):
        self.results = results
        with open(os.path.join(results, "figures.jsonl")) as f:
            self.lines = [json.loads(line) for line in f]
        self._check_sums()

    def jobs(self, name, **match):
        found = [d for d in self.lines if d["job"] == name and all(d.get(k) == v for k, v in match.items())]
        if not found:
            raise Wrong(f"nothing measured: {name}")
        return found

    def passes(self, name, warm_up=1):
        return [d for d in self.jobs(name) if d.get("pass", -1) >= warm_up]

    def best(self, name, key="ns", **match):
        return min(d[key] for d in self.jobs(name, **match) if key in d)

    def fio(self, name, rw="read"):
        """bytes/s"""
        with open(os.path.join(self.results, f"fio.{name}.json")) as f:
            return json.load(f)["jobs"][0][rw]["bw_bytes"]

    def _check_sums(self):
        """ext4 and itmefs must have shown a reader the same data, in every pass."""
        sums = {}
        for d in self.lines:
            if "sum" in d:
                sums.setdefault((d["job"].rsplit(".", 1)[0], d["bytes"]), set()).add(d["sum"])
        for (case, _), values in sums.items():
            if len(values) > 1:
                raise Wrong(f"{case}: sums of the data differ: {sorted(values)}")


def mean(values):
    values = list(values)
    if not values:
        raise Wrong("no pass measured")
    return sum(values) / len(values)


def ring(budget):
    """Bytes; as itme_policy_ring() in kmod/policy.c."""
    return min(max(budget / 4, 8 * MIB), 64 * MIB, budget / 2)


def optimum(size, dram, cxl=0):
    """Bytes a pass of a cyclic scan must read: what does not fit, plus one ring."""
    return size - dram - cxl + ring(dram)


def whole(mib):
    """A budget in bytes as the module takes it: whole chunks."""
    return mib // 2 * 2 * MIB


def stream(m):
    itme, ext4 = m.jobs("stream.itme", **{"pass": 0})[0], m.jobs("stream.ext4", **{"pass": 0})[0]
    speed = itme["bytes"] / itme["ns"] * 1e3
    fio = max(m.fio("before"), m.fio("after")) / 1e6
    smaps = next(d for d in m.jobs("stream.itme") if "rss" in d)
    if not smaps["aligned"] or not smaps["rss"]:
        raise Wrong("the mapping is not aligned or empty")
    yield Figure("streaming through mmap, cold", speed, "MB/s", fio, "fio", speed / fio, ">= 0.9")
    yield Figure("PMD mapping: FilePmdMapped, Rss", smaps["pmd"] / MIB, "MiB", smaps["rss"] / MIB, "Rss",
                 smaps["pmd"] / smaps["rss"], ">= 1")
    ext4_speed = ext4["bytes"] / ext4["ns"] * 1e3
    yield Figure("  the same from ext4's page cache", speed, "MB/s", ext4_speed, "ext4", speed / ext4_speed)


def time_figure(m, what, job, target="", unit="ms", warm_up=1):
    scale = {"ms": 1e6, "us": 1e3}[unit]
    itme, ext4 = (min(d["ns"] for d in m.passes(f"{job}.{peer}", warm_up)) / scale for peer in ("itme", "ext4"))
    return Figure(what, itme, unit, ext4, "ext4", itme / ext4, target)


def warm(m):
    yield time_figure(m, "reading through mmap, warm", "warm", "<= 1.02")
    yield time_figure(m, "  mapping it again, page by page", "map")
    fault = time_figure(m, "  one minor fault, 2 MiB apart", "fault", unit="us")
    faults = m.jobs("fault.itme")[0]["bytes"] / (2 * MIB)
    fault.itme /= faults
    fault.peer /= faults
    fault.note = "maps 2 MiB, ext4 64 KiB"
    yield fault


def cyclic(m, size_mib):
    size, dram = size_mib * MIB, whole(size_mib * 6 // 10)
    warm_ns = m.best("warm.itme") * size / m.jobs("warm.itme")[0]["bytes"]
    per_pass = {p: {k: mean(d[k] for d in m.passes(f"cyclic.{p}")) for k in ("disk", "ns")} for p in ("itme", "ext4")}
    itme, ext4, best = per_pass["itme"], per_pass["ext4"], optimum(size, dram)
    yield Figure("cyclic scan, 60 % fits: read a pass", itme["disk"] / MIB, "MiB", best / MIB, "optimum",
                 itme["disk"] / best, "<= 1.05")
    yield Figure("  the same in a cgroup of that size", itme["disk"] / MIB, "MiB", ext4["disk"] / MIB, "ext4",
                 itme["disk"] / ext4["disk"])
    yield Figure("  stall a pass", (itme["ns"] - warm_ns) / 1e6, "ms", (ext4["ns"] - warm_ns) / 1e6, "ext4",
                 (itme["ns"] - warm_ns) / (ext4["ns"] - warm_ns), note="over a pass with all in DRAM")
    yield Figure("  throughput", size / itme["ns"] * 1e3, "MB/s", size / ext4["ns"] * 1e3, "ext4",
                 ext4["ns"] / itme["ns"])


def decode(m):
    """The reader's own CPU time, from which all waiting is hidden at best, is the peer."""
    itme, ext4 = ({k: mean(d[k] for d in m.passes(f"decode.{p}")) for k in ("ns", "cpu_ns")}
                  for p in ("itme", "ext4"))
    yield Figure("the same, computing as long as reading", itme["ns"] / 1e6, "ms", itme["cpu_ns"] / 1e6, "compute",
                 itme["ns"] / itme["cpu_ns"], note="a pass; 1 is all I/O hidden")
    yield Figure("  in a cgroup of that size", itme["ns"] / 1e6, "ms", ext4["ns"] / 1e6, "ext4", itme["ns"] / ext4["ns"])


def tiers(m, size_mib):
    size, each = size_mib * MIB, whole(size_mib * 4 // 10)
    disk, ns = (mean(d[k] for d in m.passes("tiers.itme", 3)) for k in ("disk", "ns"))
    best = optimum(size, each, each)
    yield Figure("cyclic scan, 40 % DRAM + 40 % CXL", disk / MIB, "MiB", best / MIB, "optimum", disk / best)
    yield Figure("  throughput", size / ns * 1e3, "MB/s")


def random(m):
    disk, ns = ({p: mean(d[k] for d in m.passes(f"random.{p}")) for p in ("itme", "ext4")} for k in ("disk", "ns"))
    size = m.jobs("random.itme")[0]["bytes"]
    yield Figure("2 MiB pieces at random, 60 % fits", disk["itme"] / MIB, "MiB", disk["ext4"] / MIB, "ext4",
                 disk["itme"] / disk["ext4"])
    yield Figure("  throughput", size / ns["itme"] * 1e3, "MB/s", size / ns["ext4"] * 1e3, "ext4",
                 ns["ext4"] / ns["itme"])


def kv(m):
    """MB/s of what the program does, and of the drive where what it does is the drive's work."""
    def part(peer, name, **match):
        return m.jobs(f"kv.{peer}", part=name, **match)[-1]

    def speed(peer, name, what="bytes", **match):
        d = part(peer, name, **match)
        return d[what] / d["ns"] * 1e3

    swaps = ("swap0", "swap3", "swap5")
    best = max(swaps, key=lambda peer: speed(peer, "read"))
    itme = speed("itme", "read")
    bound, write = m.fio("kv.read") / 1e6, m.fio("kv.write", "write") / 1e6
    yield Figure("KV cache 4 x DRAM, read in order", itme, "MB/s", speed(best, "read"), "tmpfs on " + best,
                 itme / speed(best, "read"), ">= 5", "swapN: page-cluster N")
    mixed = speed("itme", "mixed")
    yield Figure("  while the next turn is appended", mixed, "MB/s", bound, "fio", mixed / bound, ">= 0.9")
    out = speed("itme", "append", "disk_written")
    yield Figure("  write-out while it is appended", out, "MB/s", write, "fio", out / write, ">= 0.9")
    for peer in (*swaps, "ext4"):
        for name, what in (("append", "append"), ("read", "read"), ("mixed", "read while appending")):
            yield Figure(f"  {what}, {peer}", speed("itme", name), "MB/s", speed(peer, name), peer,
                         speed("itme", name) / speed(peer, name))


def move_figure(m, what, to, peer, **more):
    """Median of the rounds' ratios: a move is set against the copy next to it, under the same load of the host."""
    rounds = list(zip(m.jobs("move", to=to), m.jobs(peer, to=to)))
    ratios = [copy["ns"] / move["ns"] for move, copy in rounds]
    speeds = [[d["bytes"] / d["ns"] * 1e3 for d in side] for side in zip(*rounds)]
    return Figure(what, median(speeds[0]), "MB/s", median(speeds[1]), "memcpy", median(ratios), **more)


def moves(m):
    huge = m.jobs("copy.huge")[0]
    if huge["huge"] < huge["bytes"]:
        raise Wrong("the memory of the copies is not in 2 MiB pages")
    yield move_figure(m, "move DRAM -> CXL node", "cxl", "copy.libc", target=">= 0.8")
    yield move_figure(m, "move CXL node -> DRAM", "dram", "copy.libc", target=">= 0.8")


def moves_counted(m):
    """By instructions: against the copy that has as many a byte as the kernel's."""
    yield move_figure(m, "move to CXL, by instructions", "cxl", "copy.words", note="one CPU; memcpy by 8 bytes")


def metadata(m):
    for job, what, target in (("meta.64G", "metadata per chunk", "<= 32"), ("meta.1T", "  of a file of 1 TiB", "")):
        yield Figure(what, min(d["bytes"] / d["chunks"] for d in m.jobs(job)), "B", target=target)


def figures(counted, timed, size_mib):
    """counted: of the guest whose clock counts instructions; timed: of the other."""
    return [*stream(counted), *warm(counted), *cyclic(counted, size_mib), *decode(counted), *tiers(counted, size_mib),
            *random(counted), *kv(counted), *moves(timed), *moves_counted(counted), *metadata(counted)]


def some(counted, size_mib, cases):
    """Rows of these cases alone."""
    rows = {"stream": stream, "warm": warm, "decode": decode, "random": random, "kv": kv, "meta": metadata,
            "move": moves_counted, "cyclic": lambda m: cyclic(m, size_mib), "tiers": lambda m: tiers(m, size_mib)}
    return [row for case in cases for row in rows[case](counted)]


def number(value, unit=""):
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {unit}".strip()


def row(f):
    if f.ratio is None:
        ratio = ""
    else:
        ratio = f"{f.ratio:.3f}" if f.ratio < 10 else f"{f.ratio:.0f}"
    met = f.met()
    peer = f"{number(f.peer, f.unit)} {f.peer_name}" if f.peer is not None else ""
    return (f.what, number(f.itme, f.unit), peer, ratio, f.target,
            "" if met is None else "yes" if met else "NO", f.note)


def table(rows):
    """Those with a target first."""
    head = ("what", "ITME", "peer", "ratio", "target", "met", "")
    parts = ([f for f in rows if f.target], [f for f in rows if not f.target])
    cells = [[row(f) for f in part] for part in parts]
    width = [max(len(r[i]) for r in [head, *cells[0], *cells[1]]) for i in range(len(head))]
    right = (1, 2, 3)

    def line(r):
        return "  ".join(c.rjust(w) if i in right else c.ljust(w)
                         for i, (c, w) in enumerate(zip(r, width))).rstrip()

    rule = "-" * (sum(width[:6]) + 10)
    return "\n".join([line(head), rule, *map(line, cells[0]), rule, *map(line, cells[1])])
