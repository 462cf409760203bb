"""What a cluster without nodes lacks, as one thread on its API: pods that run, and volumes for claims.

Argo CD waits for the health of what it applies: Deployments want ready pods, claims want a volume. Here a pod is
declared running and ready (a pod of a Job: succeeded) as soon as it is there, unless its component is held back; a
claim gets a volume of its own, which goes when the claim does. A Node keeps its lease, so that DaemonSets have where to
be.

Pods are not bound to the node and have no address: deleting them needs no kubelet, Services have no endpoints, and
nothing is ever called. Used by tests that need a rollout to end; a test of what a pod does needs a real one.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ConflictError, NotFoundError

MANAGER = "harness-nodes"
COMPONENT = "controlplane.speedscale.com/component"
NODE = "node-0"
STORAGE_CLASS = "harness"
_POLL_S = 0.3  # three lists each time
_LEASE_S = 10.0
_VOLUME_LABEL = "harness.example.com/claim"


class Nodes:
    """The thread; `client` becomes its own. `hold` keeps a component's pods from becoming ready until `release`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._held: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=MANAGER, daemon=True)
        self._renewed = 0.0
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Make the Node and the default StorageClass, then begin."""
        self._client.apply(_node(), MANAGER)
        self._client.apply(_storage_class(), MANAGER)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what broke in it is raised here."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.close()
        if self.failure is not None:
            raise self.failure

    def hold(self, component: str) -> None:
        """From now on pods of this component stay Pending."""
        self._held.add(component)

    def release(self, component: str) -> None:
        """Its pods may become ready."""
        self._held.discard(component)

    def _run(self) -> None:
        try:
            while not self._end.wait(_POLL_S):
                self._renew()
                for pod in self._client.list("v1", "Pod"):
                    self._start_pod(pod)
                self._volumes()
        except BaseException as error:  # told by stop(): a thread's own end is silent
            self.failure = error

    def _renew(self) -> None:
        now = datetime.now(UTC)
        if now.timestamp() - self._renewed < _LEASE_S:
            return
        self._renewed = now.timestamp()
        spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": now.isoformat(timespec="microseconds")}
        metadata = {"name": NODE, "namespace": "kube-node-lease"}
        self._client.apply(
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}, MANAGER
        )
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", **_times(now)}
        self._client.patch(
            Ref("v1", "Node", "", NODE),
            {"status": {"conditions": [ready]}},
            MANAGER,
            kind="merge",
            subresource="status",
        )

    def _start_pod(self, pod: Object) -> None:
        metadata, phase = pod["metadata"], pod.get("status", {}).get("phase", "Pending")
        component = (metadata.get("labels") or {}).get(COMPONENT, "")
        if phase != "Pending" or "deletionTimestamp" in metadata or component in self._held:
            return
        job = any(owner["kind"] == "Job" for owner in metadata.get("ownerReferences") or ())
        which = Ref("v1", "Pod", metadata["namespace"], metadata["name"])
        with contextlib.suppress(NotFoundError, ConflictError):  # gone, or changed, since it was listed
            self._client.patch(which, {"status": _status(pod, done=job)}, MANAGER, kind="merge", subresource="status")

    def _volumes(self) -> None:
        claims = {_key(claim): claim for claim in self._client.list("v1", "PersistentVolumeClaim")}
        volumes = {
            volume["metadata"]["labels"][_VOLUME_LABEL]: volume
            for volume in self._client.list("v1", "PersistentVolume", labels=_VOLUME_LABEL)
        }
        for key in claims.keys() - volumes.keys():
            self._client.apply(_volume(key, claims[key]), MANAGER)
        for key in volumes.keys() - claims.keys():
            self._client.delete(Ref("v1", "PersistentVolume", "", volumes[key]["metadata"]["name"]))


def _key(claim: Object) -> str:
    return str(claim["metadata"]["uid"])


def _times(now: datetime) -> dict[str, str]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"lastHeartbeatTime": stamp, "lastTransitionTime": stamp}


def _status(pod: Object, *, done: bool) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    conditions = [
        {"type": kind, "status": "False" if done and "Ready" in kind else "True", "lastTransitionTime": now}
        for kind in kinds
    ]

    def containers(of: str, *, over: bool) -> list[dict[str, Any]]:
        return [
            {
                "name": one["name"],
                "image": one["image"],
                "imageID": one["image"],
                "ready": not over,
                "restartCount": 0,
                "state": ended if over else {"running": {"startedAt": now}},
            }
            for one in pod["spec"].get(of) or ()
        ]

    return {
        "phase": "Succeeded" if done else "Running",
        "startTime": now,
        "conditions": conditions,
        "containerStatuses": containers("containers", over=done),
        "initContainerStatuses": containers("initContainers", over=True),
    }


def _node() -> Object:
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}


def _storage_class() -> Object:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    metadata = {"name": STORAGE_CLASS, "annotations": default}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
    }


def _volume(key: str, claim: Object) -> Object:
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"harness-{key}", "labels": {_VOLUME_LABEL: key}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", STORAGE_CLASS),
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": metadata["namespace"], "name": metadata["name"]},
            "hostPath": {"path": f"/nonexistent/{key}"},  # no pod ever mounts it
        },
    }
