"""Read the configuration of an extractor or a step: strings by key, any letter case, checked at compile time."""

from __future__ import annotations

from collections.abc import Mapping

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

from . import golang

_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no", ""}


class Config:
    """The `config` object of one extractor or step; `where` names it in messages.

    Call the getters, then `close`, which refuses every key that nobody asked for.
    """

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self.where = where
        self._values = {k.casefold(): _string(v) for k, v in values.items()}
        self._names = {k.casefold(): k for k in values}
        self._known: list[str] = []

    def text(self, *names: str, default: str = "") -> str:
        """Return the first of `names` (aliases) that is set."""
        self._known += names
        for name in names:
            if name.casefold() in self._values:
                return self._values[name.casefold()]
        return default

    def required(self, *names: str) -> str:
        """Like `text`; ConfigError where none is set."""
        value = self.text(*names)
        if not value and not any(n.casefold() in self._values for n in names):
            raise self.error(f"{names[0]!r} is required")
        return value

    def integer(self, *names: str, default: int = 0) -> int:
        """Return a whole number."""
        value = self.text(*names)
        if not value:
            return default
        try:
            return int(value)
        except ValueError:
            raise self.error(f"{names[0]}: {value!r} is no whole number") from None

    def boolean(self, *names: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self.text(*names, default=str(default)).strip().casefold()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise self.error(f"{names[0]}: {value!r} is neither true nor false")

    def choice(self, *names: str, of: tuple[str, ...], default: str) -> str:
        """Return one of the words in `of`, whatever its letter case."""
        value = self.text(*names, default=default)
        for word in of:
            if word.casefold() == value.casefold():
                return word
        near = nearest(value, of)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise self.error(f"{names[0]}: {value!r} is none of {', '.join(of)}{hint}")

    def items(self, *names: str) -> list[str]:
        """Return the parts of a comma-separated list, empty ones left out."""
        return [part.strip() for part in self.text(*names).split(",") if part.strip()]

    def duration(self, *names: str, default: str = "") -> float | None:
        """Return seconds from a Go duration (with `d` for days), or None where unset."""
        value = self.text(*names, default=default)
        if not value:
            return None
        try:
            return golang.duration(value)
        except ValueError as error:
            raise self.error(f"{names[0]}: {error}") from None

    def error(self, message: str) -> ConfigError:
        """Return an error that names the place."""
        return ConfigError([f"{self.where}: {message}"])

    def close(self) -> None:
        """Refuse keys that nobody asked for."""
        known = {n.casefold() for n in self._known}
        for folded, name in self._names.items():
            if folded not in known:
                near = nearest(name, self._known)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                takes = (
                    f"known are {', '.join(dict.fromkeys(self._known))}" if self._known else "it takes no configuration"
                )
                raise self.error(f"unknown key {name!r}; {takes}{hint}")


def _string(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "" if value is None else str(value)
