"""Workloads of a user in a namespace of their own: the demo's server with a sidecar, who calls it, what it is paid by.

For tests that break things: the installation's own demo stays as it is.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pods
import pytest
import tools
from harness.node import archive, programs
from whole import Whole

from speedscale_kube import Object, Ref

LOAD = "localhost/tests/load:1"
SERVER_IMAGE = "localhost/speedscale/java-server:v0.2.0"
VISITS = (
    '(location CONTAINS "/api/customers/") OR (location CONTAINS "/api/orders") OR (location CONTAINS "/v1/charges")'
)
"""A filter query: what visits ask for, and what they make the server ask for."""
VISIT = ["201", "201", "200", "204"]
"""What a visit is answered."""
CAPTURED = {"sidecar.speedscale.com/inject": "true"}
_RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_APPLETS = ("sh", "httpd", "nc", "nslookup", "cat", "echo", "ls", "mkdir", "sleep", "test", "wget", "kill", "netstat")


def load_archive(folder: Path) -> Path:
    """Return an archive of the image `LOAD`: a shell, curl and wrk. Skips where this machine lacks them."""
    if lacking := tools.missing({"busybox": "busybox-static", "curl": "curl", "wrk": "wrk"}):
        pytest.skip(f"needs {', '.join(lacking)}; apt-get install {' '.join(sorted(lacking.values()))}")
    programs.add(folder, "busybox", *_APPLETS)
    programs.add(folder, "curl")
    programs.add(folder, "wrk")
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    return archive.write(folder, LOAD, folder.parent / f"{folder.name}.tar", entrypoint=("/usr/bin/sh",))


def deployment(
    namespace: str, name: str, environment: dict[str, str], *, annotations: dict[str, str] | None = None, **spec: Any
) -> Object:
    """Return a Deployment of the demo's server; `annotations` are the workload's, `spec` goes into the pod's."""
    container = {
        "name": name,
        "image": SERVER_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": key, "value": value} for key, value in {"PORT": "8080", **environment}.items()],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *spec.pop("mounts", [])],
        **spec.pop("container", {}),
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 2100, "runAsGroup": 2100, "fsGroup": 2100},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *spec.pop("volumes", [])],
        **spec,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}, "annotations": annotations or {}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }


def posted(url: str, path: str, body: object, method: str = "POST") -> str:
    """Return a shell command that sends JSON and prints the status."""
    return (
        f"curl -s -m 20 -o /dev/null -w '%{{http_code}}\\n' -X {method} -H 'Content-Type: application/json' "
        f"-d '{json.dumps(body)}' {url}{path}"
    )


def visit(url: str, customer: str = "ada") -> str:
    """Return a shell script of calls that leaves nothing behind; answered as `VISIT`."""
    person = {
        "name": "Ada Example",
        "email": f"{customer}@mail.example.net",
        "phone": "+44 20 7946 0958",
        "address": {"street": "12 St James Square", "city": "London"},
        "card": {"number": "4111111111111111", "expires": "12/30"},
    }
    order = {"customer": customer, "reference": "r1", "items": [{"product": "tea", "quantity": 1}]}
    plain = "curl -s -m 20 -o /dev/null -w '%{http_code}\\n'"
    return "; ".join(
        (
            posted(url, f"/api/customers/{customer}", person, "PUT"),
            posted(url, "/api/orders", order),
            f"{plain} '{url}/api/orders?customer={customer}'",
            f"{plain} -X DELETE {url}/api/customers/{customer}",
        )
    )


