"""Kubernetes quantities as numbers, where a setting must follow from a size.

Exact: no floating point, so that the same value gives the same bytes on every machine.
Source: Kubernetes API conventions, "Quantity" (serialisation format of resource.Quantity).
"""

from __future__ import annotations

import re
from fractions import Fraction

_FORM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,2})?")
_DECIMAL = {"": 0, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def amount(quantity: str | int | float) -> Fraction:
    """Return what a quantity stands for, e.g. `1500m` → 3/2, `2Gi` → 2147483648; ValueError when it is none."""
    match = _FORM.fullmatch(str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is no quantity; write 2Gi, 512Mi, 500m or 2")
    number, suffix = Fraction(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Fraction(1024 ** (_BINARY.index(suffix) + 1))
    power = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number * Fraction(10**power) if power >= 0 else number / Fraction(10**-power)


def whole_bytes(quantity: str | int | float) -> int:
    """Return a size in bytes, rounded down."""
    return int(amount(quantity))
