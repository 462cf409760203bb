"""Durations and sizes as people type them; for the flags of verbs."""

from __future__ import annotations

import argparse
import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


def seconds(text: str) -> float:
    """Return a duration such as `90`, `90s`, `1h30m`, `250ms` in seconds; ArgumentTypeError when it is none."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; say for example 90s, 5m or 1h30m")
    return sum(float(n) * _SECONDS[u] for n, u in parts)


def size(text: str) -> int:
    """Return a size such as `4096`, `8MiB`, `1.5GB` in bytes; ArgumentTypeError when it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kKMG]i?B|B|)", text)
    unit = "kB" if match and match[2] == "KB" else match[2] if match else None
    if match is None or unit not in _BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; say for example 4096, 512KiB or 8MiB")
    return int(float(match[1]) * _BYTES[unit])
