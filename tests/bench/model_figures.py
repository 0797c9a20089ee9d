# SPDX-License-Identifier: GPL-2.0
"""From what the guest measured to the figures that are wanted."""

from dataclasses import asdict, dataclass, field

import model_rows

MIB = 1 << 20
# The first passes only bring things in; learning needs two.
WARM_UP = 2


def belady(nr, capacity, passes=8):
    """Fills a pass of a cyclic scan of nr chunks, of which so many fit: the victim is what is used latest."""
    held, fills = set(), []
    for _ in range(passes):
        count = 0
        for i in range(nr):
            if i in held:
                continue
            count += 1
            if len(held) == capacity:
                held.remove(max(held, key=lambda c: (c - i) % nr))
            held.add(i)
        fills.append(count)
    return sum(fills[WARM_UP:]) / (passes - WARM_UP)


class Measured:
    """What each pass of each row measured."""

    def __init__(self, lines):
        self.lines = lines

    def passes(self, name):
        found = sorted((d for d in self.lines if d["job"] == name), key=lambda d: d["pass"])
        if not found:
            raise SystemExit(f"model: nothing measured: {name}")
        return found

    def steady(self, name, key="ns"):
        values = [d[key] for d in self.passes(name)[WARM_UP:]]
        return sum(values) / len(values)

    def counts(self, name):
        """Has it ITME's counters?"""
        return "stall_ns" in self.passes(name)[0]

    def ms(self, name):
        return self.steady(name) / 1e6

    def read_mib(self, name):
        return self.steady(name, "disk") / MIB

    def passes_table(self):
        cells = [("row", "pass", "ms", "CPU", "read MiB", "written", "major", "stalls", "ms", "demand", "late", "wasted")]
        for d in self.lines:
            mib = [f"{d[k] / MIB:.1f}" if k in d else "" for k in ("demand", "late", "wasted")]
            cells.append((d["job"], str(d["pass"]), f"{d['ns'] / 1e6:.1f}", f"{d['cpu_ns'] / 1e6:.1f}",
                          f"{d['disk'] / MIB:.1f}", f"{d['written'] / MIB:.1f}", str(d["majflt"]),
                          str(d.get("stalls", "")), f"{d['stall_ns'] / 1e6:.1f}" if "stall_ns" in d else "", *mib))
        return columns(cells)


def differing(first, second, names):
    """Rows whose steady passes are not within 1 % in both guests."""
    for name in names:
        a, b = first.ms(name), second.ms(name)
        if abs(a - b) > 0.01 * max(a, b):
            yield f"{name}: {a:.2f} and {b:.2f} ms"


def columns(cells):
    width = [max(len(r[i]) for r in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(r, width))).rstrip()
                     for r in cells)


@dataclass
class Figure:
    what: str
    target: str
    reached: str
    met: bool
    rows: list = field(default_factory=list)        # cells, the first line says what they are

    def as_dict(self):
        return asdict(self)

    def text(self):
        head = f"{self.what}\n    target {self.target}: {self.reached}  {'met' if self.met else 'MISSED'}"
        return head + "\n" + "\n".join("    " + line for line in columns(self.rows).split("\n"))


def table(m, names, dram, base):
    """Rows with their times, over one of them."""
    what = {r.name: r.what for r in model_rows.ROWS}
    cells = [("", "ms a pass", f"of {base.split('.')[1]}", "read MiB", "stall ms")]
    for name in names:
        cells.append((what[name], f"{m.ms(name):.1f}", f"{m.ms(name) / m.ms(base):.3f}", f"{m.read_mib(name):.1f}",
                      f"{m.ms(name) - m.ms(dram):.1f}" if dram else ""))
    return cells


ELSEWHERE = {"": "", "-w": ", computed elsewhere (a GPU, other CPUs)"}


