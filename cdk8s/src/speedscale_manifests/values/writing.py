"""Values as YAML text that every version of YAML reads as what it is. Called by edits and by `init`. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_BARE = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./-]*[A-Za-z0-9]|[A-Za-z]|https?://[A-Za-z0-9.:/-]+[0-9a-z]|[0-9]+([mhsMGT]|[KMGT]i)"
)
_TRAPS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null")


def dump(values: dict[str, Any]) -> str:
    """Return a values file."""
    return "".join(f"{line}\n" for line in block(values, 0)) if values else "{}\n"


def entry(key: str, value: Any, depth: int) -> list[str]:
    """Return the lines of `key: value` at a depth (two spaces each), maps and lists below the key."""
    name = "  " * depth + scalar(key)
    if isinstance(value, dict | list) and value:
        return [f"{name}:", *block(value, depth + 1)]
    return [f"{name}: {scalar(value)}"]


def block(value: Any, depth: int) -> list[str]:
    """Return the lines of a map or list that is not empty."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in entry(key, item, depth)]
    pad = "  " * depth
    lines: list[str] = []
    for item in value:
        if isinstance(item, dict | list) and item:
            first, *rest = block(item, depth + 1)
            lines += [f"{pad}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{pad}- {scalar(item)}")
    return lines


def scalar(value: Any) -> str:
    """Return a scalar, an empty map or an empty list; text is quoted unless it can be nothing else."""
    if isinstance(value, str) and _BARE.fullmatch(value) and not _TRAPS.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
