# SPDX-License-Identifier: GPL-2.0
"""Where the tensors of a GGUF v3 file lie, by layer. Only what a picture needs; libitme's reader is another."""

import os
import re
import struct

# Bytes of the scalar metadata types; 8 is a string, 9 an array.
SCALAR = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ELEMENT = {0: 4, 1: 2}      # F32, F16: all that mkgguf writes
ALIGNMENT = 32              # and its alignment


class Model:
    def __init__(self, path):
        self.size = os.path.getsize(path)
        with open(path, "rb") as self._file:
            self.tensors = self._read()
        self.layers = len({n.split(".")[1] for n, _, _ in self.tensors if n.startswith("blk.")})

    def _number(self, form):
        return struct.unpack("<" + form, self._file.read(struct.calcsize(form)))[0]

    def _string(self):
        return self._file.read(self._number("Q")).decode()

    def _skip(self, kind):
        if kind == 8:
            self._string()
        elif kind == 9:
            element, count = self._number("I"), self._number("Q")
            for _ in range(count):
                self._skip(element)
        else:
            self._file.seek(SCALAR[kind], os.SEEK_CUR)

    def _read(self):
        """[(name, offset in the file, length), ...]"""
        if self._file.read(4) != b"GGUF" or self._number("I") != 3:
            raise ValueError("not a GGUF v3 file")
        tensors, keys = self._number("Q"), self._number("Q")
        for _ in range(keys):
            self._string()
            self._skip(self._number("I"))
        found = []
        for _ in range(tensors):
            name, length = self._string(), 1
            for _ in range(self._number("I")):
                length *= self._number("Q")
            length *= ELEMENT[self._number("I")]
            found.append((name, self._number("Q"), length))
        data = -(-self._file.tell() // ALIGNMENT) * ALIGNMENT
        return [(name, data + offset, length) for name, offset, length in found]

    def scanned(self):
        """Bytes that each token reads, all of them: 0 where that depends on the token (experts). Of the embedding it is
        but a row."""
        if any("_exps." in name for name, _, _ in self.tensors):
            return 0
        return sum(length for name, _, length in self.tensors if name != "token_embd.weight")

    def groups(self):
        """[(label, [(offset, length), ...]), ...]: each layer, what is before and what is after, in this order."""
        found = {}
        for name, offset, length in self.tensors:
            layer = re.match(r"blk\.(\d+)\.", name)
            label = f"layer {layer[1]:>2}" if layer else name.split(".")[0].split("_")[0]
            found.setdefault({"token": "embedding"}.get(label, label), []).append((offset, length))
        return list(found.items())
