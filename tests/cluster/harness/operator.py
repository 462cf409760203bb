"""The operator from the source tree on a test's cluster: installed as synthesised, run as processes, called as one.

What is real: definition, rights, ConfigMaps, bundle and webhook configurations are those of `speedctl synth`; the
operator runs with a token of its ServiceAccount and nothing else; the API server calls it by its Service, with the
Service's name in TLS. What a cluster without nodes lacks is played here: who starts the pods (`Installation.start`),
and who writes into the Service's endpoints which of them are ready (`_Endpoints`, as kubelet and endpoint controller do
by /readyz).

An endpoint of a Service may not be a loopback address, so replicas listen on this machine's own address; traffic to it
stays inside of the machine. Without any such address (`own_address`) tests that need this are skipped.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ServerError
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import Values, from_mapping
from speedscale_schemas import x509

from .cluster import Cluster
from .components import free_ports
from .definitions import define, undefine
from .process import Process
from .reached import PATIENCE

MANAGER = "installation"
NAME = "speedscale-operator"
SECRET = Ref("v1", "Secret", "", "speedscale-webhook-certs")
WEBHOOKS = (
    ("MutatingWebhookConfiguration", NAME),
    ("MutatingWebhookConfiguration", f"{NAME}-replay"),
    ("ValidatingWebhookConfiguration", f"{NAME}-replay"),
)
ADMISSION = "admissionregistration.k8s.io/v1"
_KINDS = frozenset({"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}) | {
    "ServiceAccount",
    "ConfigMap",
}
_PARTS = frozenset({"crd", "rbac", "operator", "webhooks"})
_POLL_S = 0.1
_ASK_S = 5.0
_FORGIVEN = 9  # the Deployment's failureThreshold is 10


def own_address() -> str:
    """Return an address of this machine that may stand in an Endpoints object; empty when it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # routes only: nothing is sent
        address = str(probe.getsockname()[0])
        return "" if address.startswith("127.") else address
    return ""