def behind_dram(m, scenario, percent, target, where=""):
    dram = ("fast" if scenario == "fast" else "wide") + where + ".dram"
    names = [dram, *(f"{scenario}{where}.{r}" for r in ("dbuf", "learned", "planned"))]
    if scenario + where == "wide":
        names += ["wide.planned256k", "wide.planned2m"]
    behind = 100 * (m.ms(f"{scenario}{where}.planned") / m.ms(dram) - 1)
    return Figure(f"Compute = I/O{ELSEWHERE[where]}, DRAM budget {percent} % of the weights: behind all in DRAM",
                  f"<= {target} %", f"{behind:.1f} %", behind <= target, table(m, names, dram, dram))


def io_bound(m):
    size, budget = model_rows.SIZE / MIB, model_rows.BOUND.budget_mib
    bound = m.ms("bound.dbuf") * (size - budget) / size
    ratio = bound / m.ms("bound.planned")
    names = [f"bound.{r}" for r in ("dram", "dbuf", "ext4", "ext4-lru", "willneed", "learned", "planned")]
    rows = table(m, names, "bound.dram", "bound.dbuf")
    rows.append(("  the bound: double buffer * (N-C)/N", f"{bound:.1f}", f"{(size - budget) / size:.3f}", "", ""))
    return Figure("Compute = I/O / 4, 25 %: of the double buffer's speed times N/(N-C)", ">= 0.95", f"{ratio:.3f}",
                  ratio >= 0.95, rows)


