"""`make cluster-up` and `make cluster-down`: a real cluster on this machine, for people.

A control plane is etcd, kube-apiserver and kube-controller-manager as processes on loopback; no nodes, so pods stay
Pending; any user on Linux can start it. With `--node` (`make cluster-up NODE=1`) it has a node that runs pods, in
namespaces of its own; that needs root. Either lives on until `down` (or a reboot). State lies in the user's cache.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]

import go_tools  # noqa: E402
import node_host  # noqa: E402
import tools  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.node.cluster import Node  # noqa: E402
from harness.process import NotReady  # noqa: E402

NODE, DEMO = "node", "cluster-demo"  # folders in the cache
VERBS = ("up", "down", "status", "load", "run")


def main(arguments: list[str]) -> int:
    """Run one of `VERBS`; 0 good, 1 not running (status), 2 it cannot be started; of `run`, the command's own."""
    parser = argparse.ArgumentParser(prog="cluster.py", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--node", action="store_true", help="with a node that runs pods (needs root)")
    parser.add_argument("rest", nargs="*", help="load: image archives; run: a command in the node's network")
    given = parser.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        return _fail("a cluster as processes needs Linux; take kind or k3d here, and set KUBECONFIG")
    plane = Cluster(go_tools.cache() / "cluster", detached=True, say=_say)
    node = Node(go_tools.cache() / NODE, detached=True, say=_say)
    try:
        with _alone():
            if given.verb == "up":
                return _up(_checked(node) if given.node else plane)
            if given.verb == "down":
                return _down((plane, node))
            if given.verb == "status":
                return _status(node if given.node else plane)
        return _load(node, given.rest) if given.verb == "load" else _run(node, given.rest)
    except (go_tools.ToolMissing, NotReady) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        if given.verb == "up":
            (node if given.node else plane).destroy()
        return 130


def _checked(node: Node) -> Node:
    """Return the node when it can be started here, else ToolMissing with what to do."""
    if os.geteuid() != 0:
        raise go_tools.ToolMissing("a node needs root; sudo make cluster-up NODE=1")
    if lacking := tools.missing(tools.NODE):
        packages = " ".join(sorted(set(lacking.values())))
        raise go_tools.ToolMissing(f"a node needs {', '.join(lacking)}; apt-get install {packages}")
    if refused := node_host.lacks():
        raise go_tools.ToolMissing(refused)
    return node


def _load(node: Node, files: list[str]) -> int:
    if not node.running():
        return _fail("no node runs; make cluster-up NODE=1")
    for file in files:
        if not Path(file).is_file():
            return _fail(f"there is no archive {file}; make images writes ours")
        node.load(Path(file).absolute())
    print("\n".join(node.images()))
    return 0


def _run(node: Node, command: list[str]) -> int:
    if not node.running():
        return _fail("no node runs; make cluster-up NODE=1")
    return subprocess.call(node.enter(command or [os.environ.get("SHELL", "/bin/sh")]))


def _up(cluster: Cluster | Node) -> int:
    started = time.monotonic()
    if _answers(cluster):
        _say("it runs already")
    else:
        cluster.destroy()  # what a reboot or a crash left
        try:
            cluster.start()
        except BaseException:
            cluster.destroy()
            raise
        _say(f"ready in {time.monotonic() - started:.0f} s; make cluster-down stops it")
    kubectl = go_tools.find("kubectl")
    if kubectl is not None:
        _say(f"kubectl of its version: {kubectl}")
    print(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
    return 0


def _down(clusters: tuple[Cluster | Node, ...]) -> int:
    was = [cluster for cluster in clusters if cluster.folder.exists()]
    for cluster in was:
        cluster.destroy()
    shutil.rmtree(go_tools.cache() / DEMO, ignore_errors=True)
    _say("stopped; its data is gone" if was else "nothing runs")
    return 0


def _status(cluster: Cluster | Node) -> int:
    up = _answers(cluster)
    _say(f"runs: {cluster.kubeconfig}" if up else "does not run; make cluster-up starts it")
    return 0 if up else 1


def _answers(cluster: Cluster | Node) -> bool:
    if not cluster.running() or not cluster.kubeconfig.exists():
        return False
    try:
        with cluster.client() as client:
            return bool(client.version())
    except Exception:
        return False


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait for another call of this to end: two starts at once would take each other's folder."""
    go_tools.cache().mkdir(parents=True, exist_ok=True)
    with (go_tools.cache() / "cluster.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another make cluster-… to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _fail(message: str) -> int:
    _say(f"cluster: {message}")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