class Replica:
    """One pod of the operator: a supervisor with its two processes."""

    def __init__(self, name: str, folder: Path, environ: Mapping[str, str], address: str) -> None:
        self.name, self.address = name, address
        self.ports = free_ports(("webhook", "health"))
        sources = [path for path in (environ.get("PYTHONPATH"), os.environ.get("PYTHONPATH")) if path]
        self._environ = {
            **environ,
            **({"PYTHONPATH": os.pathsep.join(sources)} if sources else {}),  # the sources that the test itself has
            "POD_NAME": name,
            "WEBHOOK_HOST": address,
            "WEBHOOK_PORT": str(self.ports["webhook"]),
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(self.ports["health"]),
            "PATH": os.environ.get("PATH", ""),
        }
        self._temporary = ""
        self.process = Process(name, folder)

    @property
    def pid(self) -> int | None:
        """The supervisor's process id while it runs."""
        return self.process.pid

    def start(self) -> None:
        """Start it; ready it is later (`Installation.wait_ready`)."""
        self._temporary = tempfile.mkdtemp(prefix="op")  # sockets in it: their paths have to be short
        command = [sys.executable, "-m", "speedscale_controller.manager"]
        self.process.start(command, environment={**self._environ, "TMPDIR": self._temporary})

    def stop(self, deadline_s: float = 30.0) -> None:
        """End it as a kubelet does: SIGTERM, later SIGKILL."""
        self.process.stop(deadline_s)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page of its health port; status 0 when nobody answers."""
        url = f"http://127.0.0.1:{self.ports['health']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=_ASK_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    @property
    def ready(self) -> bool:
        """Whether /readyz says so."""
        return self.get("/readyz")[0] == 200

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that bear these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            sample, _, value = line.rpartition(" ")
            found, _, rest = sample.partition("{")
            if found == name and all(f'{key}="{text}"' in rest for key, text in labels.items()):
                total += float(value)
        return total

    def child(self, role: str) -> int:
        """Return the process id of its newest `admission` or `controller`."""
        started = [e for e in self.logs() if e.get("event") == "process_started" and e["of"] == role]
        return int(started[-1]["pid"])

    def logs(self) -> list[dict[str, Any]]:
        """Return what it logged, an event a dict; lines that are none (a traceback of Python's own) under `line`."""
        return [_event(line) for line in self.process.log.read_text("utf-8", errors="replace").splitlines()]


class Installation:
    """An installation in `namespace`, made by `apply`, gone after `remove`."""

    def __init__(
        self, cluster: Cluster, kube: Client, namespace: str, folder: Path, address: str, tree: Mapping[str, Any]
    ) -> None:
        self.cluster, self.kube, self.namespace, self.folder, self.address = cluster, kube, namespace, folder, address
        self.values: Values = from_mapping({"namespace": namespace, "createNamespace": False, **tree})
        self.replicas: list[Replica] = []
        self._applied: list[Object] = []
        self._endpoints = _Endpoints(cluster.client(), namespace, lambda: tuple(self.replicas))
        self._authority: tuple[bytes, bytes] | None = None

    def apply(self) -> None:
        """Put the operator's objects and the bundle into the cluster, all but its Deployment."""
        folder = self.folder
        folder.mkdir(parents=True, exist_ok=True)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.kube.apply(namespace, MANAGER)
        for manifest in self.objects():
            self.kube.apply(manifest, MANAGER, force=True)
            self._applied.append(manifest)
            if manifest["kind"] == "CustomResourceDefinition":
                define(self.kube, manifest, MANAGER)
        self._kubeconfig()
        self._endpoints.start()

    def objects(self) -> Iterator[Object]:
        """Yield what is applied, in order. The Service has no selector: there are no pods to select."""
        for item in inventory(self.values):
            manifest, kind = item.manifest, item.manifest["kind"]
            if item.component not in _PARTS:
                continue
            if kind == "Service":
                ports = [{"name": "webhook", "port": 443, "targetPort": "webhook", "protocol": "TCP"}]
                yield {**manifest, "spec": {"ports": ports}}
            elif kind in _KINDS or kind.endswith("WebhookConfiguration"):
                yield manifest
        yield from bundle(self.values)

    def start(self, name: str = "operator-0", *, wait: bool = True, **environ: str) -> Replica:
        """Start a replica; with `wait` return when it is ready. `environ` comes over what the ConfigMaps say."""
        replica = Replica(name, self.folder, {**self.environ(), **environ}, self.address)
        self.replicas.append(replica)
        replica.start()
        if wait:
            self.wait_ready(replica)
        return replica

    def environ(self) -> dict[str, str]:
        """Return the environment that the Deployment would give it now."""
        found: dict[str, str] = {}
        for name in (NAME, f"{NAME}-override"):
            config_map = self.kube.find(Ref("v1", "ConfigMap", self.namespace, name))
            found |= (config_map or {}).get("data") or {}
        return {
            **found,
            "POD_NAMESPACE": self.namespace,
            "KUBECONFIG": str(self.folder / "operator.kubeconfig"),
            "SHUTDOWN_GRACE_S": "2",
            "ANALYSE_TIMEOUT": "1ms",  # nobody runs pods here, so no collector answers
        }

    def override(self, **data: str) -> None:
        """Write the ConfigMap speedscale-operator-override with this data and nothing else."""
        self.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"{NAME}-override", "namespace": self.namespace},
                "data": data,
            },
            "user",
            force=True,
        )

    def wait_ready(self, replica: Replica, deadline_s: float = 60.0) -> None:
        """Wait until it is ready and the Service knows; AssertionError tells what it said last."""
        try:
            replica.process.wait(lambda: replica.ready, deadline_s * PATIENCE)
        except Exception as error:
            raise AssertionError(f"{replica.name}: {replica.get('/readyz')[1]}\n{error}") from error
        Cluster.until(lambda: replica.name in self._endpoints.ready, f"{replica.name} is an endpoint")
        Cluster.until(self._called, "the API server knows of an endpoint")

    def _called(self) -> bool:
        """Say whether the API server's own view of endpoints and CA bundles is up to date: it asks the webhooks."""
        replay = {
            "apiVersion": "speedscale.com/v1",
            "kind": "TrafficReplay",
            "metadata": {"name": "rehearsed", "namespace": self.namespace},
            "spec": {"snapshotID": "a", "testConfigID": "standard"},
        }
        try:
            return "mode" in self.kube.create(replay, MANAGER, dry_run=True)["spec"]
        except ServerError:
            return False

    def until(self, done: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
        """Wait until it is so; AssertionError with `what`, and with the ends of the replicas' logs."""
        try:
            Cluster.until(done, what, deadline_s)
        except AssertionError as error:
            logs = "\n".join(f"{replica.name}:\n{replica.process.tail()}" for replica in self.replicas)
            raise AssertionError(f"{error}\n{logs}") from error

    def certify(self, *, new_authority: bool = False, names: tuple[str, ...] = (), days: int = 1) -> None:
        """Play the part of who makes certificates: Secret and CA bundles, the old CA in it beside a new one."""
        before = self._authority
        if before is None or new_authority:
            key = x509.new_key()
            self._authority = (self.authority(key), key)
        assert self._authority is not None
        ca, ca_key = self._authority
        bundled = ca if before is None else b"".join(dict.fromkeys((ca, before[0])))
        self.trust(bundled)
        key = x509.new_key()
        served = names or (f"{NAME}.{self.namespace}.svc",)
        leaf = x509.Issuer(ca, ca_key).leaf(served, key, self.validity(days), x509.serial_from(key))
        data = {"tls.crt": leaf, "tls.key": key, "ca.crt": ca}
        self.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": SECRET.name, "namespace": self.namespace},
                "data": {name: base64.b64encode(content).decode() for name, content in data.items()},
            },
            "certificates",
            force=True,
        )

    @staticmethod
    def authority(key: bytes) -> bytes:
        """Return the certificate of a new CA with this key."""
        return x509.root("webhook CA", key, Installation.validity(30), x509.serial_from(key))

    @staticmethod
    def validity(days: int) -> x509.Validity:
        """Return a time that has begun."""
        now = datetime.now(UTC).replace(microsecond=0)
        return x509.Validity(now - timedelta(minutes=5), now + timedelta(days=days))

    def trust(self, ca: bytes) -> None:
        """Write a CA bundle into all webhooks."""
        text = base64.b64encode(ca).decode()
        change = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": text}]
        for kind, name in WEBHOOKS:
            self.kube.patch(Ref(ADMISSION, kind, "", name), change, "certificates", kind="json")

    def remove(self) -> None:
        """Stop every replica and delete everything, webhooks first: nothing waits for who is gone."""
        for kind, name in WEBHOOKS:
            self.kube.delete(Ref(ADMISSION, kind, "", name))
        self.end()
        for manifest in reversed(self._applied):
            if manifest["kind"] == "CustomResourceDefinition":
                undefine(self.kube, manifest)
            else:
                self.kube.delete(self.kube.ref(manifest))
        self.kube.delete(Ref("v1", "Namespace", "", self.namespace))

    def end(self) -> None:
        """Stop every replica; the objects stay."""
        self._endpoints.stop()
        for replica in self.replicas:
            replica.stop(10.0)

    def _kubeconfig(self) -> None:
        """Write a kubeconfig with a token of the operator's ServiceAccount."""
        token = self.cluster.kubectl("create", "token", NAME, "-n", self.namespace, "--duration=2h").strip()
        document = yaml.safe_load(self.cluster.kubeconfig.read_text("utf-8"))
        document["users"][0]["user"] = {"token": token}
        path = self.folder / "operator.kubeconfig"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file)


