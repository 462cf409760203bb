"""`make cluster-up` and `make cluster-down`: a real control plane on this machine, for people.

etcd, kube-apiserver and kube-controller-manager as processes on loopback; no nodes, so pods stay Pending. It lives on
until `down` (or a reboot) and can be started by any user on Linux. State lies in the user's cache folder.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]

import go_tools  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.process import NotReady  # noqa: E402


def main(arguments: list[str]) -> int:
    """Run one of up, down, status; 0 good, 1 not running (status), 2 it cannot be started."""
    parser = argparse.ArgumentParser(prog="cluster.py", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("verb", choices=("up", "down", "status"))
    verb = parser.parse_args(arguments).verb
    if not sys.platform.startswith("linux"):
        return _fail("a control plane as processes needs Linux; take kind or k3d here, and set KUBECONFIG")
    cluster = Cluster(go_tools.cache() / "cluster", detached=True, say=_say)
    try:
        with _alone():
            return {"up": _up, "down": _down, "status": _status}[verb](cluster)
    except (go_tools.ToolMissing, NotReady) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        if verb == "up":
            cluster.destroy()
        return 130


def _up(cluster: Cluster) -> int:
    started = time.monotonic()
    if _answers(cluster):
        _say("the control plane runs already")
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


def _down(cluster: Cluster) -> int:
    was = cluster.folder.exists()
    cluster.destroy()
    _say("stopped; its data is gone" if was else "nothing runs")
    return 0


def _status(cluster: Cluster) -> int:
    up = _answers(cluster)
    _say(f"runs: {cluster.kubeconfig}" if up else "does not run; make cluster-up starts it")
    return 0 if up else 1


def _answers(cluster: Cluster) -> bool:
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
