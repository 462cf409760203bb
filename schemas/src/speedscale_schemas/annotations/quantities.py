"""Kubernetes quantities in annotations: amounts of CPU and memory for the sidecar.

Called by the table and by the rules that compare limits with requests. Pure. A text is refused when Kubernetes would
refuse it, and also when its size shows a missing unit: 500 CPUs, 256 bytes of memory. Source: the Kubernetes API
conventions' `Quantity`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from .values import ValueType

_QUANTITY = re.compile(
    r"\+?([0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]{1,2})?"
)
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
MAX_CPUS = 128
MIN_BYTES = 1 << 20


def amount(text: str) -> Decimal:
    """Return the number that a quantity means, in CPUs or bytes; ValueError for a text that is no quantity."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError("is no quantity of Kubernetes")
    number, suffix = Decimal(match[1]), match[2] or ""
    factor = _SUFFIXES.get(suffix)
    if factor is None:
        factor = Decimal(f"1{suffix}") if suffix else Decimal(1)
    return number * factor


def _cpu(text: str) -> str:
    if amount(text) > MAX_CPUS:
        hint = f"; thousandths are written {text}m" if text.isdigit() else ""
        raise ValueError(f"is more than {MAX_CPUS} CPUs{hint}")
    return text


def _bytes(text: str) -> str:
    if 0 < amount(text) < MIN_BYTES:
        raise ValueError("is less than 1Mi (m is a thousandth, Mi is 1,048,576 bytes)")
    return text


CPU = ValueType("cpu", "an amount of CPU", _cpu, "500m")
BYTES = ValueType("bytes", "an amount of memory or storage of at least 1Mi", _bytes, "256Mi")
