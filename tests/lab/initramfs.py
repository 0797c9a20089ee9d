# SPDX-License-Identifier: GPL-2.0
"""The initramfs of a lab guest: busybox, the modules that reach the host's root, and the job."""

import lzma
import os
import re

# What is not built into Debian's kernel and is needed before the shared root can be mounted.
# Everything else is loaded from there.
BOOT_MODULES = ("9p", "9pnet_virtio", "overlay")


def _entry(name, mode, data=b"", rdev=(0, 0), ino=[0]):
    """One newc record; ino is a running number, as equal ones would mean hard links."""
    ino[0] += 1
    raw = name.encode() + b"\0"
    fields = (ino[0], mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(raw), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields)
    pad = lambda b: b + b"\0" * (-len(b) % 4)
    return pad(head + raw) + pad(data)


def _read_module(path):
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def _load_order(moddir, wanted):
    """Paths below moddir, dependencies first, from modules.dep. Without a moddir everything is built in."""
    if not os.path.isdir(moddir):
        return []
    deps, by_name = {}, {}
    with open(os.path.join(moddir, "modules.dep")) as f:
        for line in f:
            path, _, rest = line.partition(":")
            deps[path] = rest.split()
            by_name[re.sub(r"\.ko.*", "", os.path.basename(path))] = path
    order = []

    def visit(path):
        for dep in deps[path]:
            visit(dep)
        if path not in order:
            order.append(path)

    for name in wanted:
        if name in by_name:     # else it is built in
            visit(by_name[name])
    return order


def build(moddir, lab, job):
    """The archive as bytes. lab: the directory with the guest's scripts, which are copied, so that they may be edited
    while the guest runs. job maps file names below /job to their contents."""
    out = [_entry(d, 0o040755) for d in ("bin", "dev", "proc", "sys", "modules", "job", "job/dir",
                                        "host", "rw", "newroot")]
    # The kernel opens it for init before anything is mounted on /dev.
    out.append(_entry("dev/console", 0o020600, rdev=(5, 1)))
    with open("/bin/busybox", "rb") as f:
        out.append(_entry("bin/busybox", 0o100755, f.read()))
    for entry in os.scandir(lab):
        if entry.is_file():
            with open(entry.path, "rb") as f:
                name = "init" if entry.name == "stage1" else "job/dir/" + entry.name
                out.append(_entry(name, 0o100755, f.read()))
    names = []
    for path in _load_order(moddir, BOOT_MODULES):
        names.append(re.sub(r"\.ko.*", ".ko", os.path.basename(path)))
        out.append(_entry("modules/" + names[-1], 0o100644,
                          _read_module(os.path.join(moddir, path))))
    out.append(_entry("modules/order", 0o100644, "".join(n + "\n" for n in names).encode()))
    for name, text in job.items():
        out.append(_entry("job/" + name, 0o100644, text.encode()))
    out.append(_entry("TRAILER!!!", 0))
    return b"".join(out)
