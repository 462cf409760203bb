"""When two fields mean the same: quantities by amount, an absent field as the API server's default.

Called by `compare`. Pure. Sources: Kubernetes API reference (defaults of Container, Probe, Port, PodSpec, webhooks),
`resource.Quantity` (suffixes).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "(absent)"})()

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_SUFFIXES |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_FRACTIONS = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3")}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]{0,2})")
_AMOUNT = re.compile(r"\.(limits|requests)[.\[]|\.sizeLimit\Z")
_DEFAULTS: tuple[tuple[re.Pattern[str], Any], ...] = tuple(
    (re.compile(pattern), value)
    for pattern, value in (
        (r"\.ports\[[^]]+\]\.protocol", "TCP"),
        (r"\.fieldRef\.apiVersion", "v1"),
        (r"\.httpGet\.scheme", "HTTP"),
        (r"Probe\.successThreshold", 1),
        (r"Probe\.failureThreshold", 3),
        (r"Probe\.periodSeconds", 10),
        (r"Probe\.timeoutSeconds", 1),
        (r"Probe\.initialDelaySeconds", 0),
        (r"\.(secretRef|configMapRef|secretKeyRef|configMapKeyRef)\.optional", False),
        (r"\.(volumeMounts\[[^]]+\])\.readOnly", False),
        (r"\.securityContext\.privileged", False),
        (r"\.spec\.host(Network|PID|IPC)", False),
        (r"\.spec\.dnsPolicy", "ClusterFirst"),
        (r"\.spec\.terminationGracePeriodSeconds", 30),
        (r"spec\.template\.spec\.restartPolicy", "Always"),
        (r"\.tolerations\[[^]]+\]\.operator", "Equal"),
        (r"\.hostPath\.type", ""),
        (r"spec\.internalTrafficPolicy", "Cluster"),
        (r"spec\.type", "ClusterIP"),
        (r"\.reinvocationPolicy", "Never"),
        (r"\.matchPolicy", "Equivalent"),
        (r"\.objectSelector", {}),
        (r"\.clientConfig\.service\.port", 443),
        (r"spec\.conversion\.strategy", "None"),
        (r"automountServiceAccountToken", True),
        (r"webhooks\[[^]]+\]\.timeoutSeconds", 10),
        (r"allowPrivilegedContainer|allowHost\w+", False),
    )
)


def default(path: str) -> Any:
    """Return what the API server takes for an absent field at `path`, or ABSENT."""
    return next((value for pattern, value in _DEFAULTS if re.search(rf"(?:{pattern.pattern})\Z", path)), ABSENT)


def same(path: str, one: Any, other: Any) -> bool:
    """Say whether two values at `path` mean the same; either may be ABSENT."""
    one, other = (default(path) if value is ABSENT else value for value in (one, other))
    if type(one) is type(other) and one == other:
        return True
    if not _AMOUNT.search(path):
        return False
    amounts = quantity(one), quantity(other)
    return amounts[0] is not None and amounts[0] == amounts[1]


def quantity(value: Any) -> Decimal | None:
    """Return a Kubernetes quantity (`500m`, `1.5`, `512Mi`) as a number, or None when it is none."""
    match = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None:
        return None
    scale = _FRACTIONS.get(match[2], _SUFFIXES.get(match[2]))
    try:
        return None if scale is None else Decimal(match[1]) * scale
    except InvalidOperation:
        return None
