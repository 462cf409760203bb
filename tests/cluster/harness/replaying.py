"""Replays on a real API server, in this process: the reconciler itself, and played pods.

`Stage` is the reconciler's context without watches: a test calls `step` and sees what one look did. What a cluster
without nodes lacks is played: `play` writes the status of workloads and Deployments as their controllers and kubelets
would (ready pods), and ends the generator's Job with a termination message. Writes are counted and can be cut: `Cut`
raises at the n-th, after it or before it, as SIGKILL does, so that nothing of this process goes on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from speedscale_controller.bundle import Bundle
from speedscale_controller.replay import names
from speedscale_controller.replays.reconciler import Replays
from speedscale_controller.settings import Settings
from speedscale_controller.snapshots import config_map
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Client, Key, Object, Ref
from speedscale_kube.errors import ConflictError, NotFoundError
from speedscale_kube.queue import Queue
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping

from .cluster import Cluster

MANAGER = "tests"
NAME = "abstract-yucca"
CONTAINER = "speedscale-generator"
PASSED: Mapping[str, Any] = {
    "version": 1,
    "state": "Passed",
    "requests": 10,
    "errors": 0,
    "compared": 10,
    "matched": 10,
}
MISSED: Mapping[str, Any] = {
    "version": 1,
    "state": "Missed Goals",
    "reason": "passAssertPct is 25 %, wanted >= 100 %",
    "requests": 4,
    "errors": 0,
    "compared": 4,
    "matched": 1,
    "goals": [{"command": "passAssertPct", "expected": ">= 100 %", "actual": "25 %"}],
    "goalsTotal": 1,
    "goalsMissed": 1,
}
ERROR: Mapping[str, Any] = {
    "version": 1,
    "state": "Error",
    "reason": "no request got an answer",
    "requests": 4,
    "errors": 4,
}


class Killed(BaseException):
    """The process is gone."""


class Cut(Client):
    """A client that notes what it writes, and dies: before (`after` False) or after the write number `at`, from 1."""

    def __init__(self, client: Client, at: int = 0, *, after: bool = True) -> None:
        self.__dict__.update(client.__dict__)
        self.writes: list[str] = []
        self._at, self._after = at, after

    def _count(self, what: str, write: Callable[[], Any]) -> Any:
        self.writes.append(what)
        if len(self.writes) == self._at and not self._after:
            raise Killed(what)
        done = write()
        if len(self.writes) == self._at:
            raise Killed(what)
        return done

    def create(self, obj: Object, manager: str, **rest: Any) -> Object:
        return dict(self._count(f"create {obj['kind']}", lambda: super(Cut, self).create(obj, manager, **rest)))

    def apply(self, obj: Object, manager: str, **rest: Any) -> Object:
        return dict(self._count(f"apply {obj['kind']}", lambda: super(Cut, self).apply(obj, manager, **rest)))

    def patch(self, which: Ref, change: Any, manager: str, **rest: Any) -> Object:
        part = rest.get("subresource") or manager.rpartition("/")[2]
        return dict(
            self._count(f"patch {which.kind} {part}", lambda: super(Cut, self).patch(which, change, manager, **rest))
        )

    def delete(self, which: Ref, **rest: Any) -> bool:
        return bool(self._count(f"delete {which.kind}", lambda: super(Cut, self).delete(which, **rest)))


class Notes:
    """A Recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def event(self, about: object, type: str, reason: str, message: str, *, uid: str = "") -> bool:
        self.told.append((type, reason, message))
        return True


