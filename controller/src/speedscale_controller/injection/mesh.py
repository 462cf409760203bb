"""Service meshes beside the sidecar: which one a pod will be in, its ports, and what must be told to it.

Meshes inject into pods, we into their workloads, so their containers are mostly not there yet: their labels and
annotations say what will come. Sources: Istio's resource annotations, Linkerd's proxy configuration. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import names, workload
from .facts import Namespace

EXCLUDE_INBOUND: Final = "traffic.sidecar.istio.io/excludeInboundPorts"
INCLUDE_INBOUND: Final = "traffic.sidecar.istio.io/includeInboundPorts"
_ISTIO_PORTS = frozenset({15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090})
_LINKERD_PORTS: Mapping[str, int] = {
    "config.linkerd.io/inbound-port": 4143,
    "config.linkerd.io/outbound-port": 4140,
    "config.linkerd.io/admin-port": 4191,
    "config.linkerd.io/control-port": 4190,
}


@dataclass(frozen=True, slots=True)
class Meshes:
    """The meshes that a pod of the workload will be in, and the ports that they take in it, each with its owner."""

    istio: bool
    ambient: bool
    linkerd: bool
    ports: Mapping[int, str]

    @property
    def name(self) -> str:
        """Return the gap `mesh`."""
        return "istio" if self.istio else "istio-ambient" if self.ambient else "linkerd" if self.linkerd else "none"


def meshes(template: Mapping[str, Any], namespace: Namespace) -> Meshes:
    """Return the meshes of a pod template in a namespace."""
    labels, annotations = workload.labels_of(template), workload.annotations_of(template)
    present = {c.get("name") for c in workload.containers(template["spec"])}
    istio = "istio-proxy" in present or _istio(labels, annotations, namespace.labels)
    linkerd = "linkerd-proxy" in present or _linkerd(annotations, namespace.annotations)
    mode = labels.get("istio.io/dataplane-mode", namespace.labels.get("istio.io/dataplane-mode"))
    ports: dict[int, str] = dict.fromkeys(_ISTIO_PORTS, "Istio's proxy") if istio else {}
    if linkerd:
        for name, default in _LINKERD_PORTS.items():
            text = str(annotations.get(name, namespace.annotations.get(name, default)))
            ports[int(text) if text.isdecimal() else default] = "Linkerd's proxy"
    return Meshes(istio, mode == "ambient" and not istio, linkerd, ports)


def _istio(labels: Mapping[str, Any], annotations: Mapping[str, Any], of_namespace: Mapping[str, str]) -> bool:
    said = labels.get("sidecar.istio.io/inject", annotations.get("sidecar.istio.io/inject"))
    if said in ("true", "false"):
        return bool(said == "true")
    if of_namespace.get("istio-injection") == "disabled":
        return False
    return of_namespace.get("istio-injection") == "enabled" or bool(
        labels.get("istio.io/rev") or of_namespace.get("istio.io/rev")
    )


def _linkerd(annotations: Mapping[str, Any], of_namespace: Mapping[str, str]) -> bool:
    return annotations.get("linkerd.io/inject", of_namespace.get("linkerd.io/inject")) in ("enabled", "ingress")


def excluded_ports(annotations: Mapping[str, Any], metrics_port: int) -> str | None:
    """Return the value of Istio's exclusion with our health and metrics ports added, None where it is not ours to set.

    With STRICT mTLS a scraper without a certificate, and a kubelet whose probes are not rewritten, reach only
    excluded ports. Where the workload names the ports to include, exclusions have no effect.
    """
    if annotations.get(INCLUDE_INBOUND, "*") != "*":
        return None
    there = str(annotations.get(EXCLUDE_INBOUND, ""))
    known = [part.strip() for part in there.split(",") if part.strip()]
    if "*" in known:
        return None
    added = [str(port) for port in (names.HEALTH_PORT, metrics_port) if str(port) not in known]
    return ",".join(filter(None, (there.rstrip(", "), *added))) if added else None


def hints(found: Meshes, proxy_type: str) -> Iterable[str]:
    """Yield what a user of a mesh ought to know."""
    if proxy_type != "transparent":
        return
    if found.ambient:
        yield (
            "Istio's ambient mode redirects inside the pod as well; where traffic is missing, use"
            " sidecar.speedscale.com/proxy-type: dual"
        )
    if found.linkerd:
        yield (
            "Linkerd redirects inside the pod as well; where traffic is missing, use"
            " sidecar.speedscale.com/proxy-type: dual"
        )
