"""Names and paths that the sidecar has in a workload: what we add, and by what we find it again.

Names only. The vendor's earlier names stand here too: what bears them is replaced by ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from speedscale_schemas.annotations import OPERATOR, REPLAY
from speedscale_schemas.asking import sidecar

CONTAINER: Final = sidecar.CONTAINER
INIT: Final = "speedscale-initproxy-"
INIT_RULES: Final = f"{INIT}iptables"
INIT_DNS: Final = f"{INIT}smartdns"
INIT_ROUTES: Final = f"{INIT}responder"

TRUST_VOLUME: Final = "speedscale-trust"
DIAGNOSTICS_VOLUME: Final = "speedscale-diagnostics"
TLS_IN_VOLUME: Final = "speedscale-tls-in"
TLS_MUTUAL_VOLUME: Final = "speedscale-tls-mutual"
VOLUMES: Final = frozenset(
    {
        "speedscale-tmp",
        "speedscale-certs",
        DIAGNOSTICS_VOLUME,
        TRUST_VOLUME,
        TLS_IN_VOLUME,
        TLS_MUTUAL_VOLUME,
    }
)
EARLIER_VOLUMES: Final = frozenset({"speedscale-tls-out", "speedscale-jks", "speedscale-tls", "speedscale-tls-certs"})

TRUST_PATH: Final = "/etc/ssl/speedscale"
"""Where the application's containers have the bundle of roots; the vendor's path, so that scripts find it."""
CA_BUNDLE: Final = f"{TRUST_PATH}/ca-bundle.crt"
JAVA_STORE: Final = f"{TRUST_PATH}/jks/cacerts.jks"
TLS_IN_PATH: Final = "/etc/ssl/speedscale-in"
TLS_MUTUAL_PATH: Final = "/etc/ssl/speedscale-mutual"

MESHES: Final = frozenset(
    {"istio-proxy", "istio-init", "istio-validation", "linkerd-proxy", "linkerd-init", "linkerd-network-validator"}
)
"""Containers of meshes, to which nothing of ours is added."""

HEALTH_PORT: Final = 4144
METRICS_PORT: Final = 4145
UID: Final = 2102

INJECTED: Final = sidecar.INJECTED
IGNORE: Final = f"{OPERATOR}/ignore"
SUT: Final = f"{OPERATOR}/sut"
MANAGED_BY: Final = f"{OPERATOR}/managed-by"
MANAGED_FROM: Final = f"{OPERATOR}/namespace"
REVERT: Final = sidecar.REVERT
ENV_ID: Final = f"{REPLAY}/env-id"
REPORT_ID: Final = f"{REPLAY}/report-id"


def is_our_container(container: Mapping[str, Any]) -> bool:
    """Return whether a container is the sidecar or one of its init containers, by its name."""
    name = container.get("name")
    return isinstance(name, str) and (name == CONTAINER or name.startswith(INIT))
