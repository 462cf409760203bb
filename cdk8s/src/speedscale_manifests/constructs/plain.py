"""What JavaScript would change on the way is refused before it gets there.

Called by `raw`. jsii drops null in a mapping, has integers of 53 bits only, and takes keys with `$jsii.` for its own.
Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_EXACT = 1 << 53


def plain(node: Any, path: str = "") -> Any:
    """Return a copy as dicts, lists and scalars; ValueError, with the path, for what would not arrive as it left."""
    if isinstance(node, Mapping):
        return {_key(key, path): plain(value, f"{path}.{key}" if path else str(key)) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(item, f"{path}[{index}]") for index, item in enumerate(node)]
    reason = _reason(node)
    if reason:
        raise ValueError(f"{path or '(root)'}: {reason}")
    return node


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{path or '(root)'}: key {key!r} is {type(key).__name__}, expected text")
    if key.startswith("$jsii."):
        raise ValueError(f"{path or '(root)'}: key {key!r} belongs to jsii; choose another one")
    return key


def _reason(node: Any) -> str:
    if node is None:
        return "null would vanish; leave the key out"
    if isinstance(node, str | bool):
        return ""
    if isinstance(node, int | float):
        if not math.isfinite(node):
            return f"{node} is no JSON number"
        return "" if -_EXACT <= node <= _EXACT else f"{node} loses digits in JavaScript; write it as text"
    return f"{type(node).__name__} is no JSON type"
