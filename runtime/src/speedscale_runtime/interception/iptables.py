"""speedscale-initproxy-iptables: lead the pod's connections to the proxy (init container, transparent mode)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from . import capture, config, mesh
from .applying import Live
from .mesh import Mesh
from .model import Address, Family, TablePlan
from .pod import Network
from .program import Prepared, Program, run
from .resolving import Resolved, resolve
from .saved import Table

NAME = "speedscale-initproxy-iptables"


def main(argv: Sequence[str] | None = None) -> int:
    """Write, print, check or remove the rules; exit codes as `program` says."""
    program = Program(NAME, "capture", "Lead a pod's connections to the proxy.", _prepare)
    return run(program, sys.argv[1:] if argv is None else argv, os.environ)


def _prepare(environ: Mapping[str, str], removing: bool) -> Prepared:
    settings = config.parse_capture(environ)
    if removing:
        return Prepared(settings, lambda family, *_: [capture.nothing(family)])
    hosts = (*settings.ignore_src_hosts, *settings.ignore_dst_hosts)
    wanted = settings.proxy_type == "transparent"
    found = resolve(hosts, settings.resolve_timeout_s) if wanted else Resolved()
    node = (*settings.node, *Network.read().gateways)
    notes = [f"{name} is captured, its address is not known: {why}" for name, why in _missing(found)]

    def plans(family: Family, live: Live, told: list[str]) -> list[TablePlan]:
        there = mesh.find(live.get("nat", Table()), settings.mesh)
        facts = capture.Facts(
            _of(found, settings.ignore_src_hosts), _of(found, settings.ignore_dst_hosts), tuple(node), there
        )
        if wanted and family is Family.V4:
            told += about(there, istio_cni=settings.istio_cni)
        return [capture.plan(settings, facts, family)]

    return Prepared(settings, plans, tuple(notes), anew=settings.reinitialize)


def _of(found: Resolved, hosts: Iterable[str]) -> tuple[Address, ...]:
    return tuple(address for host in hosts for address in found.addresses.get(host, ()))


def _missing(found: Resolved) -> list[tuple[str, str]]:
    return sorted({**found.unknown, **found.unanswered}.items())


def about(found: mesh.Found, *, istio_cni: bool) -> Iterable[str]:
    """Yield what somebody who looks for missing traffic ought to know about other redirections in the pod."""
    when = "are there already" if found.present else "are announced"
    if found.mesh is Mesh.ISTIO:
        yield f"Istio's rules {when}: what arrives is seen where its proxy hands it to the application"
    elif found.mesh is Mesh.AMBIENT:
        yield f"Istio's ambient rules {when}: what its node proxy delivers is not seen; proxy-type dual sees it"
    elif found.mesh is Mesh.LINKERD:
        seen = "only what it leaves out is captured" if found.present else "nothing is captured"
        yield f"Linkerd's rules {when}: {seen}; proxy-type dual captures beside it"
    elif found.mesh is Mesh.OTHER:
        yield "rules of another program redirect here too: what these take on arrival is not captured"
    if istio_cni and found.mesh not in (Mesh.ISTIO, Mesh.AMBIENT):
        yield "ISTIO_CNI is set and Istio's rules are not there: is the pod excluded from the mesh?"


if __name__ == "__main__":
    sys.exit(main())
