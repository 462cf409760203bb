"""On which line each value of a JSON text stands, so that an error can name it.

Called by `validation` when a text is valid JSON but a bad document. Pure.
"""

from __future__ import annotations

import json
import re

Path = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]|[^\s{}\[\],:"]+', re.DOTALL)


def lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every key's or item's value in a valid JSON text; the root is ()."""
    found: dict[Path, int] = {(): 1}
    line = 1
    stack: list[list[str | int]] = []  # one [key or index, "{" or "["] for each open object or array
    after_colon = True
    for token in _TOKEN.findall(text):
        if token == "\n":
            line += 1
            continue
        if token == ",":
            if stack[-1][1] == "[":
                stack[-1][0] = int(stack[-1][0]) + 1
                after_colon = True
            continue
        if token == ":":
            after_colon = True
            continue
        if token in ("}", "]"):
            stack.pop()
            continue
        if after_colon:
            found.setdefault(tuple(level[0] for level in stack), line)
            after_colon = False
        else:
            stack[-1][0] = _name(token)
        if token in ("{", "["):
            stack.append(["" if token == "{" else 0, token])
            after_colon = token == "["
    return found


def _name(token: str) -> str:
    """Return the name that a key's token means."""
    if "\\" not in token:
        return token[1:-1]
    name: str = json.loads(token)
    return name
