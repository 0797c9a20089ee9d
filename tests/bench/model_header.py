# SPDX-License-Identifier: GPL-2.0
"""A GGUF header for the model of `make bench-model`, so that itmed finds its order: one tensor a layer, from the
file's beginning to its end; the header takes the place of the first one's beginning."""

import struct

# Of the header, bytes; it lies in memory, not on the drive that moves no data.
SIZE = 8 << 10
U32, STRING, F32 = 4, 8, 0
COLUMNS = 1024      # floats in a row


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def tensor(layer, begin, end):
    rows = (end - begin) // (4 * COLUMNS)
    return text(f"blk.{layer}.ffn_down.weight") + struct.pack("<IQQIQ", 2, COLUMNS, rows, F32, begin - SIZE)


def header(layers, layer_size):
    """GGUF version 3, see the specification in ggml's docs/gguf.md."""
    meta = [entry("general.architecture", STRING, text("llama")), entry("general.alignment", U32, struct.pack("<I", 4096)),
            entry("llama.block_count", U32, struct.pack("<I", layers))]
    tensors = [tensor(i, max(SIZE, i * layer_size), (i + 1) * layer_size) for i in range(layers)]
    made = b"GGUF" + struct.pack("<IQQ", 3, layers, len(meta)) + b"".join(meta + tensors)
    assert SIZE - 4096 < len(made) <= SIZE, len(made)    # data begins at the next multiple of the alignment
    return made.ljust(SIZE, b"\0")
