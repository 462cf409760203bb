"""Whose a captured socket is, and which of its connections are recorded. Made by `pods`, read by `sockets`."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from speedscale_runtime.recording.config import Identity

from .causes import Passed
from .wire import Role

_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Owner:
    """A pod, or a cgroup that was named without one.

    `ports`, where there are any, are those to record: of the server's end of a connection. `node` are the addresses of
    the node: what comes from there (probes) is not recorded, nor the server's end of a connection within the pod,
    unless `loopback` says so.
    """

    identity: Identity
    ports: frozenset[int] = frozenset()
    node: frozenset[str] = frozenset()
    loopback: bool = False

    def passes_over(self, role: int, local: tuple[str, int], remote: tuple[str, int]) -> Passed | None:
        """Return why a connection is not recorded, None when it is."""
        serves = role == Role.SERVER
        if self.ports and (local if serves else remote)[1] not in self.ports:
            return Passed.PORT
        if serves and not self.loopback and (remote[0] == local[0] or is_loopback(remote[0])):
            return Passed.LOOPBACK
        if serves and remote[0] in self.node and remote[0] != local[0]:
            return Passed.NODE
        return None


def is_loopback(host: str) -> bool:
    """Say whether an address is the machine's own."""
    return host.startswith("127.") or host == "::1"


def address(family: int, raw: bytes) -> str:
    """Return an address as text: IPv4 for IPv4 that a socket of both families shows as IPv6; "" when not known."""
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if family == 6:
        mapped = raw.startswith(_MAPPED)
        return socket.inet_ntop(*((socket.AF_INET, raw[12:]) if mapped else (socket.AF_INET6, raw)))
    return ""
