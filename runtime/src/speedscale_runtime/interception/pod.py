"""What the pod's network says of itself: its gateways, and whether it has IPv6.

Used by the programs. The parsers are pure; `Network.read` looks into /proc/net, which is that of the own namespace.
Sources: route(8), Linux `net/ipv6/route.c` and `addrconf.c` for the files' columns.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .model import Address

_GLOBAL_SCOPE = "00"


@dataclass(frozen=True, slots=True)
class Network:
    """`gateways`: next hops of default routes; `ipv6`: there is such a stack; `ipv6_global`: others reach it."""

    gateways: tuple[Address, ...] = ()
    ipv6: bool = False
    ipv6_global: bool = False

    @classmethod
    def read(cls, proc: Path = Path("/proc/net")) -> Network:
        """Return the own namespace's; a file that is not there means none of its kind."""
        addresses = _text(proc / "if_inet6")
        gateways = (*gateways_v4(_text(proc / "route")), *gateways_v6(_text(proc / "ipv6_route")))
        return cls(tuple(dict.fromkeys(gateways)), bool(addresses.strip()), has_global(addresses))


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def gateways_v4(text: str) -> Iterator[Address]:
    """Yield the next hops of /proc/net/route's default routes, numbers in the machine's byte order."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == "00000000" and words[2] != "00000000":
            yield ipaddress.IPv4Address(int(words[2], 16).to_bytes(4, sys.byteorder))


def gateways_v6(text: str) -> Iterator[Address]:
    """Yield the next hops of /proc/net/ipv6_route's default routes."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[4] != "0" * 32:
            yield ipaddress.IPv6Address(int(words[4], 16))


def has_global(text: str) -> bool:
    """Return whether /proc/net/if_inet6 has an address of global scope."""
    return any(words[3] == _GLOBAL_SCOPE for words in map(str.split, text.splitlines()) if len(words) > 3)
