"""The digest that rules bear, so that a later look can tell whether somebody changed them. Pure.

It stands in a comment of a rule without effect at the head of a table's first chain of ours: in the rules themselves,
because nothing else in the pod is shared between the program that wrote them and whoever looks. It covers our chains
and what leads into them, without names that have to be resolved again and without the settings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .model import Chain, TablePlan
from .saved import Table, jumps_into, normal

_MARK = re.compile(r'--comment "?speedscale:(?P<label>[a-z]+):(?P<digest>[0-9a-f]{16})(?P<made>:made)?"?(\s|$)')


@dataclass(frozen=True, slots=True)
class Mark:
    """What the comment says; `made`: the table was not there before."""

    digest: str
    made: bool


def fingerprint(chains: Mapping[str, Iterable[str]], jumps: Iterable[tuple[str, str]]) -> str:
    """Return 16 hexadecimal digits that name these rules, however they are spelt; marks do not count."""
    lines = [
        f"{name} {' '.join(normal(rule))}" for name in sorted(chains) for rule in chains[name] if not _MARK.search(rule)
    ]
    lines += sorted(f"{hook} {' '.join(normal(rule))}" for hook, rule in jumps)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def of_plan(plan: TablePlan) -> str:
    """Return the fingerprint of what is wanted."""
    return fingerprint({c.name: c.rules for c in plan.chains}, [(j.hook, j.rule) for j in plan.jumps])


def of_live(plan: TablePlan, live: Table) -> str:
    """Return the fingerprint of what is there of ours."""
    there = {name: rules for name, rules in live.rules.items() if name in plan.owned}
    return fingerprint(there, jumps_into(plan.owned, live))


def find(plan: TablePlan, live: Table) -> Mark | None:
    """Return the mark that our rules bear, None where there is none."""
    for name in sorted(plan.owned & live.rules.keys()):
        for rule in live.rules[name]:
            match = _MARK.search(rule)
            if match:
                return Mark(match["digest"], match["made"] is not None)
    return None


def marked(plan: TablePlan, label: str, *, made: bool) -> TablePlan:
    """Return the plan with its mark; an empty one has none."""
    if not plan.chains:
        return plan
    head, *rest = plan.chains
    note = f'-m comment --comment "speedscale:{label}:{of_plan(plan)}{":made" if made else ""}"'
    return replace(plan, chains=(Chain(head.name, (note, *head.rules)), *rest))
