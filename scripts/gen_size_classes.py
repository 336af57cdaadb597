#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compute gcheap's size classes and write the two headers in module/ with them.

The rules (the comparison figures are Go's runtime/mksizeclasses.go, which
allows 12.5 % for both kinds of waste together):
  - 8, then each multiple of 16 up to 128, as malloc()'s users expect;
  - above that the next class is the largest multiple of 16 such that a request
    of one byte more than the class before loses at most 12.5 % of itself;
  - a slab is the smallest number of pages with a tail of at most 3 %, at least
    8 KiB, and room for 16 objects while that takes no more than 64 KiB; so one
    slab stays small enough for a heap with a single object;
  - slot number = (offset * magic) >> 32, checked here for every byte.

  --check   only compare the table with the committed one
  --print   show the classes with their losses
"""

import argparse
import os
import sys

PAGE = 4096
MAX_SMALL = 32768
MAX_SLAB = 65536
MIN_SLAB = 8192
MAX_SLOTS = 1024
WANT_SLOTS = 16
TAIL = 0.03
ROUNDING = 0.125


def slab_bytes(size):
    """Bytes of a slab of this class, or None when each has too much tail."""
    fitting = [n * PAGE for n in range(1, MAX_SLAB // PAGE + 1)
               if n * PAGE >= max(size, MIN_SLAB)
               and (n * PAGE) // size <= MAX_SLOTS
               and (n * PAGE) % size <= TAIL * n * PAGE]
    roomy = [b for b in fitting if b // size >= WANT_SLOTS]
    if roomy:
        return roomy[0]
    return max(fitting, key=lambda b: (b // size, -b), default=None)


def classes():
    sizes = [8] + list(range(16, 129, 16))
    while sizes[-1] < MAX_SMALL:
        smallest = sizes[-1] + 1
        largest = min(MAX_SMALL, int(smallest * (1 + ROUNDING)) // 16 * 16)
        for size in range(largest, sizes[-1], -16):
            if slab_bytes(size):
                sizes.append(size)
                break
        else:
            sys.exit(f"no class fits above {sizes[-1]}")
    return [(size, slab_bytes(size)) for size in sizes]


def magic(size, slab):
    m = (1 << 32) // size + 1
    for offset in range(slab):
        if (offset * m) >> 32 != offset // size:
            sys.exit(f"no multiplier for size {size}")
    return m


HEAD = [
    "/* SPDX-License-Identifier: GPL-2.0 */",
    "/* Made by scripts/gen_size_classes.py: change that, not this. */",
]


def render(table):
    """The text of each header, by its name."""
    bounds = HEAD + [
        "#ifndef GCHEAP_SIZE_CLASS_BOUNDS_H",
        "#define GCHEAP_SIZE_CLASS_BOUNDS_H",
        "",
        f"#define SIZE_CLASS_COUNT\t{len(table)}",
        f"#define SIZE_CLASS_MAX\t\t{MAX_SMALL}",
        "",
        "#endif /* GCHEAP_SIZE_CLASS_BOUNDS_H */",
        "",
    ]
    rows = HEAD + [
        "/* Rows of size_classes[]: see struct size_class for the fields. */",
    ] + [f"{{ {s}, {b // PAGE}, {b // s}, {magic(s, b):#x}U }},"
         for s, b in table] + [""]
    return {"size_class_bounds.h": "\n".join(bounds),
            "size_class_rows.h": "\n".join(rows)}


def show(table):
    print(f"{'class':>5} {'size':>6} {'slab':>6} {'slots':>5} "
          f"{'tail %':>6} {'rounding %':>10}")
    before = 0
    for i, (s, b) in enumerate(table):
        print(f"{i:5} {s:6} {b:6} {b // s:5} {100 * (b % s) / b:6.2f} "
              f"{100 * (s - before - 1) / (before + 1):10.2f}")
        before = s


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = os.path.join(here, "..", "module")
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--check", action="store_true")
    args.add_argument("--print", action="store_true")
    args = args.parse_args()

    table = classes()
    if args.print:
        show(table)
        return
    for name, text in render(table).items():
        path = os.path.join(folder, name)
        if not args.check:
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            continue
        with open(path, encoding="ascii") as f:
            if f.read() != text:
                sys.exit(f"module/{name} is not what "
                         "scripts/gen_size_classes.py makes")


main()
