"""Where a redirected connection was meant to go, and whether it is one of our own.

Used by worker and supervisor in transparent mode. The kernel's rules (REDIRECT) bring a connection to our listener and
connection tracking remembers its original destination; SO_ORIGINAL_DST (linux/netfilter_ipv4.h) and
IP6T_SO_ORIGINAL_DST (linux/netfilter_ipv6/ip6_tables.h) tell it. Standard library only; no policy here.
"""

from __future__ import annotations

import socket
import struct

TYPE_CHECKING = False  # the typing module costs a megabyte
if TYPE_CHECKING:
    from typing import Protocol

    class Socket(Protocol):
        """What is needed of a socket: the loop's own kind has it as well."""

        def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
            """As socket.socket has it."""
            ...


_ORIGINAL_DST = 80  # both families
_MAPPED = "::ffff:"
_V4_BYTES, _V6_BYTES = 16, 28  # struct sockaddr_in, sockaddr_in6

Address = tuple[str, int]


def original(sock: Socket, local: tuple[object, ...]) -> Address | None:
    """Return the destination of an accepted connection before it was redirected; `local` is its own address.

    None when the kernel knows of none: the connection was not redirected, or is no longer tracked.
    """
    host = str(local[0])
    try:
        if ":" in host and not host.startswith(_MAPPED):
            raw = sock.getsockopt(socket.IPPROTO_IPV6, _ORIGINAL_DST, _V6_BYTES)
            (port,) = struct.unpack_from("!H", raw, 2)
            return socket.inet_ntop(socket.AF_INET6, raw[8:24]), port
        raw = sock.getsockopt(socket.IPPROTO_IP, _ORIGINAL_DST, _V4_BYTES)
        (port,) = struct.unpack_from("!H", raw, 2)
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), port
    except OSError:
        return None


def plain(host: str) -> str:
    """Return an address without the prefix that a socket of both families puts before IPv4, and without a zone."""
    return host.removeprefix(_MAPPED).partition("%")[0]


def address(name: tuple[object, ...]) -> Address:
    """Return host and port of a socket's name."""
    return plain(str(name[0])), int(str(name[1]))


class Own:
    """Connections that we opened ourselves, by local address and destination.

    Whoever is accepted with such a pair is ourselves: the rules do not exempt us, and passing the connection on would
    bring it back for ever. Both are needed, because a local port may serve two users at once towards two destinations.
    Bounded by the connections that are open.
    """

    def __init__(self) -> None:
        self._held: set[tuple[Address, Address]] = set()

    def add(self, local: tuple[object, ...], target: tuple[object, ...]) -> tuple[Address, Address]:
        """Remember a socket that connects; return what to `remove` when it is gone."""
        pair = address(local), address(target)
        self._held.add(pair)
        return pair

    def remove(self, pair: tuple[Address, Address]) -> None:
        """Forget it."""
        self._held.discard(pair)

    def holds(self, peer: tuple[object, ...], target: Address) -> bool:
        """Whether a client with this address and destination is ourselves."""
        return bool(peer) and (address(peer), target) in self._held


def loops(target: Address, local: tuple[object, ...], own_ports: frozenset[int], pod_ip: str) -> bool:
    """Whether a destination is one of our own listeners."""
    host, port = target
    if port not in own_ports:
        return False
    if not local or target == address(local):
        return True
    return host in (pod_ip, "::1", "0.0.0.0", "::") or host.startswith("127.") or host == plain(str(local[0]))
