"""Compile the patterns of the built-in rules into a folder, as an image is built: `prefilter` finds them beside itself.

Run by the builder of images, never by a service:

    python -m speedscale_runtime.dlp.shipped FOLDER MACHINE

MACHINE is where they will be used, as `uname -m` says it there. Equal sources give equal files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from speedscale_schemas import builtins

from . import prefilter, rules
from .redactor import patterns


def write(folder: Path, machine: str) -> None:
    """Write a file for each built-in rule; rules that look for the same share one."""
    for name in builtins.names("dlp-rule"):
        prefilter.ship(patterns(rules.read(rules.builtin(name))), folder, machine)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
