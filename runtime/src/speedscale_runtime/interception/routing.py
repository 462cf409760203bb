"""Which destinations are the responder's in a replay (`routing: nat`): routes and resolved names in, rules out.

Called by `routes`. Pure. Unlike capture this must not fail open: a call that is not led to the mocks reaches the real
service, so what cannot be led there (an IPv6 address of a host whose mocks have only IPv4) is refused to the caller.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .model import Address, Chain, Family, Jump, TablePlan

CHAIN: Final = "SPEEDSCALE_ROUTES"
OWNED: Final = frozenset({CHAIN})
_PORT = re.compile(r"[0-9]{1,5}")
_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)*\.?"
)


@dataclass(frozen=True, slots=True)
class Route:
    """Connections to `host` (a name or an address) and `port` go to `to` and `to_port`."""

    host: str
    port: int
    to: Address
    to_port: int

    @property
    def address(self) -> Address | None:
        """Return the host where it is an address."""
        return _address(self.host)


def parse(routes: Mapping[str, object]) -> tuple[tuple[Route, ...], list[str]]:
    """Return the routes, and what is wrong with those that are none."""
    found, problems = [], []
    for source, target in sorted(routes.items()):
        here = _split(source)
        there = _split(target) if isinstance(target, str) else None
        to = _address(there[0]) if there else None
        if here is None or not (_address(here[0]) or _NAME.fullmatch(here[0])):
            problems.append(
                f"environment: RESPONDER_ROUTES: {source!r}: expected host:port, IPv6 addresses in brackets"
            )
        elif there is None or to is None:
            problems.append(
                f"environment: RESPONDER_ROUTES: {source!r}: {target!r}: expected address:port of the responder's"
                " Service, IPv6 addresses in brackets"
            )
        else:
            found.append(Route(here[0], here[1], to, there[1]))
    return tuple(found), problems


def _split(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536 or not host:
        return None
    if host.startswith("[") and host.endswith("]"):
        return (host[1:-1], int(port)) if ":" in host else None
    return None if ":" in host else (host, int(port))


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(found, "scope_id", None) else found


def names(routes: Iterable[Route]) -> tuple[str, ...]:
    """Return the hosts that have to be resolved."""
    return tuple(dict.fromkeys(route.host for route in routes if route.address is None))


def plans(
    routes: Iterable[Route], resolved: Mapping[str, tuple[Address, ...]], family: Family
) -> tuple[TablePlan, TablePlan]:
    """Return what is wanted in tables nat and filter; `resolved` is name → addresses."""
    led: dict[str, None] = {}
    refused: dict[str, None] = {}
    claimed: set[tuple[Address, int]] = set()
    for route, address in _by_address(routes, resolved):
        if not family.of(address) or (address, route.port) in claimed:
            continue
        claimed.add((address, route.port))
        match = f"-d {address}/{address.max_prefixlen} -p tcp -m tcp --dport {route.port}"
        if family.of(route.to):
            led[f"{match} -j DNAT --to-destination {_bracketed(route.to)}:{route.to_port}"] = None
        else:
            refused[f"{match} -j REJECT --reject-with tcp-reset"] = None
    return (_plan(family, "nat", tuple(led)), _plan(family, "filter", tuple(refused)))


def shared(routes: Iterable[Route], resolved: Mapping[str, tuple[Address, ...]]) -> tuple[str, ...]:
    """Return what cannot be told apart: hosts of one address and port that would go to different places."""
    first: dict[tuple[Address, int], Route] = {}
    found: dict[str, None] = {}
    for route, address in _by_address(routes, resolved):
        other = first.setdefault((address, route.port), route)
        if (other.to, other.to_port) != (route.to, route.to_port):
            found[f"{route.host}:{route.port} and {other.host} are both {address}; both go to {other.to}"] = None
    return tuple(found)


def _by_address(
    routes: Iterable[Route], resolved: Mapping[str, tuple[Address, ...]]
) -> Iterator[tuple[Route, Address]]:
    """Yield each address that is routed; routes that name an address themselves come before names."""
    ordered = sorted(routes, key=lambda route: (route.address is None, route.host, route.port))
    for route in ordered:
        own = route.address
        for address in (
            (own,) if own is not None else sorted(resolved.get(route.host, ()), key=lambda a: (a.version, a))
        ):
            yield route, address


def _plan(family: Family, table: str, rules: tuple[str, ...]) -> TablePlan:
    if not rules:
        return nothing(family, table)
    return TablePlan(family, table, OWNED, (Chain(CHAIN, rules),), (Jump("OUTPUT", f"-p tcp -j {CHAIN}"),))


def nothing(family: Family, table: str) -> TablePlan:
    """Return the plan that takes everything out."""
    return TablePlan(family, table, OWNED)


def _bracketed(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
