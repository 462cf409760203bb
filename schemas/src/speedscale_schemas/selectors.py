"""Label selectors of Kubernetes: what they are, whom they select, and how kubectl writes them.

Used wherever one is read: nettap's targets, the operator's diagnosis and replays, the policies of what is synthesised.
All requirements hold together, and a selector without any selects everything (meta/v1, LabelSelector). Pure. What is
read here was taken by an API server; who reads what a person wrote checks it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a selector; `values` are those of In and NotIn."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, Any]) -> bool:
        """Say whether labels fulfil it (a missing label fulfils NotIn, as in Kubernetes)."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
        return value is None

    def __str__(self) -> str:
        values = ",".join(sorted(self.values))
        match self.operator:
            case "In":
                return f"{self.key}={values}" if len(self.values) == 1 else f"{self.key} in ({values})"
            case "NotIn":
                return f"{self.key} notin ({values})"
            case "Exists":
                return self.key
        return f"!{self.key}"


def requirements(selector: object) -> tuple[Requirement, ...]:
    """Return what a selector (`matchLabels`, `matchExpressions`) asks for; nothing for what is none."""
    wanted = selector if isinstance(selector, Mapping) else {}
    equal = sorted((wanted.get("matchLabels") or {}).items())
    found = [Requirement(str(key), "In", frozenset({str(value)})) for key, value in equal]
    for one in wanted.get("matchExpressions") or ():
        values = frozenset(map(str, one.get("values") or ()))
        found.append(Requirement(str(one.get("key")), str(one.get("operator")), values))
    return tuple(found)


def selects(selector: object, labels: Mapping[str, Any]) -> bool:
    """Say whether a selector fits; an empty one fits everything."""
    return all(one.holds(labels) for one in requirements(selector))


def text(selector: object) -> str:
    """Return a selector as kubectl and the API's `labelSelector` have it; empty where it selects everything."""
    return ",".join(map(str, requirements(selector)))