class _Endpoints:
    """A thread that keeps one EndpointSlice a replica, ready while its /readyz says so and its process is there."""

    def __init__(self, client: Client, namespace: str, replicas: Callable[[], tuple[Replica, ...]]) -> None:
        self._client, self._namespace, self._replicas = client, namespace, replicas
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoints", daemon=True)
        self.ready: frozenset[str] = frozenset()
        self._written: dict[str, bool] = {}
        self._failures: dict[str, int] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._end.wait(_POLL_S):
            ready = {replica.name: self._is_ready(replica) for replica in self._replicas()}
            for replica in self._replicas():
                if self._written.get(replica.name) != ready.get(replica.name, False):
                    self._write(replica, ready.get(replica.name, False))
            self.ready = frozenset(name for name, well in ready.items() if well)

    def _is_ready(self, replica: Replica) -> bool:
        """Say what a kubelet would: it forgives some failures in a row, but not an end."""
        if replica.pid is None:
            return False
        code, text = replica.get("/readyz")
        failures = 0 if code == 200 else self._failures.get(replica.name, _FORGIVEN) + 1
        self._failures[replica.name] = failures
        return failures <= _FORGIVEN and "is ending" not in text

    def _write(self, replica: Replica, ready: bool) -> None:
        self._client.apply(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{NAME}-{replica.name}",
                    "namespace": self._namespace,
                    "labels": {"kubernetes.io/service-name": NAME, "endpointslice.kubernetes.io/managed-by": MANAGER},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [replica.address], "conditions": {"ready": ready}}],
                "ports": [{"name": "webhook", "port": replica.ports["webhook"], "protocol": "TCP"}],
            },
            MANAGER,
            force=True,
        )
        self._written[replica.name] = ready


def _event(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"line": line}
    return found if isinstance(found, dict) else {"line": line}
