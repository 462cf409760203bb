"""The Containerfiles and requirements of our images, from their table, the lock and the programs; called by `gen`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "runtime" / "images"))

from speedscale_images import catalogue, containerfile, requirements


def files() -> Iterator[tuple[str, str]]:
    """Yield path from the root, and text; an image that would hold too much ends it with a message."""
    table = catalogue.load()
    yield from containerfile.files(table)
    try:
        yield from requirements.files(table)
    except requirements.Refused as error:
        raise SystemExit(f"gen: {error}") from error
