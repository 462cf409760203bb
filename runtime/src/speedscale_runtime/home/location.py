"""Where SPEEDSCALE_HOME is, and where in it rests what can be made again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return SPEEDSCALE_HOME with `~` expanded, `~/.speedscale` where it is unset or empty; it need not exist."""
    given = (os.environ if environ is None else environ).get("SPEEDSCALE_HOME")
    return Path(given or "~/.speedscale").expanduser()


def cache(home: Path, name: str) -> Path:
    """Return the folder for what can be made again, and may be deleted at any time; it need not exist."""
    return home / "cache" / name
