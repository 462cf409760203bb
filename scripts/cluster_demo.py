"""`make cluster-demo`: the whole story in a real cluster on this machine, step by step, for people.

Brings up a node (as `make cluster-up NODE=1`), builds and loads the images, has Argo CD sync the examples from a git
repository, waits for recorded traffic, replays it with mocks, and prints what came out. The cluster stays up; Argo CD
ends with this program. Needs root and Linux.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "tests" / "e2e"), str(ROOT / "scripts")]

import cluster as cluster_up  # noqa: E402
import go_tools  # noqa: E402
import story  # noqa: E402
from harness.argocd import ArgoCD  # noqa: E402
from harness.gitserver import GitServer  # noqa: E402
from harness.node.cluster import Node  # noqa: E402
from harness.process import NotReady  # noqa: E402
from harness.repository import Repository  # noqa: E402
from whole import NAMESPACE, SHOP, Whole, build  # noqa: E402

from speedscale_kube import Ref  # noqa: E402

T = TypeVar("T")
PAIRS = 60
REPLAY = "abstract-yucca"
_WAIT_S = 300.0
_ENDS = "make cluster-down ends it"


def main() -> int:
    """Tell the story; 0 when the replay passed, 1 when it did not, 2 when it could not be told."""
    if os.geteuid() != 0:
        print("make cluster-demo needs root: it runs pods; sudo make cluster-demo", file=sys.stderr)
        return 2
    print(
        "A cluster of one node, the installation by Argo CD, recording, redaction, a replay with mocks: some minutes."
    )
    if code := cluster_up.main(["up", "--node"]):
        return code
    node = Node(go_tools.cache() / cluster_up.NODE, detached=True)
    try:
        with node.client() as kube:
            if kube.find(Ref("v1", "Namespace", "", NAMESPACE)) is not None:
                print(f"this cluster has the installation already; {_ENDS}, then it can be told anew", file=sys.stderr)
                return 2
        return _told(node, go_tools.cache() / cluster_up.DEMO)
    except (AssertionError, NotReady, go_tools.ToolMissing, TimeoutError) as error:
        print(f"\nit stopped here: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    print(f"\nThe cluster stays up for a look: export KUBECONFIG={node.kubeconfig}; {_ENDS}", file=sys.stderr)
    return 2


def _told(node: Node, folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for archive in _step("build the images (minutes the first time)", lambda: build(folder / "images")):
        _step(f"load {archive.stem}", lambda archive=archive: node.load(archive))  # type: ignore[misc]
        archive.unlink()
    repository = Repository(folder)
    with contextlib.ExitStack() as stack:
        kube = stack.enter_context(node.client())
        argocd = ArgoCD(node, folder / "argocd", pods=True)
        argo = _step("start Argo CD beside the cluster", lambda: stack.enter_context(argocd))
        server = stack.enter_context(GitServer(folder, folder))
        repository.url = server.url(repository.bare.stem)
        whole = Whole(node, argo, kube, repository, folder)
        _step("values, synthesis, commit; Argo CD syncs it, wave by wave", whole.install)
        _show(node.kubectl("get", "pods", "--namespace", NAMESPACE))
        _step(f"the sidecar records the demo ({PAIRS} pairs)", lambda: _recorded(whole))
        selection = {"name": "demo", "services": ["java-server"]}
        snapshot = _step("a snapshot of what was recorded", lambda: whole.cloud("/v1/snapshots", body=selection)["id"])
        ended = _step("a replay of it: mocks, tests, report", lambda: _replayed(whole, snapshot))
        _closing(whole, ended, folder / "report.html")
    return 0 if ended["conditions"][-1]["reason"] == "TestSucceeded" else 1


def _step(what: str, do: Callable[[], T]) -> T:
    """Do one step, with its name before and its time after it; what it prints itself is shown when it fails."""
    print(f"── {what} …", end="", flush=True)
    began, said = time.monotonic(), io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            done = do()
    except BaseException:
        print()
        _show(said.getvalue())
        raise
    print(f" {time.monotonic() - began:.0f} s", flush=True)
    return done


def _show(text: str) -> None:
    if text.strip():
        print(textwrap.indent(text.rstrip(), "   "), flush=True)


def _recorded(whole: Whole) -> None:
    def there() -> bool:
        return len(whole.cloud(f"/v1/rrpairs?service=java-server&limit={PAIRS}")["items"]) >= PAIRS

    whole.until(there, "pairs are recorded", _WAIT_S)


def _replayed(whole: Whole, snapshot: str) -> dict[str, Any]:
    workload = {"ref": {"kind": "Deployment", "name": "java-server"}, "tests": ["*"], "mocks": ["*"]}
    spec = {"snapshotID": snapshot, "testConfigID": "standard", "needsReport": True, "workloads": [workload]}
    metadata = {"name": REPLAY, "namespace": NAMESPACE}
    which = Ref("speedscale.com/v1", "TrafficReplay", NAMESPACE, REPLAY)
    whole.kube.apply({"apiVersion": which.api_version, "kind": which.kind, "metadata": metadata, "spec": spec}, "demo")

    def ended() -> bool:
        conditions = whole.kube.get(which).get("status", {}).get("conditions", ())
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    whole.until(ended, "the replay ends", _WAIT_S)
    status = whole.kube.get(which)["status"]
    return dict(status)


def _closing(whole: Whole, ended: dict[str, Any], page: Path) -> None:
    """Say what came out, and where to look on."""
    print(f"\nThe replay: {ended['conditions'][-1]['message']}")
    print(f"Values redacted before anything was stored: {story.redacted(whole):.0f}")
    if report := ended.get("reportID"):
        page.write_text(whole.cloud_text(f"/v1/reports/{report}?format=html"), encoding="utf-8")
        print(f"Its report: {page}")
    kubectl = go_tools.find("kubectl")
    print(f"\nThe cluster stays up, Argo CD ends now; {_ENDS}")
    print(f"   export KUBECONFIG={whole.node.kubeconfig} PATH={kubectl.parent if kubectl else ''}:$PATH")
    for what in (f"pods -n {NAMESPACE}", f"pods -n {SHOP}", "trafficreplays -A"):
        print(f"   kubectl get {what}")


if __name__ == "__main__":
    sys.exit(main())