@dataclass
class Shop:
    """A namespace with a captured server `name`, its Service on port 80, and a pod `load` that calls it."""

    whole: Whole
    namespace: str
    name: str = "orders"
    environment: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=lambda: dict(CAPTURED))
    since: str = ""
    """When it was opened: a namespace of this name may have been there before."""

    @property
    def ref(self) -> Ref:
        """The captured workload."""
        return Ref("apps/v1", "Deployment", self.namespace, self.name)

    @property
    def url(self) -> str:
        """Where it is called; with the port, since wrk asks /etc/services for one that is not said."""
        return f"http://{self.name}.{self.namespace}.svc:80"

    def open(self) -> None:
        """Make all of it and wait until it answers through the sidecar."""
        self.since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        kube = self.whole.kube
        self.deploy(deployment(self.namespace, self.name, self.environment, annotations=self.annotations))
        kube.apply(pods.service(self.namespace, self.name), pods.MANAGER)
        kube.apply(pods.pod(self.namespace, "load", LOAD, "sleep 36000"), pods.MANAGER)
        pods.until_ready(kube, self.namespace, "load")
        pods.until_reached(self.whole.node, self.namespace, "load", f"{self.url}/api/products")

    def pays(self, name: str) -> None:
        """Deploy what orders are paid by, in plain text, and have the captured server call it; before `open`."""
        self.deploy(deployment(self.namespace, name, {"ROLE": "payments"}))
        self.whole.kube.apply(pods.service(self.namespace, name), pods.MANAGER)
        self.environment = {**self.environment, "DEPENDENCY_URL": f"http://{name}.{self.namespace}.svc"}

    def deploy(self, manifest: Object) -> None:
        """Apply a Deployment and wait until it is rolled out."""
        self.whole.kube.apply(manifest, pods.MANAGER)
        self.rolled_out(manifest["metadata"]["name"])

    def rolled_out(self, name: str) -> None:
        """Wait until a Deployment's pods are those of its newest template, ready, and those of before have ended."""
        which = Ref("apps/v1", "Deployment", self.namespace, name)

        def done() -> bool:
            found = self.whole.kube.get(which)
            status, wanted = found.get("status") or {}, found["spec"]["replicas"]
            counts = [status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas")]
            if status.get("observedGeneration") != found["metadata"]["generation"] or counts != [wanted] * 3:
                return False
            return len(self.whole.node.pods(self.namespace, f"app={name}")) == int(wanted)

        self.whole.until(done, f"{name} is rolled out", 120.0)

    def pod(self, name: str = "") -> Object:
        """Return the one pod of a workload."""
        (found,) = self.whole.pods(self.namespace, f"app={name or self.name}")
        return found

    def counts(self, name: str = "") -> dict[str, float]:
        """Return what the sidecar counts, by metric."""
        return self.whole.metrics(str(self.pod(name)["metadata"]["name"]), self.namespace)

    def ask(self, script: str) -> str:
        """Run a shell script in the pod `load`."""
        return self.whole.node.exec(self.namespace, "load", "sh", "-c", script)

    def settled(self, name: str = "") -> dict[str, float]:
        """Wait until the sidecar holds no pair any more, each captured or dropped; return its counts."""
        self.whole.until(
            lambda: self.counts(name)["speedscale_goproxy_pairs_in_flight"] == 0, "the sidecar has sent all", 120.0
        )
        return self.counts(name)

    def stored(self, **query: str) -> list[Object]:
        """Return what the backend has of this namespace; `query` as in its API."""
        found: list[Object] = []
        cursor = ""
        while True:
            chosen = {
                "namespace": self.namespace,
                "start": self.since,
                "limit": "1000",
                **query,
                **({"cursor": cursor} if cursor else {}),
            }
            page = self.whole.cloud("/v1/rrpairs?" + "&".join(f"{key}={value}" for key, value in chosen.items()))
            found += page["items"]
            cursor = page.get("cursor", "")
            if not cursor:
                return found

    def recorded(self, visits: int) -> str:
        """Have customers visit, wait until all of it is at the backend, and return a snapshot of it."""
        for number in range(visits):
            assert self.ask(visit(self.url, f"c-{number}")).split() == VISIT
        self.settled()
        paid = "(location%20CONTAINS%20%22/v1/charges%22)"
        self.whole.until(lambda: len(self.stored(filter=paid)) >= visits, "the visits are at the backend", 60.0)
        return self.snapshot(self.namespace, VISITS)

    def replay(self, name: str, snapshot: str, **spec: Any) -> Ref:
        """Start a TrafficReplay of the captured workload and return its name."""
        workload = {"ref": {"kind": "Deployment", "name": self.name}, "tests": ["*"], "mocks": ["*"]}
        manifest = {
            "apiVersion": "speedscale.com/v1",
            "kind": "TrafficReplay",
            "metadata": {"namespace": self.namespace, "name": name},
            "spec": {
                "snapshotID": snapshot,
                "testConfigID": "standard",
                "needsReport": True,
                "workloads": [workload],
                **spec,
            },
        }
        return self.whole.kube.ref(self.whole.kube.apply(manifest, "tests"))

    def ended(self, which: Ref, deadline_s: float = 240.0) -> Object:
        """Wait until a replay is Ready, however it went, and return it."""
        self.whole.until(lambda: status(self.condition(which, "Ready")) == "True", f"{which.name} ends", deadline_s)
        return self.whole.kube.get(which)

    def condition(self, which: Ref, kind: str) -> Object:
        """Return a replay's newest condition of a type, empty without one."""
        return condition(self.whole.kube.find(which) or {}, kind)

    def snapshot(self, name: str, query: str) -> str:
        """Make a snapshot of what of this namespace's traffic a filter query matches; return its id."""
        body = {"name": name, "namespace": self.namespace, "start": self.since, "filter": query}
        return str(self.whole.cloud("/v1/snapshots", body=body)["id"])


@contextlib.contextmanager
def opened(
    whole: Whole, folder: Path, namespace: str, name: str, paid: Callable[[Shop], None], **rest: Any
) -> Iterator[Shop]:
    """Open a shop whose orders are paid by what `paid` deploys, in a namespace of its own that goes with the block.

    The image of who calls it is made in `folder`; `rest` are fields of `Shop`.
    """
    whole.node.load(load_archive(folder))
    space = Ref("v1", "Namespace", "", namespace)
    whole.kube.apply({"apiVersion": space.api_version, "kind": space.kind, "metadata": {"name": namespace}}, "tests")
    try:
        made = Shop(whole, namespace, name, **rest)
        paid(made)
        made.open()
        yield made
    finally:
        whole.kube.delete(space)


def condition(replay: Object, kind: str) -> Object:
    """Return a replay's newest condition of a type, empty without one."""
    found = [one for one in replay.get("status", {}).get("conditions", ()) if one["type"] == kind]
    return dict(found[-1]) if found else {}


def status(one: Object) -> str:
    """Return a condition's status."""
    return str(one.get("status", ""))


def told(replay: Object) -> str:
    """Return a replay's end in words: the reason of Ready and the last condition's message."""
    found = replay.get("status", {}).get("conditions") or [{}]
    return f"{condition(replay, 'Ready').get('reason')}: {json.dumps(found[-1].get('message'))}"
