"""How calls of a workload reach the mocks: which hosts and ports, by which Service, and which cannot, and why.

Called by `plan` and, once the Services have addresses, for the workloads' patches. Pure. A host alias leads a name to
one address, so all ports of a host are of one Service: the plain one for hosts that speak plain text on any port (the
responder tells TLS by its first byte), the TLS one for the rest.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .traffic import Traffic

SERVED: Final = frozenset({"http", "https"})
"""Protocols that the responder speaks."""
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
SERVICES: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class Route:
    """A host that is mocked on some ports, by Service `responder-http` or `responder-https`."""

    host: str
    ports: tuple[int, ...]
    service: str
    tls: bool


def why_not(traffic: Traffic, routing: str) -> str:
    """Return why calls of this key cannot be led to the mocks, empty where they can."""
    if traffic.protocol not in SERVED:
        return f"protocol {traffic.protocol or 'unknown'} cannot be mocked yet, {' and '.join(sorted(SERVED))} can"
    if not traffic.port:
        return "the recording does not say on which port"
    if traffic.host == "localhost" or _is_loopback(traffic.host):
        return "the call stays in the pod"
    if _is_address(traffic.host):
        return "" if routing == "nat" else "a host alias cannot lead an address elsewhere; use routing: nat"
    if not _HOST.fullmatch(traffic.host):
        return f"{traffic.host!r} is no host name that can be led elsewhere"
    return ""


def routes(called: Iterable[Traffic]) -> tuple[Route, ...]:
    """Return the routes for keys that can be mocked, by host."""
    ports: dict[str, set[int]] = {}
    plain: set[str] = set()
    tls: set[str] = set()
    for one in called:
        ports.setdefault(one.host, set()).add(one.port)
        (tls if one.protocol == "https" else plain).add(one.host)
    return tuple(
        Route(host, tuple(sorted(found)), "http" if host in plain else "https", host in tls)
        for host, found in sorted(ports.items())
    )


def service_ports(found: Iterable[Route], service: str) -> list[dict[str, Any]]:
    """Return the ports of Service `responder-<service>`."""
    numbers = sorted({port for route in found if route.service == service for port in route.ports})
    return [{"name": f"{service}-{n}", "port": n, "targetPort": service, "protocol": "TCP"} for n in numbers]


def host_aliases(found: Iterable[Route], addresses: Mapping[str, str]) -> dict[str, str]:
    """Return host → address; `addresses` are the Services' cluster addresses by `http` and `https`."""
    return {route.host: addresses[route.service] for route in found}


def nat(found: Iterable[Route], addresses: Mapping[str, str]) -> dict[str, str]:
    """Return host:port → address:port, IPv6 addresses in brackets."""
    return {
        f"{_bracketed(route.host)}:{port}": f"{_bracketed(addresses[route.service])}:{port}"
        for route in found
        for port in route.ports
    }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback
