#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares itme.txt, the syzlang description, with the header, field by field, and with what the
netlink family takes, attribute by attribute. KTAP on stdout.

    syzlang.py itme.txt itme.h super.c VALUES netlink_gen.c

VALUES are lines "NAME NUMBER" of each constant and "sizeof NAME NUMBER" of each struct, as the
compiler has them (made by the Makefile). super.c has the mount options.
"""

import re
import sys

C_BITS = {"__u8": 8, "__u64": 64, "__u32": 32, "__s32": 32, "__s64": 64}


class Tap:
    count = failed = 0

    def check(self, name, wrong):
        self.count += 1
        self.failed += bool(wrong)
        print(f"{'not ' if wrong else ''}ok {self.count} {name}")
        for line in wrong:
            print(f"# {line}")


def header_structs(text):
    """Name: [(field, bits, length as written or "1")]."""
    structs = {}
    for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", text, re.M | re.S):
        structs[name] = [(field, C_BITS[kind], length or "1") for kind, field, length in
                         re.findall(r"^\t(\w+) (\w+)(?:\[(.*?)\])?;", body, re.M)]
    return structs


def described_bits(kind):
    if m := re.match(r"array\[(.*), (\d+)\]$", kind):
        return described_bits(m[1])[0], int(m[2])
    if kind.startswith("ptr64["):
        return 64, 1
    if kind in ("fd", "fd_itme_prefetch"):
        return 32, 1
    m = re.search(r"int(\d+)\]?$", kind)
    return (int(m[1]) if m else 0), 1


def described_structs(text):
    structs = {}
    for name, body in re.findall(r"^(\w+) \{\n(.*?)^\}", text, re.M | re.S):
        fields = []
        for line in body.splitlines():
            field, kind = line.split(None, 1)
            kind = re.sub(r"\s*\((in|out)\)$", "", kind.strip())
            fields.append((field, *described_bits(kind)))
        structs[name] = fields
    return structs


def compare_struct(name, header, described, values):
    fields = [(f, bits, values.get(n) or int(eval(n, {}, values))) for f, bits, n in header]
    wrong = [f"{a} in the header, {b} described"
             for a, b in zip(fields, described) if a != b]
    if len(fields) != len(described):
        wrong.append(f"{len(fields)} fields in the header, {len(described)} described")
    size = sum(bits // 8 * n for _, bits, n in described)
    if size != values.get("sizeof " + name):
        wrong.append(f"{size} bytes described, {values.get('sizeof ' + name)} compiled")
    return wrong


def kernel_policies(text):
    """Name of a policy: {attribute: its type, or the policy of what is nested in it}."""
    policies = {}
    for name, body in re.findall(r"^(?:static )?const struct nla_policy (\w+)\[.*?\{\n(.*?)^\};", text, re.M | re.S):
        policies[name] = dict(re.findall(
            r"\[(\w+)\] = (?:\{ \.type = |NLA_POLICY_(?:MIN|MAX|NESTED)\()(\w+)", body))
    return policies


def kernel_commands(text):
    """Command: its policies, of request and dump; None where it takes no attributes."""
    commands = {}
    for body in re.findall(r"^\t\{\n(.*?)^\t\},", text, re.M | re.S):
        fields = dict(re.findall(r"\.(cmd|policy)\s+= (\w+)", body))
        commands.setdefault(fields["cmd"], []).append(fields.get("policy"))
    return commands


def described_attributes(text):
    """Name of a union: {attribute: payload}; one that is named as another is payload None."""
    unions = {}
    for name, body in re.findall(r"^(itme_nl_\w+) \[\n(.*?)^\]", text, re.M | re.S):
        rows = re.findall(r"^\t(\w+)\tnl(?:attr|nest)\[(\w+), (.*)\]$", body, re.M)
        unions[name] = {a: payload if a == b else None for a, b, payload in rows}
    return unions


def fits(kind, payload, policies, unions):
    """Whether the payload described is of the kind the kernel takes; nested ones all the way down."""
    if kind in policies:
        inner = re.match(r"array\[(\w+)\]$", payload or "")
        return bool(inner) and not compare_attributes(policies[kind], unions.get(inner[1], {}), policies, unions)
    return bool(re.match({"NLA_U32": r"flags\[\w+, int32\]$|pid$|int32$", "NLA_UINT": r"itme_uint$|vma64$",
                          "NLA_NUL_STRING": r"string\[", "NLA_FLAG": r"void$"}[kind], payload or ""))


def compare_attributes(policy, union, policies, unions):
    return [f"{a}: {policy.get(a)} in the kernel, {union.get(a)} described"
            for a in sorted(set(policy) | set(union))
            if a not in policy or a not in union or not fits(policy[a], union[a], policies, unions)]


def check_netlink(tap, syzlang, netlink):
    policies, unions = kernel_policies(netlink), described_attributes(syzlang)
    commands = kernel_commands(netlink)
    sent = dict(re.findall(r"^sendmsg\$(\w+)\(.*msghdr_itme\[\1, (\w+)\]\]", syzlang, re.M))

    tap.check("the same commands", sorted(set(commands) ^ set(sent)) or ([] if commands else ["none found"]))
    for command in sorted(set(commands) & set(sent)):
        # A dump takes less than a request, or the same; both are sent the same.
        policy = {a: kind for name in commands[command] if name for a, kind in policies[name].items()}
        tap.check(command, compare_attributes(policy, unions.get(sent[command], {}), policies, unions))


def main():
    syzlang, header, superc, listing, netlink = (open(path).read() for path in sys.argv[1:6])
    values = {}
    for line in listing.splitlines():
        name, number = line.rsplit(None, 1)
        values[name] = int(number)
    tap = Tap()

    in_header, in_text = header_structs(header), described_structs(syzlang)
    tap.check("the same structs", sorted(set(in_header) ^ set(in_text)))
    for name in sorted(set(in_header) & set(in_text)):
        tap.check(name, compare_struct(name, in_header[name], in_text[name], values))

    requests = dict(re.findall(r"#define (ITME_IOC_(?!MAGIC)\w+)\s+_IOWR\(.*struct (\w+)\)", header))
    calls = dict(re.findall(r"^ioctl\$\w+\(.*const\[(\w+)\], arg ptr\[inout, (\w+)\]\)", syzlang, re.M))
    tap.check("each request, with its struct",
              [f"{r}: {requests.get(r)} in the header, {calls.get(r)} described"
               for r in sorted(set(requests) | set(calls)) if requests.get(r) != calls.get(r)])
    tap.check("each request's number has its struct's size",
              [r for r, struct in requests.items()
               if values[r] >> 16 & 0x3fff != values["sizeof " + struct]])

    # Not values a program hands in: limits, masks, the magic numbers.
    other = {"ITME_SUPER_MAGIC", "ITME_NAME_MAX", "ITME_SPANS_MAX",
             "ITME_NODES_MAX", "ITME_IOC_MAGIC", "ITME_MAP_TIER_MASK"}
    named = set(n for n in re.findall(r"\bITME_\w+", syzlang) if not n.startswith(("ITME_A_", "ITME_CMD_")))
    tap.check("every constant is named", sorted(set(n for n in values if n.startswith("ITME_")) - other - named))
    tap.check("no constant is made up", sorted(named - set(values)))

    options = set(re.findall(r'fsparam_\w+\("(\w+)"', superc))
    # One that takes no value is written as it is; its opposite is not in super.c.
    described = set(re.findall(r'fs_opt\["(\w+)"', syzlang))
    described |= {name for name in re.findall(r'^\t(\w+)\s+stringnoz\["\1"\]', syzlang, re.M)
                  if not (name.startswith("no") and name[2:] in options)}
    tap.check("the mount options", sorted(options ^ described) or ([] if options else ["none found"]))

    check_netlink(tap, syzlang, netlink)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
