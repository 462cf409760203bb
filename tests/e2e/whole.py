"""The whole installation on a node: our images, Argo CD, a repository; and the backend, asked as anybody could.

`install` is what a user does: values, synthesis, commit, the commands of the examples' README. Nothing here knows how
a component works inside.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from harness.argocd import ArgoCD, good
from harness.gitops import synth
from harness.node.cluster import Node
from harness.page import Page, run
from harness.repository import EXAMPLES, Repository

from speedscale_kube import Client, Object, Ref

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "speedscale"
SHOP = "shop"
APP = "speedscale"
CLOUD = "speedscale-cloud.speedscale.svc"
VALUES = """\
clusterName: e2e
image:
  pullPolicy: IfNotPresent
apiKeySecret: speedscale-apikey
secretAccessList: [shop-login]
backend:
  enabled: true
demo:
  dependencyURL: http://payments.shop.svc:8080
# all of it, and a replay besides, on two processors
forwarder:
  resources: {requests: {cpu: 50m}}
inspector:
  resources: {requests: {cpu: 50m}}
collector:
  resources: {requests: {cpu: 50m}}
replayComponents:
  generator:
    resources: {requests: {cpu: 50m}}
  responder:
    resources: {requests: {cpu: 50m}}
"""
_VALUES = ("cdk8s/values.yaml", "values.e2e.yaml", "values.change.yaml")
_BUILD_S = 1500


def build(folder: Path) -> list[Path]:
    """Build every image that runs in a cluster (or take it as it was built before) and return the archives."""
    table = tomllib.loads((ROOT / "runtime" / "images" / "images.toml").read_text(encoding="utf-8"))
    names = sorted(table["image"].keys() - {"speedctl"})
    done = subprocess.run(
        [sys.executable, "-m", "speedscale_images", *names, "--out", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "runtime" / "images")},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    assert done.returncode == 0, f"make images: {done.stderr}{done.stdout}"
    return [folder / f"{name}.tar" for name in names]


@dataclass
class Whole:
    """One installation. `key` is the backend's API key, which stands nowhere but in a Secret."""

    node: Node
    argo: ArgoCD
    kube: Client
    repository: Repository
    folder: Path
    key: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)

    def install(self) -> None:
        """Install by the examples' own commands, and wait until Argo CD calls it healthy."""
        self.repository.add_examples()
        self.repository.write("values.e2e.yaml", VALUES)
        self.synth("The installation")
        for manifest in (*_namespaces(), *_payments(), _key(self.key)):
            self.kube.apply(manifest, "tests")
        page = Page(EXAMPLES / "README.md")
        for command in page.commands("Install") + page.commands("As one Application"):
            self.shell(command)
        self.argo.until_app(APP, good, "it is installed")

    def upgrade(self, message: str, values: str) -> str:
        """Commit the installation with other values, have Argo CD look, wait until it is healthy; return the revision.

        `values` is laid over `VALUES`; nothing takes back what was committed before.
        """
        self.repository.write("values.change.yaml", values or "{}\n")
        revision = self.synth(message)
        self.argo.refresh(APP, "normal")
        self.argo.until_app(APP, lambda app: good(app) and synced(app) == revision, f"{message} is rolled out", 240.0)
        return revision

    def synth(self, message: str) -> str:
        """Synthesise, commit and push; return the revision."""
        values = (self.repository.work / name for name in _VALUES)
        synth(
            self.repository.work / "dist",
            *(part for file in values if file.exists() for part in ("--values", str(file))),
        )
        return self.repository.commit(message)

    def shell(self, command: str) -> str:
        """Run a command where a reader of the examples is: in the repository, with kubectl."""
        kubectl = Path(self.node_tool("kubectl")).parent
        path = os.pathsep.join([str(Path(sys.executable).parent), str(kubectl), os.environ["PATH"]])
        environment = {"PATH": path, "KUBECONFIG": str(self.node.kubeconfig), "HOME": str(self.folder)}
        return run(command, self.repository.work, environment)

    @staticmethod
    def node_tool(name: str) -> str:
        import go_tools

        return str(go_tools.ensure(name)[0])

    def pods(self, namespace: str = NAMESPACE, labels: str = "") -> list[Object]:
        """Return the pods that are not on their way out."""
        return [one for one in self.node.pods(namespace, labels) if not one["metadata"].get("deletionTimestamp")]

    def cloud(self, path: str, *, body: Any = None, method: str = "") -> Any:
        """Ask the backend with curl from the node; return its answer's JSON. AssertionError with its refusal."""
        return json.loads(self.cloud_text(path, body=body, method=method))

    def cloud_text(self, path: str, *, body: Any = None, method: str = "") -> str:
        """Ask the backend; return its answer as it is."""
        command, stdin = self.asking(*self.backend(), path, body, method)
        return self.node.run_in(*command, stdin=stdin)

    def backend(self) -> tuple[str, str, Path]:
        """Return the backend's name, its address, and the file with the root of its certificate."""
        address = self.kube.get(Ref("v1", "Service", NAMESPACE, "speedscale-cloud"))["spec"]["clusterIP"]
        ca = self.folder / "cloud-ca.crt"
        if not ca.exists():
            data = self.kube.get(Ref("v1", "Secret", NAMESPACE, "speedscale-cloud-certs"))["data"]["ca.crt"]
            ca.write_bytes(base64.b64decode(data))
        return CLOUD, address, ca

    def asking(self, name: str, address: str, ca: Path, path: str, body: Any, method: str) -> tuple[list[str], str]:
        """Return curl's command line for a question to a backend, and what it reads."""
        sends = ["--data", "@-", "--header", "Content-Type: application/json"] if body is not None else []
        command = [
            *("curl", "--silent", "--show-error", "--max-time", "60", "--fail-with-body", "--cacert", str(ca)),
            *("--resolve", f"{name}:443:{address}", "--header", f"Authorization: Bearer {self.key}"),
            *(["--request", method] if method else []),
            *sends,
            f"https://{name}{path}",
        ]
        return command, json.dumps(body) if body is not None else ""

    def metrics(self, pod: str, namespace: str = NAMESPACE, port: int = 4145) -> dict[str, float]:
        """Return a pod's metrics by name and labels, as its Prometheus page has them."""
        text = self.metrics_page(pod, namespace, port)
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def metrics_page(self, pod: str, namespace: str = NAMESPACE, port: int = 4145) -> str:
        """Return a pod's Prometheus page."""
        return self.node.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics")

    def until(self, done: Callable[[], bool], what: str, deadline_s: float = 60.0) -> None:
        """Wait until it is so; AssertionError with the pods' states besides."""
        try:
            self.node.until(done, what, deadline_s)
        except AssertionError as error:
            seen = self.node.kubectl("get", "pods,trafficreplays", "--all-namespaces", "--output=wide")
            raise AssertionError(f"{error}\n{seen}") from error


