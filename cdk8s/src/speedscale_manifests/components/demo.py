"""The demo: java-server, captured by a sidecar, and java-client, which calls it for ever.

A later wave than everything else: its pods must meet a webhook that sees, since a missed injection is silent. It is the
one part of the installation that the webhook may touch. In dual mode (where iptables is refused) the Service leads to
the sidecar's inbound listener, and the server is told to call through the outbound one.
"""

from __future__ import annotations

from speedscale_manifests.objects import (
    Manifest,
    container,
    deployment,
    env,
    http_probe,
    names,
    pod_template,
    role_binding,
    scratch,
    service,
    service_account,
)
from speedscale_manifests.values import Values

from . import network, openshift
from .component import Component

SERVER = "java-server"
CLIENT = "java-client"
PORT = 8080
PROXY_IN_PORT = 4143
PROXY_OUT_PORT = 4140

_PREFIX = "sidecar.speedscale.com"
_RESOURCES = {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}}


def enabled(values: Values) -> bool:
    """Return whether the demo is deployed."""
    return values.deploy_demo == "java"


def identity(values: Values) -> list[Manifest]:
    """Return the accounts: no rights, no token; on OpenShift the server may run with the sidecar's constraints."""
    accounts = [service_account(values, SERVER), service_account(values, CLIENT)]
    if not openshift.applies(values):
        return accounts
    sidecar = ("ClusterRole", names.app_name("sidecar"))
    return [*accounts, role_binding(values, SERVER, name=f"{SERVER}-sidecar", account=SERVER, to=sidecar)]


def managed(values: Values) -> list[Manifest]:
    """Return both Deployments, the server's Service and the policies."""
    return [_server(values), _service(values), _client(values), *_policies(values)]


def _transparent(values: Values) -> bool:
    return values.sidecar.proxy_type == "transparent"


def _inbound(values: Values) -> int:
    """Return the port of the pod at which requests come in."""
    return PROXY_IN_PORT if values.sidecar.proxy_type in ("reverse", "dual") else PORT


def _server(values: Values) -> Manifest:
    temporary, mount = scratch("tmp", "/tmp", "256Mi")
    box = container(
        values,
        SERVER,
        "java-server",
        _resources(values),
        env=[env("PORT", PORT), *_dependency(values), *_proxied(values)],
        ports=[{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        livenessProbe=http_probe("/healthz", PORT, delay_s=10, period_s=20, failures=3),
        readinessProbe=http_probe("/healthz", PORT, period_s=5, failures=3),
        volumeMounts=[mount],
    )
    template = pod_template(
        values, SERVER, [box], service_account=SERVER, volumes=[temporary], terminationGracePeriodSeconds=30
    )
    return deployment(values, SERVER, template, ignore=False, annotations=_capture(values))


def _capture(values: Values) -> dict[str, str]:
    annotations = {"inject": "true", "tls-out": "true", "tls-java-tool-options": "true"}
    if not _transparent(values):
        kind = values.sidecar.proxy_type
        protocol = {"dual": "tcp:http", "reverse": "tcp", "forward": "http"}[kind]
        annotations |= {"proxy-type": kind, "proxy-protocol": protocol}
        if kind != "forward":
            annotations["proxy-port"] = str(PORT)
    return {f"{_PREFIX}/{name}": value for name, value in annotations.items()}


def _dependency(values: Values) -> list[Manifest]:
    """Return where orders are paid, when there is such a place; it belongs to the user and not to the demo."""
    return [env("DEPENDENCY_URL", values.demo.dependency_url)] if values.demo.dependency_url else []


def _proxied(values: Values) -> list[Manifest]:
    """Return what makes the server call through the sidecar where nothing redirects its traffic."""
    if values.sidecar.proxy_type not in ("forward", "dual"):
        return []
    address = f"http://127.0.0.1:{PROXY_OUT_PORT}"
    return [env("HTTP_PROXY", address), env("HTTPS_PROXY", address), env("NO_PROXY", "localhost,127.0.0.1")]


def _client(values: Values) -> Manifest:
    temporary, mount = scratch("tmp", "/tmp", "256Mi")
    box = container(
        values,
        CLIENT,
        "java-client",
        _resources(values),
        env=[env("SERVER_URL", f"http://{SERVER}.{values.namespace}.svc:{PORT}")],
        volumeMounts=[mount],
    )
    template = pod_template(
        values, CLIENT, [box], service_account=CLIENT, volumes=[temporary], terminationGracePeriodSeconds=10
    )
    return deployment(values, CLIENT, template, ignore=False)


def _resources(values: Values) -> dict[str, dict[str, str]]:
    """Return requests and limits; on Autopilot both are the same, or it writes its own over them."""
    if values.preset != "gke-autopilot":
        return _RESOURCES
    same = {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "1Gi"}
    return {"limits": same, "requests": same}


def _service(values: Values) -> Manifest:
    return service(values, SERVER, [{"name": "http", "port": PORT, "targetPort": _inbound(values)}])


def _policies(values: Values) -> list[Manifest]:
    return [
        *network.policy(
            values,
            SERVER,
            # A replay's generator calls it, too.
            ingress=[network.from_all_pods(_inbound(values)), *network.metrics(values, 4145)],
            # Its dependency is outside; in a replay it is a responder of this cluster, on whatever port was recorded.
            egress=[network.to_dns(), network.to_all_pods(), network.to_outside(values, 80, 443)],
        ),
        *network.policy(
            values,
            CLIENT,
            egress=[network.to_dns(), network.to_component(SERVER, _inbound(values))],
        ),
    ]


COMPONENT = Component(name="demo", chart="demo", enabled=enabled, identity=identity, managed=managed)
