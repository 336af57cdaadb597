#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints how each file of the module and the library is compiled, for editors and clang.

compile_commands.py KDIR, after the module was built in this tree for the kernel there.
Debian's headers come without the kernel's own script for that.
"""

import json
import os
import re
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))

# Older kernels have no 'saved'.
SAVED = re.compile(r"^(?:saved)?cmd_\S+ := (.* (\S+\.c))\s*(;.*)?$", re.MULTILINE)


def module(kdir):
    """Kbuild keeps the command of each object beside it."""
    folder = os.path.join(ROOT, "module")
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".o.cmd"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            found = SAVED.search(file.read())
        if found:
            command = found.group(1).replace("$(pound)", "#").replace("$$", "$")
            # Newer kernels build in the module's own folder.
            source = found.group(2)
            where = kdir if os.path.isabs(source) else ROOT
            yield {"directory": where, "file": os.path.join(where, source), "command": command}


def library():
    """make says what it would do."""
    told = subprocess.run(
        ["make", "-n", "-B", "-s", "--no-print-directory", "OUT=" + os.path.join(ROOT, "build")],
        cwd=os.path.join(ROOT, "uapi"), check=True, capture_output=True, text=True)
    for command in told.stdout.splitlines():
        found = re.search(r" -c .* (\S+\.c)$", command)
        if found:
            folder = os.path.join(ROOT, "uapi")
            yield {"directory": folder, "file": os.path.join(folder, found.group(1)),
                   "command": command}


def main():
    """All of them in one list"""
    commands = list(module(os.path.realpath(sys.argv[1])))
    if not commands:
        sys.exit("gcheap: the module was not built in this tree")
    json.dump(commands + list(library()), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
