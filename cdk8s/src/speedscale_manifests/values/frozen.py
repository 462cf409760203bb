"""Plain JSON that cannot be changed: what values hand to every component.

A `Frozen` is a dict (so that `json.dumps` and writers take it) whose changing methods refuse; lists become tuples.
`plain` gives a copy that may be changed.
"""

from __future__ import annotations

from typing import Any, NoReturn


class Frozen(dict[str, Any]):
    """A read-only dict. `copy.deepcopy` and `copy()` give plain dicts."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("values are read-only; take plain(…) of them to change a copy")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def copy(self) -> dict[str, Any]:
        """Return a plain dict; what is inside stays read-only."""
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        copied: dict[str, Any] = plain(self)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return Frozen, (dict(self),)


def freeze(value: Any) -> Any:
    """Return plain JSON as read-only: dicts become Frozen, lists tuples."""
    if isinstance(value, dict):
        return Frozen((key, freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


def plain(value: Any) -> Any:
    """Return a copy of dicts and lists that may be changed."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