def bytes_read(m):
    rows, worst = [("", "read MiB", "MIN", "over")], 0
    for s in (model_rows.WIDE, model_rows.BOUND, model_rows.RING, model_rows.FASTER):
        chunk = 512 << 10
        best = belady(model_rows.SIZE // chunk, s.budget_mib * MIB // chunk) * chunk / MIB
        for row in ("learned", "planned"):
            read = m.read_mib(f"{s.name}.{row}")
            over = 100 * (read / best - 1)
            if row == "planned":
                worst = max(worst, over)
            rows.append((f"{s.name} ({s.budget_mib} MiB), {row}", f"{read:.1f}", f"{best:.1f}", f"{over:.1f} %"))
    return Figure("Bytes read a pass, over MIN", "<= 3 %", f"{worst:.1f} % (the worst of those planned)", worst <= 3, rows)


def against_ext4(m, scenario, mbps, target, where=""):
    at = scenario + where
    names = [f"{at}.{r}" for r in ("dram", "dbuf", "ext4", "ext4-lru")]
    if at == "wide":
        names.append("wide.willneed")
    names += [f"{at}.learned", f"{at}.planned"]
    best = min(m.ms(f"{at}.ext4"), m.ms(f"{at}.ext4-lru"))
    ratio = best / m.ms(f"{at}.planned")
    return Figure(f"Compute = I/O{ELSEWHERE[where]}, 30 %, a drive of {mbps} MB/s: times as fast as ext4 mmap",
                  f">= {target}", f"{ratio:.2f}", ratio >= target, table(m, names, f"{at}.dram", f"{at}.planned"))


def against_swap(m, scenario, what, mbps):
    swaps = [f"{scenario}.{r}" for r in ("swap0", "swap3", "swap5", "swap3-lru")]
    ratio = min(m.ms(s) for s in swaps) / m.ms(f"{scenario}.planned")
    names = [*swaps, f"{scenario}.dbuf", f"{scenario}.dram", f"{scenario}.learned", f"{scenario}.planned"]
    return Figure(f"{what}, a drive of {mbps} MB/s: times as fast as anonymous memory on swap, best page-cluster",
                  ">= 6", f"{ratio:.2f}", ratio >= 6, table(m, names, f"{scenario}.dram", f"{scenario}.planned"))


def experts(m):
    stall = {r: m.ms(f"moe.{r}") - m.ms("moe.dram") for r in ("recency", "triggers")}
    ratio = stall["triggers"] / stall["recency"]
    names = [f"moe.{r}" for r in ("dram", "ext4", "ext4-lru", "recency", "triggers")]
    rows = table(m, names, "moe.dram", "moe.dram")
    waited = ["waited ms"] + [f"{m.steady(n, 'stall_ns') / 1e6:.1f}" if m.counts(n) else "" for n in names]
    rows = [(*cells, w) for cells, w in zip(rows, waited)]
    return Figure("Mixture of experts, skewed, compute = I/O, 25 %: stall with triggers, of that by recency alone",
                  "<= 0.5", f"{ratio:.3f}", ratio <= 0.5, rows)


def learned(m):
    rows, worst = [("", "pass 1", "2", "3", "4", "5", "6", "planned", "planned/learned")], 9
    for scenario in ("wide", "ring", "bound", "fast", "order"):
        each = [d["ns"] / 1e6 for d in m.passes(f"{scenario}.learned")]
        planned = m.ms(f"{scenario}.planned")
        ratio = planned / max(each[WARM_UP:])
        worst = min(worst, ratio)
        rows.append((scenario, *(f"{ms:.1f}" for ms in each), f"{planned:.1f}", f"{ratio:.3f}"))
    return Figure("Learned against planned, from the third pass on (the slowest pass)", ">= 0.95", f"{worst:.3f}",
                  worst >= 0.95, rows)


def by_itmed(m):
    rows, worst = [("", "itmed ms", "planned ms", "itmed/planned", "read MiB", "read MiB")], 0
    for scenario in ("wide", "ring", "bound", "fast"):
        mine, hand = f"{scenario}.itmed", f"{scenario}.planned"
        ratio = m.ms(mine) / m.ms(hand)
        worst = max(worst, ratio)
        rows.append((scenario, f"{m.ms(mine):.1f}", f"{m.ms(hand):.1f}", f"{ratio:.3f}", f"{m.read_mib(mine):.1f}",
                     f"{m.read_mib(hand):.1f}"))
    return Figure("Planned by itmed, from the model's header: time over that of a plan by hand", "<= 1.03",
                  f"{worst:.3f}", worst <= 1.03, rows)


def order(m):
    names = [f"order.{r}" for r in ("dbuf", "ext4", "ext4-lru", "learned", "planned")]
    ratio = m.ms("bound.planned") / m.ms("order.planned")
    return Figure("The same as above, in another order than the file's: of the speed in file order", ">= 0.95",
                  f"{ratio:.3f}", ratio >= 0.95, table(m, names, "bound.dram", "order.planned"))


def zipf(m):
    worst, rows = 0, []
    for scenario in ("zipf4k", "zipf256k"):
        names = [f"{scenario}.{r}" for r in ("ext4", "ext4-lru", "learned")]
        if scenario == "zipf4k":
            names.append("zipf4k.learned256k")
        best = min(m.ms(n) for n in names[:2])
        worst = max(worst, m.ms(f"{scenario}.learned") / best)
        rows += [(f"{scenario}: {r[0]}" if r[0] else "", *r[1:4]) for r in table(m, names, None, f"{scenario}.ext4")]
    return Figure("No plan, pieces at random (Zipf), 25 %: time of ITME over that of ext4 mmap", "<= 1.05",
                  f"{worst:.3f}", worst <= 1.05, rows)


def figures(m):
    both = tuple(ELSEWHERE)
    return [*(behind_dram(m, "wide", 30, 5, w) for w in both), *(behind_dram(m, "ring", 4, 8, w) for w in both),
            io_bound(m), bytes_read(m), *(against_ext4(m, "wide", model_rows.SLOW, 3, w) for w in both),
            *(against_ext4(m, "fast", model_rows.FAST, 5, w) for w in both), against_swap(m, "bound", "Compute = I/O / 4, 25 %", model_rows.SLOW),
            against_swap(m, "fast", "Compute = I/O, 30 %", model_rows.FAST), learned(m), by_itmed(m), experts(m), zipf(m), order(m)]
