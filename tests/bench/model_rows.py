# SPDX-License-Identifier: GPL-2.0
"""What `make bench-model` runs: the rows, by scenario."""

from dataclasses import dataclass, replace

LAYERS = 80
LAYER_KIB = 2560
SIZE = LAYERS * LAYER_KIB << 10
# Drives, 10^6 bytes a second.
SLOW, FAST = 700, 4200


def io_ns(mbps):
    """Of a layer."""
    return (LAYER_KIB << 10) * 1000 // mbps


@dataclass
class Row:
    name: str           # scenario.row
    store: str          # see model_guest; with -lru: MGLRU off
    what: str
    budget_kib: int
    mbps: int
    chunk: str          # of ITME; page-cluster of swap
    options: str
    again: bool = False     # in the second guest, too

    def line(self):
        return f"{self.name} {self.store} {self.budget_kib} {self.mbps} {self.chunk or '-'} {self.options}"


@dataclass
class Scenario:
    """Memory and compute that its rows have in common."""
    name: str
    budget_mib: int
    mbps: int
    compute: float      # of the time of I/O
    options: str = ""
    chunk: str = "512K"
    again: tuple = ()

    def row(self, name, store, what, passes, chunk=None, options=""):
        compute = f"-c {int(self.compute * io_ns(self.mbps))}" if self.compute else ""
        return Row(f"{self.name}.{name}", store, what, self.budget_mib << 10, self.mbps, chunk or self.chunk,
                   " ".join(f"-p {passes} {compute} {self.options} {options}".split()), name in self.again)

    def dram(self):
        return self.row("dram", "dram", "all in DRAM", 3)

    def dbuf(self):
        return self.row("dbuf", "dbuf", "double buffer, O_DIRECT", 3)

    def ext4(self):
        return [self.row("ext4", "ext4", "ext4 mmap", 4),
                self.row("ext4-lru", "ext4-lru", "ext4 mmap, MGLRU off", 4)]

    def willneed(self):
        return self.row("willneed", "willneed", "ext4 mmap + WILLNEED a layer ahead", 4)

    def swap(self):
        return [self.row(f"swap{n}", "swap", f"swap, page-cluster {n}", 3, str(n)) for n in (0, 3, 5)] + [
            self.row("swap3-lru", "swap-lru", "swap, page-cluster 3, MGLRU off", 3, "3")]

    def itme(self):
        return [self.row("learned", "itme", "ITME, no hint", 6), self.row("planned", "itme", "ITME, planned", 4, None, "-P")]

    def itmed(self):
        return self.row("itmed", "itmed", "ITME, planned by itmed", 4)

    def itme_chunks(self):
        return [self.row("planned256k", "itme", "ITME, planned, chunks of 256 KiB", 4, "256K", "-P"),
                self.row("planned2m", "itme", "ITME, planned, chunks of 2 MiB", 4, "2M", "-P")]


def elsewhere(scenario):
    return replace(scenario, name=scenario.name + "-w", options="-w", again=())


# 30 % and 4 % of the weights, and a quarter of them; compute as long as I/O, or a quarter of it.
WIDE = Scenario("wide", 60, SLOW, 1, again=("dram", "dbuf", "ext4", "learned", "planned"))
RING = Scenario("ring", 8, SLOW, 1, again=("learned", "planned"))
FASTER = Scenario("fast", 60, FAST, 1)
BOUND = Scenario("bound", 50, SLOW, 0.25, again=("swap5", "planned"))
ORDER = Scenario("order", 50, SLOW, 0.25, options="-x")
# 16 experts a block, of three slices of 256 KiB each; two of them a token.
MOE = Scenario("moe", 50, SLOW, 1, options="-e 16 -t 256K", chunk="256K", again=("triggers",))
# Without compute: what an access costs.
ZIPF4K = Scenario("zipf4k", 50, SLOW, 0, options="-z -t 4K", chunk="64K")
ZIPF256K = Scenario("zipf256k", 50, SLOW, 0, options="-z -t 256K", chunk="256K", again=("learned",))


def rows():
    yield WIDE.dram()
    yield WIDE.dbuf()
    yield from WIDE.ext4()
    yield WIDE.willneed()
    yield from WIDE.itme()
    yield WIDE.itmed()
    yield from WIDE.itme_chunks()
    yield RING.dbuf()
    yield from RING.itme()
    yield RING.itmed()
    yield BOUND.dram()
    yield BOUND.dbuf()
    yield from BOUND.ext4()
    yield BOUND.willneed()
    yield from BOUND.swap()
    yield from BOUND.itme()
    yield BOUND.itmed()
    yield FASTER.dram()
    yield FASTER.dbuf()
    yield from FASTER.ext4()
    yield from FASTER.swap()
    yield from FASTER.itme()
    yield FASTER.itmed()
    for scenario in (WIDE, RING, FASTER):
        other = elsewhere(scenario)
        yield other.dram()
        yield other.dbuf()
        if scenario is not RING:
            yield from other.ext4()
        yield from other.itme()
    yield ORDER.dbuf()
    yield from ORDER.ext4()
    yield from ORDER.itme()
    yield MOE.dram()
    yield from MOE.ext4()
    yield MOE.row("recency", "itme", "ITME, by recency alone", 4)
    yield MOE.row("triggers", "itme", "ITME, triggers", 4, None, "-P")
    for scenario in (ZIPF4K, ZIPF256K):
        for name, store, what in (("ext4", "ext4", "ext4 mmap"), ("ext4-lru", "ext4-lru", "ext4 mmap, MGLRU off"),
                                  ("learned", "itme", "ITME, no hint")):
            yield scenario.row(name, store, what, 3)
    yield ZIPF4K.row("learned256k", "itme", "ITME, no hint, chunks of 256 KiB", 3, "256K")


ROWS = list(rows())
