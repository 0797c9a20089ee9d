# SPDX-License-Identifier: GPL-2.0
"""Clients that keep what they work on in /dev/shm; each prints a digest of all it has read back.

  cache.py fill SOCKET N KIB     N values of KIB into the memcached behind SOCKET
  cache.py read SOCKET N KIB     digest of them, in an order of its own; exit code 1 if one is missing or wrong
  cache.py shared MIB            multiprocessing.shared_memory: four processes write, one reads
  cache.py database DIR MIB      SQLite: insert, update, delete, sort, vacuum
"""

import hashlib
import multiprocessing
import os
import random
import socket
import sqlite3
import sys
from multiprocessing import shared_memory

MIB = 1 << 20


POOL = random.Random(1).randbytes(3 * MIB)


def piece(n, length):
    """Incompressible, no two alike. Made of what is there: the guest's CPU is slow."""
    at = n * 40961 % (2 * MIB)
    return b"%016d" % n + POOL[at:at + length - 16]


def value(n, kib):
    """Of a length that fits nothing."""
    return piece(n, kib * 1024 - n % 777)


class Memcached:
    """The text protocol."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rwb")

    def set(self, key, data):
        self.file.write(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(data), data))
        self.file.flush()
        answer = self.file.readline()
        if answer != b"STORED\r\n":
            raise SystemExit(f"{key}: {answer}")

    def get(self, key):
        self.file.write(b"get %s\r\n" % key)
        self.file.flush()
        head = self.file.readline().split()
        if head[0] == b"END":
            return None
        data = self.file.read(int(head[3]) + 2)[:-2]
        self.file.readline()
        return data


def fill(path, count, kib):
    cache = Memcached(path)
    for n in range(int(count)):
        cache.set(b"key%d" % n, value(n, int(kib)))


def read(path, count, kib):
    cache = Memcached(path)
    order = list(range(int(count)))
    random.Random(1).shuffle(order)
    digest = hashlib.sha256()
    for n in order:
        data = cache.get(b"key%d" % n)
        if data != value(n, int(kib)):
            raise SystemExit(f"key{n} is {'wrong' if data else 'missing'}")
        digest.update(data)
    print(digest.hexdigest())


def write_part(name, part, parts):
    shm = shared_memory.SharedMemory(name)
    for at in range(part * MIB, shm.size, parts * MIB):
        shm.buf[at:at + MIB] = piece(at // MIB, MIB)
    shm.close()


def shared(mib):
    shm = shared_memory.SharedMemory(create=True, size=int(mib) * MIB)
    writers = [multiprocessing.Process(target=write_part, args=(shm.name, i, 4)) for i in range(4)]
    for p in writers:
        p.start()
    for p in writers:
        p.join()
        if p.exitcode:
            raise SystemExit(f"a writer ended with {p.exitcode}")
    digest = hashlib.sha256()
    for at in range(0, shm.size, MIB):
        data = bytes(shm.buf[at:at + MIB])
        if data != piece(at // MIB, MIB):
            raise SystemExit(f"the MiB at {at} is wrong")
        digest.update(data)
    shm.close()
    shm.unlink()
    print(digest.hexdigest())


def database(folder, mib):
    os.environ["SQLITE_TMPDIR"] = folder
    db = sqlite3.connect(os.path.join(folder, "cache.db"), isolation_level=None)
    rows = int(mib) * MIB // 16384
    rng = random.Random(5)
    for line in ("journal_mode=wal", f"mmap_size={int(mib) * MIB}", "cache_size=-2048", "temp_store=file"):
        db.execute("pragma " + line)
    db.execute("create table kv (n integer primary key, k text, v blob)")
    for first in range(0, rows, 256):
        db.execute("begin")
        db.executemany("insert into kv values (?, ?, ?)", [(n, f"k{rng.randrange(10**9):09}", value(n, 16))
                                                           for n in range(first, min(first + 256, rows))])
        db.execute("commit")
    db.execute("create index by_k on kv (k)")
    db.execute("begin")
    for n in rng.sample(range(rows), rows // 4):
        db.execute("update kv set v = ? where n = ?", (value(n + rows, 16), n))
    db.execute("delete from kv where n % 7 = 3")
    db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")
    db.execute("vacuum")
    if (found := db.execute("pragma integrity_check").fetchall()) != [("ok",)]:
        raise SystemExit(found)
    digest = hashlib.sha256()
    for k, v in db.execute("select k, v from kv order by v, k"):
        digest.update(k.encode() + v)
    print(digest.hexdigest())
    db.close()
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))


if __name__ == "__main__":
    {"fill": fill, "read": read, "shared": shared, "database": database}[sys.argv[1]](*sys.argv[2:])
