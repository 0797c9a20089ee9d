# SPDX-License-Identifier: GPL-2.0
"""Reads what test programs print: TAP, KTAP, GoogleTest's console lines and CTest's JUnit files."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

TAP = re.compile(r"^(not )?ok\b[ \t]*(\d+)?[ \t]*-?[ \t]*(.*)")
PLAN = re.compile(r"^1\.\.(\d+)\b(?:\s*#\s*skip\s*(.*))?", re.IGNORECASE)
# guest-tests' own remarks on a program: never part of its plan.
LAB = re.compile(r"^lab not ok (.*)")
GTEST = re.compile(r"^\[ *(OK|FAILED|SKIPPED) *\] (\S+) \(\d+ ms\)")
SKIP = re.compile(r"#\s*skip\b", re.IGNORECASE)


@dataclass
class Tally:
    """Counts, and the names of what failed."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)

    def add(self, outcome, name):
        if outcome == "failed":
            self.failed += 1
            self.failures.append(name)
        elif outcome == "skipped":
            self.skipped += 1
        else:
            self.passed += 1

    def fail(self, name):
        self.add("failed", name)

    def merge(self, other, prefix=""):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += [prefix + f for f in other.failures]

    def count(self):
        return self.passed + self.failed + self.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def from_text(text, exit_code):
    """The tally of one program's output. Silence, a short plan or a bare bad exit code are failures."""
    tally, planned, planned_seen = Tally(), None, 0
    for line in text.splitlines():
        line = line.rstrip()
        if m := LAB.match(line):
            tally.fail(m[1])
        elif m := TAP.match(line):      # subtests are indented, so only the outermost count
            planned_seen += 1
            outcome = "failed" if m[1] else "skipped" if SKIP.search(m[3]) else "passed"
            tally.add(outcome, m[3] or f"test {m[2]}")
        elif m := PLAN.match(line):
            planned = (planned or 0) + int(m[1])
            if planned == 0:
                tally.add("skipped", m[2] or "all")
        elif m := GTEST.match(line):
            tally.add({"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[m[1]], m[2])
    if planned is not None and planned_seen < planned:
        tally.fail(f"{planned - planned_seen} of {planned} planned results missing")
    if exit_code == 4 and not tally.count():
        tally.add("skipped", "all")     # KSFT_SKIP
    elif exit_code and not tally.failed:
        tally.fail(f"exit code {exit_code}")
    elif not tally.count():
        tally.fail("no result")
    return tally


def from_junit(path):
    tally = Tally()
    for case in ET.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            tally.fail(case.get("name"))
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            tally.add("skipped", case.get("name"))
        else:
            tally.add("passed", case.get("name"))
    return tally
