#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Is gcheap.txt in step with uapi/linux/gcheap.h?

Each structure has the header's fields, in its order, with its sizes; each call of
the header has a description; each constant exists.  The compiler is asked, not the
header's text.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UAPI = os.path.join(HERE, "..", "..", "uapi")
SIZES = {"gcheap_object": 8, "gcheap_slab_start": 8, "gcheap_root_start": 8,
         "fd_gcheap": 4}


def size_of(kind, structs):
    """Bytes of a field of that type, which a direction may follow."""
    kind = kind.removesuffix(" (out)")
    array = re.fullmatch(r"array\[(\w+), (\d+)\]", kind)
    if array:
        return size_of(array[1], structs) * int(array[2])
    if kind.startswith(("ptr64[", "vma64")):
        return 8
    if kind in SIZES:
        return SIZES[kind]
    if kind in structs:
        return sum(size_of(k, structs) for _, k in structs[kind])
    return int(re.search(r"int(\d+)", kind)[1]) // 8


def parse(text):
    structs = {}
    for name, body in re.findall(r"^(\w+) \{\n(.*?)^\}", text, re.M | re.S):
        structs[name] = [line.split(None, 1) for line in body.splitlines()]
    calls = set(re.findall(r"^ioctl\$(GCHEAP_IOC_\w+)\(", text, re.M))
    constants = set(re.findall(r"\bGCHEAP_[A-Z_]+\b", text))
    return structs, calls, constants


def ask_compiler(structs, constants):
    """What the header says: lines 'structure field offset size'."""
    lines = ["#include <linux/gcheap.h>", "#include <stddef.h>",
             "#include <stdio.h>", "int main(void) {"]
    for name, fields in structs.items():
        lines.append(f'printf("{name} . 0 %zu\\n", sizeof(struct {name}));')
        for field, _ in fields:
            lines.append(f'printf("{name} {field} %zu %zu\\n", '
                         f"offsetof(struct {name}, {field}), "
                         f"sizeof(((struct {name} *)0)->{field}));")
    for constant in sorted(constants):
        lines.append(f"(void){constant};")
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "ask.c")
        with open(source, "w", encoding="ascii") as file:
            file.write("\n".join(lines))
        program = os.path.join(folder, "ask")
        subprocess.run(["cc", "-I", UAPI, "-o", program, source], check=True)
        return subprocess.run([program], check=True, text=True,
                              capture_output=True).stdout


def main():
    with open(os.path.join(HERE, "gcheap.txt"), encoding="ascii") as file:
        structs, calls, constants = parse(file.read())
    expected = []
    for name, fields in structs.items():
        total = sum(size_of(kind, structs) for _, kind in fields)
        expected.append(f"{name} . 0 {total}")
        offset = 0
        for field, kind in fields:
            size = size_of(kind, structs)
            expected.append(f"{name} {field} {offset} {size}")
            offset += size
    found = ask_compiler(structs, constants).splitlines()
    wrong = [f"{a} is described, the header says {b}"
             for a, b in zip(expected, found) if a != b]
    with open(os.path.join(UAPI, "linux", "gcheap.h"), encoding="ascii") as file:
        defined = set(re.findall(r"#define (GCHEAP_IOC_\w+)\s+_IO", file.read()))
    wrong += [f"{name} has no description" for name in sorted(defined - calls)]
    print("\n".join(wrong) or "gcheap.txt agrees with the header")
    return bool(wrong)


sys.exit(main())
