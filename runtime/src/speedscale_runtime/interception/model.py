"""Rules as data: chains of our own, and what leads into them.

Made by `capture` and `routing`, written by `transition`. Pure. A rule is kept in the form in which `iptables-save`
prints it, so that what is wanted and what is there can be compared.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Family(StrEnum):
    """IPv4 and IPv6 have rules, and programs, of their own."""

    V4 = "ipv4"
    V6 = "ipv6"

    def of(self, thing: Address | Network) -> bool:
        """Return whether an address or network is of this family."""
        return thing.version == (4 if self is Family.V4 else 6)


@dataclass(frozen=True, slots=True)
class Jump:
    """A rule in a built-in chain that leads into one of ours; `first` keeps it before everything else there."""

    hook: str
    rule: str
    first: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """One of our chains; rules without `-A <chain>`, in order."""

    name: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What is wanted in one table of one family. `owned` are the names that this program may write and take away."""

    family: Family
    table: str
    owned: frozenset[str]
    chains: tuple[Chain, ...] = ()
    jumps: tuple[Jump, ...] = ()
