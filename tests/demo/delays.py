#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""delays.py PID: nanoseconds the threads of a process lost to block I/O and to page reclaim, in faults too, as JSON.

By taskstats, as it alone keeps the delays of threads that have ended since: llama.cpp makes new ones for every token.
Wants the sysctl kernel.task_delayacct.
"""

import json
import socket
import struct
import sys

NETLINK_GENERIC = 16
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_TGID = 1, 2
TASKSTATS_TYPE_STATS, TASKSTATS_TYPE_AGGR_TGID = 3, 5
NLM_F_REQUEST, NLMSG_ERROR = 1, 2
# Of struct taskstats: blkio_delay_total and freepages_delay_total
BLKIO, FREEPAGES = 40, 320


def attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def attrs(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def ask(sock, family, command, payload):
    body = struct.pack("=BBH", command, 1, 0) + payload
    sock.send(struct.pack("=IHHII", 16 + len(body), family, NLM_F_REQUEST, 0, 0) + body)
    reply = sock.recv(65536)
    length, kind = struct.unpack_from("=IH", reply)
    if kind == NLMSG_ERROR:
        raise OSError(-struct.unpack_from("=i", reply, 16)[0], "taskstats")
    return attrs(reply[20:length])


def delays(pid):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        sock.bind((0, 0))
        reply = ask(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, attr(CTRL_ATTR_FAMILY_NAME, b"TASKSTATS\0"))
        family, = struct.unpack("=H", reply[CTRL_ATTR_FAMILY_ID])
        reply = ask(sock, family, TASKSTATS_CMD_GET, attr(TASKSTATS_CMD_ATTR_TGID, struct.pack("=I", pid)))
    stats = attrs(reply[TASKSTATS_TYPE_AGGR_TGID])[TASKSTATS_TYPE_STATS]
    return {name: struct.unpack_from("=Q", stats, offset)[0]
            for name, offset in (("blkio_ns", BLKIO), ("reclaim_ns", FREEPAGES))}


print(json.dumps(delays(int(sys.argv[1]))))
