#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""incore.py FILE: which parts of a file the page cache holds, as JSON ranges, by mincore(2)."""

import ctypes
import json
import mmap
import sys


def resident(path):
    """[[offset, length], ...] of what is cached."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                          ctypes.c_int, ctypes.c_long]
    with open(path, "rb") as f:
        size = f.seek(0, 2)
        # Not Python's own mmap: that wants a writable one to give its address away.
        addr = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, f.fileno(), 0)
    pages = -(-size // mmap.PAGESIZE)
    vec = ctypes.create_string_buffer(pages)
    if addr == ctypes.c_void_p(-1).value or libc.mincore(addr, size, vec):
        raise OSError(ctypes.get_errno(), "mincore")
    state = vec.raw  # a copy: once, not once a page
    ranges = []
    for page in range(pages):
        if not state[page] & 1:
            continue
        start = page * mmap.PAGESIZE
        length = min(mmap.PAGESIZE, size - start)
        if ranges and sum(ranges[-1]) == start:
            ranges[-1][1] += length
        else:
            ranges.append([start, length])
    return {"size": size, "resident": ranges}


print(json.dumps(resident(sys.argv[1])))
