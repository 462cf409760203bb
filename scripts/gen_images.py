"""The requirements of our images, made of requirements.lock and of what their programs import; called by `gen`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "runtime" / "images"))

from speedscale_images import catalogue, requirements


def files() -> Iterator[tuple[str, str]]:
    """Yield path from the root, and text; an image that would hold too much ends it with a message."""
    try:
        yield from requirements.files(catalogue.load())
    except requirements.Refused as error:
        raise SystemExit(f"gen: {error}") from error
