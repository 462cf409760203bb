"""When an answer goes out: at once, after the recorded duration, or a multiple of it. Pure."""

from __future__ import annotations

import re

from speedscale_schemas.errors import ConfigError

DELAY_MAX_S = 600.0
_FACTOR = re.compile(r"(\d+(?:\.\d+)?)x")


def factor(text: str) -> float:
    """Return what recorded durations are multiplied by: `none` 0, `recorded` 1, `5x` 5 (five times as slow).

    ConfigError for anything else.
    """
    if text == "none":
        return 0.0
    if text == "recorded":
        return 1.0
    match = _FACTOR.fullmatch(text)
    if match is None:
        raise ConfigError([f"timing {text!r}: expected none, recorded, or a factor such as 5x or 0.5x"])
    return float(match[1])


def delay_s(duration_ms: int, times: float) -> float:
    """Return the delay of an answer in seconds, at most DELAY_MAX_S."""
    return min(duration_ms * times / 1000, DELAY_MAX_S)