class Stage:
    """The context of a reconciler in this process. `later` moves its clock."""

    def __init__(self, client: Client, own: str, **environ: str) -> None:
        self.client = client
        alone = {"ANALYSE_TIMEOUT": "1ms"}  # nobody runs the pods, so no collector answers
        self.settings = Settings.parse({"POD_NAMESPACE": own, "POD_NAME": "test", **alone, **environ})
        self.metrics = Metrics()
        self.recorder = Notes()
        self._bundle = Bundle.read(bundle(from_mapping({"namespace": own})))
        self._later = timedelta()
        self.reconciler = Replays(poll_s=1.0)
        self.reconciler.begin(self)  # type: ignore[arg-type]

    def bundle(self) -> Bundle:
        return self._bundle

    def queue(self, name: str) -> Queue[Any]:
        return Queue()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._later

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self._later += timedelta(seconds=seconds)

    def step(self, name: str, namespace: str) -> float | None:
        """Let the reconciler look until it waits; return for how long."""
        while True:
            try:
                return self.reconciler.reconcile(Key(namespace, name)).after_s
            except ConflictError:
                continue  # the worker's answer to it

    def reborn(self, client: Client) -> Stage:
        """Return the stage as a new process has it."""
        other = object.__new__(Stage)
        other.__dict__.update(self.__dict__)
        other.client, other.recorder = client, Notes()
        other.reconciler = Replays(poll_s=1.0)
        other.reconciler.begin(other)  # type: ignore[arg-type]
        return other


