"""What a plain YAML scalar means to kubectl: YAML 1.1 words as Go's library of Kubernetes reads them.

Called by `documents`. Pure. Differences from PyYAML that matter here: `y` and `n` are booleans, dates and `1:30`
stay text.
"""

from __future__ import annotations

import re

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = ("y", "yes", "true", "on")
_FALSE = ("n", "no", "false", "off")
_BOOLEANS = {
    form: value
    for value, words in ((True, _TRUE), (False, _FALSE))
    for w in words
    for form in (w, w.capitalize(), w.upper())
}
_INTEGERS = (
    (re.compile(r"[-+]?0b[01_]{1,64}"), 2),
    (re.compile(r"[-+]?0o[0-7_]{1,32}"), 8),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]{1,32}"), 16),
    (re.compile(r"[-+]?0[0-7_]{1,32}"), 8),
    (re.compile(r"[-+]?[0-9][0-9_]{0,32}"), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,400}|[0-9]{1,400}(\.[0-9]{0,400})?)([eE][-+]?[0-9]{1,5})?")
_STRANGE_FLOATS = {".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN"}

Scalar = str | int | float | bool | None


def plain(text: str) -> Scalar:
    """Return the value of a scalar without quotes and tag."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] in "+-.0123456789":
        for pattern, base in _INTEGERS:
            if pattern.fullmatch(text) and text[-1] != "_":
                return _integer(text, base)
        if _FLOAT.fullmatch(text):
            return float(text)
        if text in _STRANGE_FLOATS:
            return float(text.replace(".", "", 1))
    return text


def _integer(text: str, base: int) -> Scalar:
    digits = re.sub(r"^([-+]?)0[box]", r"\1", text).replace("_", "")
    try:
        return int(digits, base)
    except ValueError:
        return text
