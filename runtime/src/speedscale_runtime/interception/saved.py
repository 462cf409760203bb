"""What `iptables-save` prints, as data; and two spellings of a rule as one.

Used by `transition`, `mesh` and `backend`. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """One table: policy by built-in chain, None for chains that a user made; rules by chain, without `-A <chain>`."""

    chains: dict[str, str | None] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Return whether it does nothing: no rule, no user's chain, and every policy accepts."""
        return not any(self.rules.values()) and all(policy == "ACCEPT" for policy in self.chains.values())


def parse(text: str) -> dict[str, Table]:
    """Return tables by name; lines that are none of them (comments, commits) are passed over."""
    found: dict[str, Table] = {}
    table: Table | None = None
    for line in text.splitlines():
        if line.startswith("*"):
            table = found.setdefault(line[1:].strip(), Table())
        elif table is None:
            continue
        elif line.startswith(":"):
            name, policy, *_ = [*line[1:].split(), ""]
            table.chains[name] = None if policy == "-" else policy
            table.rules.setdefault(name, [])
        elif line.startswith("-A "):
            name, _, rule = line[3:].partition(" ")
            table.rules.setdefault(name, []).append(rule.strip())
    return found


def normal(rule: str) -> tuple[str, ...]:
    """Return a rule's words without what versions of iptables write differently."""
    words = shlex.split(rule)
    out: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "-m" and words[index + 1 : index + 2] == ["tcp"]:
            index += 2
            continue
        if out and out[-1] in ("-s", "-d"):
            word = word.removesuffix("/32").removesuffix("/128")
        out.append(word)
        index += 1
    return tuple(out)


def targets(rule: str) -> str:
    """Return where a rule leads (`-j`, `-g`), empty where nowhere."""
    words = shlex.split(rule)
    return next((words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-j", "-g")), "")


def jumps_into(owned: Set[str], table: Table) -> list[tuple[str, str]]:
    """Return chain and rule of whatever leads into one of these chains from outside of them."""
    return [
        (name, rule)
        for name, rules in table.rules.items()
        if name not in owned
        for rule in rules
        if targets(rule) in owned
    ]
