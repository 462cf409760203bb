"""What the assertion modules share: the shape of a check, and reading its string-valued config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, Options
from speedscale_runtime.report.volatile import Learnt

Finding = Found
Check = Callable[[Answer, Answer, Learnt], Finding]

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def flag(config: Mapping[str, str], key: str, default: bool) -> bool:
    """Read a boolean written as a string; ValueError names the key."""
    text = config.get(key)
    if text is None:
        return default
    word = text.strip().lower()
    if word not in _WORDS:
        raise ValueError(f"{key}: {text!r}: expected true or false")
    return _WORDS[word]


def names(config: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Read a comma-separated list; a leading `$.` and `[*]` of JSONPath say nothing and are taken off."""
    parts = (part.strip() for part in config.get(key, "").split(","))
    return tuple(part.removeprefix("$.").replace("[*]", "") for part in parts if part)


def match(
    config: Mapping[str, str], default: Literal["values", "types", "exact"]
) -> Literal["values", "types", "exact"]:
    """Read `matchType`: `true` compares types only, `exact` lets no value differ, `false` compares values."""
    text = config.get("matchType")
    if text is None:
        return default
    if text.strip().lower() == "exact":
        return "exact"
    return "types" if flag(config, "matchType", False) else "values"


def comparison(config: Mapping[str, str]) -> Options:
    """Read the keys that bodies and schemas share into options of `structure`."""
    return Options(
        ignore=names(config, "ignore"),
        include_only=names(config, "includeOnly"),
        allow_new=flag(config, "allowNew", True),
        show_only=flag(config, "matchAll", False),
        match=match(config, "values"),
        ignore_order=flag(config, "ignoreOrder", False),
    )