def synced(app: Object) -> str:
    """Return the revision that an Application's last sync was of."""
    operation = (app.get("status") or {}).get("operationState") or {}
    return str((operation.get("syncResult") or {}).get("revision", ""))


def ready(pod: Object) -> str:
    """Return what kubectl shows as READY."""
    status = pod["status"]
    restartable = {
        one["name"] for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always"
    }
    statuses = [*status.get("containerStatuses", ())]
    statuses += [one for one in status.get("initContainerStatuses", ()) if one["name"] in restartable]
    return f"{sum(one['ready'] for one in statuses)}/{len(statuses)}"


def named(pods: Iterable[Object]) -> dict[str, str]:
    """Return READY by the name of what made the pod: hashes left out."""
    return {pod["metadata"]["labels"].get("app", pod["metadata"]["name"]): ready(pod) for pod in pods}


def _namespaces() -> list[Object]:
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, SHOP)]


def _key(key: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "speedscale-apikey", "namespace": NAMESPACE},
        "stringData": {"SPEEDSCALE_API_KEY": key},
    }


def _payments() -> list[Object]:
    """What the demo's server has its orders paid by, in plain text: the example, without its certificate."""
    objects = list(yaml.safe_load_all((ROOT / "examples" / "demo" / "payments.yaml").read_text(encoding="utf-8")))
    for one in objects:
        if one["kind"] == "Service":
            one["spec"]["ports"] = [{"name": "http", "port": 8080, "targetPort": 8080}]
            continue
        pod = one["spec"]["template"]["spec"]
        container = pod["containers"][0]
        container["env"] = [{"name": "ROLE", "value": "payments"}, {"name": "PORT", "value": "8080"}]
        container["ports"] = [{"name": "http", "containerPort": 8080}]
        container["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2}
        container["imagePullPolicy"] = "IfNotPresent"
        pod["volumes"] = [volume for volume in pod.get("volumes", ()) if volume["name"] != "tls"]
        container["volumeMounts"] = [one for one in container["volumeMounts"] if one["name"] != "tls"]
    return objects
