"""`make cluster-demo`: the whole story in a real cluster on this machine, step by step, for people.

Brings up a node (as `make cluster-up NODE=1`), builds and loads the images, has Argo CD sync the examples from a git
repository, waits for recorded traffic, replays it with mocks, and prints what came out. The cluster stays up; Argo CD
ends with this program. Needs root and Linux.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "tests" / "e2e"), str(ROOT / "scripts")]

import cluster as cluster_up  # noqa: E402
import go_tools  # noqa: E402
from harness.argocd import ArgoCD  # noqa: E402
from harness.gitserver import GitServer  # noqa: E402
from harness.node.cluster import Node  # noqa: E402
from harness.repository import Repository  # noqa: E402
from whole import NAMESPACE, SHOP, Whole, build  # noqa: E402

from speedscale_kube import Ref  # noqa: E402

T = TypeVar("T")
PAIRS = 60
REPLAY = "abstract-yucca"
_WAIT_S = 300.0


def main() -> int:
    """Tell the story; 0 when the replay passed, 1 when it did not, 2 when it could not be told."""
    if os.geteuid() != 0:
        print("make cluster-demo needs root: it runs pods; sudo make cluster-demo", file=sys.stderr)
        return 2
    if code := cluster_up.main(["up", "--node"]):
        return code
    node = Node(go_tools.cache() / "node", detached=True)
    folder = go_tools.cache() / "cluster-demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for archive in _step("build the images (minutes the first time)", lambda: build(folder / "images")):
        _step(f"load {archive.stem}", lambda archive=archive: node.load(archive))  # type: ignore[misc]
    repository = Repository(folder)
    with (
        node.client() as kube,
        ArgoCD(node, folder / "argocd", pods=True) as argo,
        GitServer(folder, folder) as server,
    ):
        repository.url = server.url(repository.bare.stem)
        whole = Whole(node, argo, kube, repository, folder)
        _step("Argo CD syncs the installation, wave by wave", whole.install)
        print(node.kubectl("get", "pods", "--namespace", NAMESPACE))
        _step(f"the sidecar records the demo ({PAIRS} pairs)", lambda: _recorded(whole))
        selection = {"name": "demo", "services": ["java-server"]}
        snapshot = _step("snapshot of what was recorded", lambda: whole.cloud("/v1/snapshots", body=selection)["id"])
        ended = _step("replay: mocks, tests, report", lambda: _replayed(whole, snapshot))
    print(f"\n{ended['conditions'][-1]['message']}\nreport: {ended.get('reportURL', 'in its ConfigMap')}")
    print(f"\nThe cluster stays up: export KUBECONFIG={node.kubeconfig}; make cluster-down ends it")
    print(f"kubectl get pods -n {NAMESPACE}; kubectl get pods -n {SHOP}; kubectl get trafficreplays -A")
    return 0 if ended["conditions"][-1]["reason"] == "TestSucceeded" else 1


def _step(what: str, do: Callable[[], T]) -> T:
    print(f"── {what} …", end="", flush=True)
    began = time.monotonic()
    done = do()
    print(f" {time.monotonic() - began:.0f} s", flush=True)
    return done


def _recorded(whole: Whole) -> None:
    def there() -> bool:
        return len(whole.cloud(f"/v1/rrpairs?service=java-server&limit={PAIRS}")["items"]) >= PAIRS

    whole.until(there, "pairs are recorded", _WAIT_S)


def _replayed(whole: Whole, snapshot: str) -> dict[str, Any]:
    workload = {"ref": {"kind": "Deployment", "name": "java-server"}, "tests": ["*"], "mocks": ["*"]}
    spec = {"snapshotID": snapshot, "testConfigID": "standard", "needsReport": True, "workloads": [workload]}
    metadata = {"name": REPLAY, "namespace": NAMESPACE}
    which = Ref("speedscale.com/v1", "TrafficReplay", NAMESPACE, REPLAY)
    whole.kube.delete(which)
    whole.until(lambda: whole.kube.find(which) is None, "the replay of before is gone", _WAIT_S)
    whole.kube.apply({"apiVersion": which.api_version, "kind": which.kind, "metadata": metadata, "spec": spec}, "demo")

    def ended() -> bool:
        conditions = whole.kube.get(which).get("status", {}).get("conditions", ())
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    whole.until(ended, "the replay ends", _WAIT_S)
    status = whole.kube.get(which)["status"]
    return dict(status)


if __name__ == "__main__":
    sys.exit(main())
