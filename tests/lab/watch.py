# SPDX-License-Identifier: GPL-2.0
"""What on a guest's console means that its kernel is not well."""

import re

# A line that matches one of these fails the run.
BAD = re.compile(
    r"WARNING:|BUG:|kernel BUG|Oops|Kernel panic|general protection|Call Trace"
    r"|INFO: task .* blocked|INFO: rcu.*stall|rcu:.*detected stall|soft lockup|hard LOCKUP"
    r"|possible (circular locking|recursive locking|irq lock inversion|deadlock)"
    r"|inconsistent lock state|suspicious RCU usage|held lock freed|lock held when returning"
    r"|KASAN|KCSAN|KMSAN|UBSAN|KFENCE|kmemleak: \d+ new|refcount_t|Bad page|bad page|Bad rss"
    r"|list_(add|del) corruption|stack-protector|unable to handle|scheduling while atomic"
    r"|sleeping function called|page allocation failure|Out of memory: Killed|nobody cared"
    r"|Objects remaining in|still has objects")

# Stock lines that match BAD and mean nothing. Each says why it is here.
BENIGN = [
]

# Enough for an oops down to its call trace; the whole console is in the log.
EXCERPT = 30


class Console:
    """Collects the console's lines and keeps the first report found."""

    def __init__(self, log):
        self.log = log
        self.partial = b""
        self.excerpt = []
        self.marker = ""
        self.where = ""
        self.reports = 0

    def feed(self, data):
        self.log.write(data)
        self.log.flush()
        *lines, self.partial = (self.partial + data).split(b"\n")
        for raw in lines:
            self._line(raw.decode(errors="replace").rstrip())

    def close(self):
        if self.partial:
            self._line(self.partial.decode(errors="replace"))
            self.partial = b""

    def _line(self, line):
        if m := re.search(r"\blab: (test .*)", line):
            self.marker = m.group(1)    # the guest's runner names its test: blame it
        bad = BAD.search(line) and not any(b.search(line) for b in BENIGN)
        self.reports += bool(bad)
        if bad and not self.excerpt:
            self.where = self.marker
        if (bad or self.excerpt) and len(self.excerpt) < EXCERPT:
            self.excerpt.append(line)