class Shop:
    """A namespace with a workload, its Service, a snapshot, and the Secrets that identity would put there."""

    def __init__(self, kube: Client, namespace: str, own: str) -> None:
        self.kube, self.namespace, self.own = kube, namespace, own

    def furnish(self, *, tests: bool = True, mocks: bool = True, secrets: bool = True) -> Shop:
        """Make it all; without `secrets` those are somebody else's to make."""
        self.workload("checkout")
        for name in ("speedscale-certs", "speedscale-dlp-key") if secrets else ():
            meta = {"name": name, "namespace": self.namespace}
            data = dict.fromkeys(("ca.crt", "ca-bundle.crt", "tls.crt", "tls.key", "token"), "eA==")
            self._apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
        self._apply(config_map(snapshot(tests=tests, mocks=mocks), namespace=self.namespace))
        return self

    def workload(self, name: str, **template: Any) -> Object:
        """Make a Deployment with a Service."""
        labels = {"app": name}
        probe = {"readinessProbe": {"tcpSocket": {"port": 8080}}}
        container = {"name": "app", "image": "shop:1", "ports": [{"containerPort": 8080}], **probe}
        self._apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
            }
        )
        return self._apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **template}},
                },
            }
        )

    def replay(self, name: str = "abstract-yucca", workload: str = "checkout", **spec: Any) -> Object:
        """Make a TrafficReplay."""
        target = {"ref": {"name": workload}, "tests": ["*"], "mocks": ["*"]}
        return self.kube.create(
            {
                "apiVersion": "speedscale.com/v1",
                "kind": "TrafficReplay",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"snapshotID": SNAPSHOT, "testConfigID": "standard", "workloads": [target], **spec},
            },
            MANAGER,
        )

    def get(self, kind: str, name: str, api_version: str = "") -> Object | None:
        """Return an object of the namespace."""
        versions = {"TrafficReplay": "speedscale.com/v1", "Deployment": "apps/v1", "Job": "batch/v1"}
        return self.kube.find(Ref(api_version or versions.get(kind, "v1"), kind, self.namespace, name))

    def status(self, name: str = "abstract-yucca") -> dict[str, Any]:
        """Return a replay's status."""
        found = self.get("TrafficReplay", name)
        assert found is not None
        return dict(found.get("status") or {})

    def condition(self, type_: str, name: str = "abstract-yucca") -> dict[str, Any]:
        """Return a condition, empty where there is none."""
        return next((c for c in self.status(name).get("conditions") or () if c["type"] == type_), {})

    def inventory(self) -> list[str]:
        """Return what replays have made and is still there, in both namespaces."""
        found = []
        for api_version, kind in (
            ("apps/v1", "Deployment"),
            ("batch/v1", "Job"),
            ("v1", "Service"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("v1", "ConfigMap"),
        ):
            for space in (self.namespace, self.own):
                listed = self.kube.list(api_version, kind, space, labels=names.ID)
                found += [
                    f"{kind} {o['metadata']['name']}" for o in listed if not o["metadata"].get("deletionTimestamp")
                ]
        return found

    def play(self, results: Mapping[str, Any] | str | None = PASSED, *, hold: str = "") -> None:
        """Play kubelets once: pods run and are ready, but those with `hold` in their name; the generator's end so.

        Controllers are real: Deployments and Jobs follow a moment later.
        """
        for space in (self.namespace, self.own):
            for pod in self.kube.list("v1", "Pod", space):
                owners = {o["kind"] for o in pod["metadata"].get("ownerReferences") or ()}
                held = hold and hold in pod["metadata"]["name"]
                if (pod.get("status") or {}).get("phase") != "Pending" or "Job" in owners or held:
                    continue
                status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
                with contextlib.suppress(NotFoundError):
                    self.kube.patch(self.kube.ref(pod), {"status": status}, "kubelet", subresource="status")
        for job in self.kube.list("batch/v1", "Job", self.namespace):
            if results is not None:
                self.end(job, results)

    def end(self, job: Object, results: Mapping[str, Any] | str) -> None:
        """End the pods of a Job, each with a termination message."""
        labels = f"batch.kubernetes.io/job-name={job['metadata']['name']}"
        text = results if isinstance(results, str) else json.dumps(results)
        failed = isinstance(results, str) or results["state"] == "Error"
        for pod in self.kube.list("v1", "Pod", self.namespace, labels=labels):
            if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                continue
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            ended = {"exitCode": int(failed), "reason": "Error" if failed else "Completed", "message": text}
            state = {"terminated": {**ended, "startedAt": now, "finishedAt": now}}
            container = {"name": CONTAINER, "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
            status = {
                "phase": "Failed" if failed else "Succeeded",
                "startTime": now,
                "containerStatuses": [{**container, "state": state}],
            }
            self.kube.patch(self.kube.ref(pod), {"status": status}, "kubelet", subresource="status")

    def _apply(self, obj: Object) -> Object:
        return self.kube.apply(obj, MANAGER, force=True)


SNAPSHOT = "5f3f1c1e-6a0e-5a42-9d55-0d3a3c3a6f10"


def snapshot(*, tests: bool = True, mocks: bool = True, **manifest: Any) -> dict[str, bytes]:
    """Return a snapshot's files: a test of `checkout`, mocks of two hosts, one of them by TLS."""

    def entry(host: str, port: int, protocol: str) -> dict[str, Any]:
        return {"name": "checkout", "hostname": host, "port": port, "protocol": protocol, "numRequests": 3}

    incoming = {"checkout:checkout.shop.svc:80": entry("checkout.shop.svc", 80, "http")}
    outgoing = {
        "checkout:payments.example.com:443": entry("payments.example.com", 443, "https"),
        "checkout:stock.shop.svc:8080": entry("stock.shop.svc", 8080, "http"),
    }
    document = {
        "id": SNAPSHOT,
        "meta": {"name": "checkout"},
        "inTraffic": incoming if tests else {},
        "outTraffic": outgoing if mocks else {},
        **manifest,
    }
    return {"snapshot.json": json.dumps(document).encode(), "action.jsonl": b"{}\n", "reaction.jsonl": b"{}\n"}


def until(stage: Stage, shop: Shop, done: Callable[[], bool], results: object = PASSED, *names: str) -> None:
    """Look and play until it is so."""

    def round_() -> bool:
        for name in names or (NAME,):
            stage.step(name, shop.namespace)
        if done():
            return True
        shop.play(results)  # type: ignore[arg-type]
        return False

    Cluster.until(round_, "the replay gets there", 30.0)


def ended(shop: Shop, name: str = NAME) -> Callable[[], bool]:
    """Return what asks whether a replay has ended and cleaned up."""

    def ask() -> bool:
        return shop.condition("Running", name).get("reason") in ("CleanedUp", "Kept")

    return ask


def run(stage: Stage, shop: Shop, results: object = PASSED, name: str = NAME) -> None:
    """Play until the replay has ended and cleaned up."""
    until(stage, shop, ended(shop, name), results, name)


def spec_of(shop: Shop, name: str = "checkout") -> tuple[object, object]:
    """Return what of a workload must come back."""
    found = shop.get("Deployment", name)
    assert found is not None
    meta = found["metadata"]
    marks = {k: v for k, v in (meta.get("annotations") or {}).items() if "deployment.kubernetes.io" not in k}
    return found["spec"], (meta.get("labels"), marks)
