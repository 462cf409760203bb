"""Names of segment files: `<number>-<nonce>.spool`, number in decimal, nonce in hex. Pure but for listing a folder.

Used by `log`, which writes them, and by `inspection`, which only looks. Files of other names are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"([0-9]{12,18})-([0-9a-f]{8})\.spool")


class SegmentFile(NamedTuple):
    """A segment's number, the nonce that seeds its checksums, and where it is."""

    number: int
    nonce: int
    path: Path


def name(number: int, nonce: int) -> str:
    """Return a segment's file name; `nonce` has 32 bits."""
    return f"{number:012d}-{nonce:08x}.spool"


def find(folder: Path) -> Iterator[SegmentFile]:
    """Yield the segments in a folder, the oldest first."""
    matches = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    yield from sorted(SegmentFile(int(m[1]), int(m[2], 16), path) for m, path in matches if m is not None)
