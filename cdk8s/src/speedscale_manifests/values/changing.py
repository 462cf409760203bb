"""`speedctl values set`: assignments applied to the text of one values file, refused when they would break it. Pure but
for the files below it, which are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import arguments, editing, loading, reading
from .frozen import plain
from .layers import Layer, is_setting, merge
from .loading import FileName
from .places import Path, Refusal, ValuesError


def changed(content: str, source: str, assignments: Sequence[str], below: Sequence[FileName] = ()) -> str:
    """Return the text with the assignments in it, everything else as it was.

    null takes a key out of the file, or stands there where it takes a default away. Raises ValuesError for what is
    wrong with an assignment or with what it makes of the values; problems that were there before do not bar a change.
    """
    layer = reading.read(content, source)
    lower: list[Layer] = []
    refusals: list[Refusal] = []
    for name in below:
        found, wrong = loading.parse_file(name)
        lower.append(found)
        refusals += wrong
    if refusals:
        raise ValuesError(refusals)
    wanted: dict[str, Any] = plain(dict(layer.tree))
    for argument in assignments:
        given = arguments.assignment(argument)
        _put(wanted, given.layer(merge([*lower, Layer(source, wanted)]).tree).tree)
        if given.value is None:
            _take_away(wanted, given.path, merge(lower).tree)
    edited = editing.edit(content, wanted, source)
    known = {(r.path, r.reason) for r in loading.judge([*lower, layer])[1]}
    after = loading.judge([*lower, reading.read(edited, source)])[1]
    new = [refusal for refusal in after if (refusal.path, refusal.reason) not in known]
    if new:
        raise ValuesError(new)
    return edited


def _put(target: dict[str, Any], given: Any) -> None:
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _put(target[key], value)
        else:
            target[key] = plain(value)


def _take_away(target: dict[str, Any], path: Path, below: dict[str, Any]) -> None:
    """Take a key out; null stays only inside a map that a lower layer has the key in, for it takes that one away."""
    if any(isinstance(part, int) for part in path):
        return  # the list was written anew
    holders: list[Any] = [target]
    lower: Any = below
    for part in path[:-1]:
        holders.append(holders[-1][part])
        lower = lower.get(part) if isinstance(lower, dict) else None
    if not is_setting(path) and isinstance(lower, dict) and path[-1] in lower:
        return
    for holder, part in zip(reversed(holders), reversed(path), strict=True):
        del holder[part]
        if holder:  # a map that this left empty goes, too
            break
