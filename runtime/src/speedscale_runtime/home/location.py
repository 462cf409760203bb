"""Where SPEEDSCALE_HOME is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return SPEEDSCALE_HOME with `~` expanded, `~/.speedscale` where it is unset or empty; it need not exist."""
    given = (os.environ if environ is None else environ).get("SPEEDSCALE_HOME")
    return Path(given or "~/.speedscale").expanduser()
