#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints how files of the module, the library and the tests are compiled, for editors and clang.

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


def told(folder, argument):
    """make says what it would do; here it is for each source."""
    folder = os.path.join(ROOT, folder)
    said = subprocess.run(
        ["make", "-n", "-B", "-s", "--no-print-directory", argument],
        cwd=folder, check=True, capture_output=True, text=True)
    for command in said.stdout.replace("\\\n", " ").splitlines():
        # Some are compiled and linked at once.
        found = re.match(r"(\S*cc .*?)(?: -c)? -o \S+ (.*)", command)
        for source in re.findall(r"\S+\.c(?!\S)", found.group(2)) if found else ():
            yield {"directory": folder, "file": os.path.join(folder, source),
                   "command": f"{found.group(1)} -c {source}"}


def library():
    """The library, and gcheap, the command"""
    return told("uapi", "OUT=" + os.path.join(ROOT, "build"))


def selftests():
    """Programs of the tests; of what is compiled in several ways, the first.

    What they say of the library is for another folder.
    """
    seen = {}
    for entry in told("selftests", "OUT=" + os.path.join(ROOT, "build", "selftests")):
        if os.path.exists(entry["file"]):
            seen.setdefault(entry["file"], entry)
    return seen.values()


def main():
    """All of them in one list"""
    commands = list(module(os.path.realpath(sys.argv[1])))
    if not commands:
        sys.exit("gcheap: the module was not built in this tree")
    json.dump(commands + [*library(), *selftests()], sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
