"""The processes of a cluster as a table: what each runs with, and when it is ready.

A control plane is etcd, kube-apiserver and kube-controller-manager, started in this order and stopped in the other.
Whoever needs more adds a `Component` and gives it to `Cluster`, with a `Plan` of what it needs beside: `node/` does so
for a cluster that runs pods. Components know their `Layout` only: folder, addresses, ports, certificates.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .certificates import Authority, Pair, signing_keys

HOST = "127.0.0.1"
SERVICE_RANGE = "10.96.0.0/16"
FIRST_SERVICE_IP = "10.96.0.1"
TOKENS = tuple(f"restricted-{number}" for number in range(6))
_PROBE_S = 5.0


@dataclass(frozen=True)
class User:
    """Somebody with a client certificate (`hosts`: good for serving there, too) and a kubeconfig, both named `name`."""

    name: str
    user: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a cluster has beyond a control plane on loopback.

    `address` is where pods and nodes reach the API server, `ports` are those that are given and not looked for.
    """

    address: str = HOST
    ports: Mapping[str, int] = field(default_factory=dict)
    users: tuple[User, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where a cluster's files and ports are."""

    folder: Path
    address: str
    ports: dict[str, int]
    ca: Pair
    etcd_ca: Pair
    front_proxy_ca: Pair
    service_accounts: Pair
    issued: dict[str, Pair]

    def data(self, name: str) -> str:
        """Return a folder for a component's data."""
        return str(self.folder / "data" / name)


@dataclass(frozen=True)
class Component:
    """One process: the program's name, the ports it listens on, its arguments, and whether it is ready.

    `prepare` writes what it reads (and may ask those that are ready already). One that is `installed` is looked for on
    PATH, not built. What is `awaited` in the end only does not keep the next ones from starting.
    """

    name: str
    ports: tuple[str, ...]
    arguments: Callable[[Layout], list[str]]
    ready: Callable[[Layout], bool]
    deadline_s: float = 60.0
    prepare: Callable[[Layout], None] = lambda layout: None
    installed: bool = False
    awaited: Literal["at once", "in the end"] = "at once"


def lay_out(folder: Path, names: Sequence[str], plan: Plan) -> Layout:
    """Make certificates, keys, tokens and free ports (one a name in `names` that has none) for a new cluster."""
    pki = folder / "pki"
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca, etcd_ca, front = (Authority(pki, name) for name in ("ca", "etcd-ca", "front-proxy-ca"))
    hosts = [
        HOST,
        plan.address,
        "localhost",
        FIRST_SERVICE_IP,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ]
    issued = {
        "apiserver": ca.issue("apiserver", "kube-apiserver", hosts=hosts),
        "kubelet-client": ca.issue("kubelet-client", "kube-apiserver-kubelet-client", ["system:masters"]),
        "admin": ca.issue("admin", "admin", ["system:masters"]),
        "controller-manager": ca.issue("controller-manager", "system:kube-controller-manager"),
        "etcd": etcd_ca.issue("etcd", "etcd", hosts=[HOST]),
        "etcd-client": etcd_ca.issue("etcd-client", "kube-apiserver"),
        "front-proxy": front.issue("front-proxy", "front-proxy"),
        **{one.name: ca.issue(one.name, one.user, one.groups, one.hosts) for one in plan.users},
    }
    # users without any right, for tests that give them some
    tokens = "".join(f"token-of-{user},{user},{user}\n" for user in TOKENS)
    (pki / "tokens.csv").write_text(tokens, encoding="utf-8")
    accounts = signing_keys(pki, "service-accounts")
    ports = {**free_ports([name for name in names if name not in plan.ports]), **plan.ports}
    return Layout(folder, plan.address, ports, ca.pair, etcd_ca.pair, front.pair, accounts, issued)


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Return a free port on loopback for each name; held open together, so that no two are the same."""
    held = [socket.socket() for _ in names]
    try:
        for one in held:
            one.bind((HOST, 0))
        return {name: one.getsockname()[1] for name, one in zip(names, held, strict=True)}
    finally:
        for one in held:
            one.close()


def ask(layout: Layout, port: str, path: str, ca: Pair | None, client: str) -> int:
    """Return the HTTP status that a component answers with, 0 when it does not; `ca` None skips the check."""
    return fetch(layout, port, path, ca, client)[0]


def fetch(layout: Layout, port: str, path: str, ca: Pair | None, client: str) -> tuple[int, bytes]:
    """Return the HTTP status and the body that a component answers with, like `ask`."""
    context = ssl.create_default_context(cafile=str(ca.certificate) if ca else None)
    if ca is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    pair = layout.issued[client]
    context.load_cert_chain(pair.certificate, pair.key)
    connection = http.client.HTTPSConnection(HOST, layout.ports[port], timeout=_PROBE_S, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _etcd(layout: Layout) -> list[str]:
    client = f"https://{HOST}:{layout.ports['etcd']}"
    peer = f"http://{HOST}:{layout.ports['etcd-peer']}"
    pair = layout.issued["etcd"]
    return [
        "--name=etcd",
        f"--data-dir={layout.data('etcd')}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=etcd={peer}",
        f"--cert-file={pair.certificate}",
        f"--key-file={pair.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={layout.etcd_ca.certificate}",
        "--unsafe-no-fsync",  # a cluster for tests need not survive a power cut
        "--log-level=warn",
    ]


def _apiserver(layout: Layout) -> list[str]:
    serving, kubelet = layout.issued["apiserver"], layout.issued["kubelet-client"]
    etcd, front = layout.issued["etcd-client"], layout.issued["front-proxy"]
    return [
        f"--etcd-servers=https://{HOST}:{layout.ports['etcd']}",
        f"--etcd-cafile={layout.etcd_ca.certificate}",
        f"--etcd-certfile={etcd.certificate}",
        f"--etcd-keyfile={etcd.key}",
        *_where_it_serves(layout),
        f"--secure-port={layout.ports['apiserver']}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={layout.ca.certificate}",
        f"--token-auth-file={layout.folder / 'pki' / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.service_accounts.certificate}",
        f"--service-account-signing-key-file={layout.service_accounts.key}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        f"--requestheader-client-ca-file={layout.front_proxy_ca.certificate}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={front.certificate}",
        f"--proxy-client-key-file={front.key}",
        # webhooks of a Service go to its endpoints, never to a cluster address that nothing routes
        "--enable-aggregator-routing=true",
        "--profiling=false",
    ]


def _where_it_serves(layout: Layout) -> list[str]:
    if layout.address == HOST:
        # Endpoints may not hold a loopback address
        return [f"--bind-address={HOST}", f"--advertise-address={HOST}", "--endpoint-reconciler-type=none"]
    return [
        "--bind-address=0.0.0.0",
        f"--advertise-address={layout.address}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={layout.ca.certificate}",
    ]


def _controller_manager(layout: Layout) -> list[str]:
    kubeconfig = layout.folder / "controller-manager.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={layout.ports['controller-manager']}",
        f"--cert-dir={layout.data('controller-manager')}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.service_accounts.key}",
        f"--root-ca-file={layout.ca.certificate}",
        f"--cluster-signing-cert-file={layout.ca.certificate}",
        f"--cluster-signing-key-file={layout.ca.key}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
        "--profiling=false",
    ]


def _default_account(layout: Layout) -> bool:
    """A pod can be made once the default service account is there: the last thing a new cluster gets."""
    path = "/api/v1/namespaces/default/serviceaccounts/default"
    healthy = ask(layout, "controller-manager", "/healthz", None, "admin") == 200
    return healthy and ask(layout, "apiserver", path, layout.ca, "admin") == 200


CONTROL_PLANE = (
    Component(
        "etcd",
        ("etcd", "etcd-peer"),
        _etcd,
        lambda layout: ask(layout, "etcd", "/readyz", layout.etcd_ca, "etcd-client") == 200,
    ),
    Component(
        "kube-apiserver",
        ("apiserver",),
        _apiserver,
        lambda layout: ask(layout, "apiserver", "/readyz", layout.ca, "admin") == 200,
    ),
    Component("kube-controller-manager", ("controller-manager",), _controller_manager, _default_account),
)
