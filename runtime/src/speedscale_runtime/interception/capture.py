"""Which connections of a pod meet the proxy: settings and facts in, rules for both families out.

Called by `iptables`. Pure. Read `outbound`, `loopback` and `inbound` from top to bottom: the first rule that fits
decides, and everything that is not a new TCP connection passes untouched. What the proxy itself opens (its user) never
comes back to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from . import mesh
from .config import CaptureSettings
from .mesh import Mesh
from .model import Address, Chain, Family, Jump, Network, TablePlan

IN: Final = "SPEEDSCALE_IN"
OUT: Final = "SPEEDSCALE_OUT"
LO: Final = "SPEEDSCALE_LO"
OWNED: Final = frozenset({IN, OUT, LO})
DNS: Final = 53
_INBOUND_BY_ISTIO: Final = {Family.V4: "127.0.0.6/32", Family.V6: "::6/128"}
"""From where Istio's proxy delivers inbound connections to the application."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the settings do not say. `sources`, `destinations`: what ignored hosts resolve to; `node`: its addresses."""

    sources: tuple[Address, ...] = ()
    destinations: tuple[Address, ...] = ()
    node: tuple[Address, ...] = ()
    mesh: mesh.Found = field(default_factory=mesh.Found)


def plan(settings: CaptureSettings, facts: Facts, family: Family) -> TablePlan:
    """Return what is wanted in table nat; nothing outside of transparent mode, where no traffic is redirected."""
    if settings.proxy_type != "transparent" or not redirects(facts.mesh):
        return nothing(family)
    chains = [Chain(OUT, tuple(outbound(settings, facts, family)))]
    if settings.track_loopback and not settings.ignore_loopback:
        chains.append(Chain(LO, tuple(loopback(settings, facts))))
    before_others = facts.mesh.mesh is not Mesh.LINKERD
    jumps = [Jump("OUTPUT", f"-p tcp -j {OUT}", first=before_others)]
    if captures_arrivals(facts.mesh):
        chains.append(Chain(IN, tuple(inbound(settings, facts, family))))
        jumps.append(Jump("PREROUTING", f"-p tcp -j {IN}"))
    return TablePlan(family, "nat", OWNED, tuple(chains), tuple(jumps))


def nothing(family: Family) -> TablePlan:
    """Return the plan that takes everything out."""
    return TablePlan(family, "nat", OWNED)


def redirects(found: mesh.Found) -> bool:
    """Return whether rules can be written beside this mesh.

    Linkerd's proxy has our proxy's user id, so each passes the other's traffic by. Rules before Linkerd's would take
    traffic past its encryption; behind them they meet only what Linkerd leaves out; before it is there they could only
    be before it.
    """
    return found.mesh is not Mesh.LINKERD or found.present


def captures_arrivals(found: mesh.Found) -> bool:
    """Return whether what arrives at the pod can be taken: a mesh's ciphertext is for the mesh's proxy.

    Behind rules that are there only what the mesh leaves out is seen. Rules that come later would be behind ours.
    """
    return found.mesh is Mesh.NONE or found.present


def outbound(settings: CaptureSettings, facts: Facts, family: Family) -> Iterator[str]:
    """Yield the rules for what the pod's processes open."""
    yield f"-m owner --uid-owner {settings.proxy_uid} -j RETURN"
    own = _own_ports(settings)
    if facts.mesh.mesh is Mesh.ISTIO:
        source = _INBOUND_BY_ISTIO[family]
        yield from (f"-s {source} -o lo -p tcp -m tcp --dport {port} -j RETURN" for port in own)
        yield from (
            f"-s {source} -o lo -p tcp -m tcp --dport {port} -j RETURN" for port in settings.ignore_inbound_ports
        )
        yield f"-s {source} -o lo -p tcp -j REDIRECT --to-ports {settings.in_port}"
    yield from (f"-m owner --uid-owner {uid} -j RETURN" for uid in facts.mesh.uids if uid != str(settings.proxy_uid))
    yield from (f"-m owner --gid-owner {gid} -j RETURN" for gid in facts.mesh.gids)
    if facts.mesh.mesh is Mesh.AMBIENT:
        yield f"-m mark --mark {mesh.ZTUNNEL_MARK} -j RETURN"
    yield f"-p tcp -m tcp --dport {DNS} -j RETURN"
    if settings.ignore_loopback:
        yield "-o lo -j RETURN"
    elif settings.track_loopback:
        yield f"-o lo -g {LO}"
    else:
        yield from (f"-o lo -p tcp -m tcp --dport {port} -j RETURN" for port in own)
    yield from _networks("-d", settings.ignore_dst, facts.destinations, family)
    yield from (f"-p tcp -m tcp --dport {port} -j RETURN" for port in settings.ignore_outbound_ports)
    yield f"-p tcp -j REDIRECT --to-ports {settings.out_port}"


def loopback(settings: CaptureSettings, facts: Facts) -> Iterator[str]:
    """Yield the rules for what stays in the pod, where it is to be seen as inbound traffic."""
    ports = dict.fromkeys((*_own_ports(settings), *_of_mesh(facts), *settings.ignore_inbound_ports))
    yield from (f"-p tcp -m tcp --dport {port} -j RETURN" for port in ports)
    yield f"-p tcp -j REDIRECT --to-ports {settings.in_port}"


def inbound(settings: CaptureSettings, facts: Facts, family: Family) -> Iterator[str]:
    """Yield the rules for what arrives; what only passes through the pod (nested containers) is not inbound traffic."""
    yield "-m addrtype ! --dst-type LOCAL -j RETURN"
    ports = dict.fromkeys((*_own_ports(settings), *_of_mesh(facts), *settings.ignore_inbound_ports))
    yield from (f"-p tcp -m tcp --dport {port} -j RETURN" for port in ports)
    node = () if settings.node_traffic else facts.node
    yield from _networks("-s", settings.ignore_src, (*node, *facts.sources), family)
    yield f"-p tcp -j REDIRECT --to-ports {settings.in_port}"


def _own_ports(settings: CaptureSettings) -> tuple[int, ...]:
    ports = (settings.in_port, settings.out_port, settings.health_port, settings.metrics_port)
    return tuple(dict.fromkeys(port for port in ports if port))


def _of_mesh(facts: Facts) -> tuple[int, ...]:
    return mesh.ISTIO_PORTS if facts.mesh.mesh in (Mesh.ISTIO, Mesh.AMBIENT) else ()


def _networks(flag: str, given: Iterable[Network], found: Iterable[Address], family: Family) -> Iterator[str]:
    networks = [str(network) for network in given if family.of(network)]
    hosts = [f"{one}/{one.max_prefixlen}" for one in found if family.of(one)]
    for text in dict.fromkeys((*networks, *hosts)):
        yield f"{flag} {text} -j RETURN" if not text.endswith("/0") else "-j RETURN"
