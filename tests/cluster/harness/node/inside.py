"""The first process of a node: furnishes its namespaces, starts the cluster in them, ends orphans, provides volumes.

    unshare --pid --mount --net --uts --ipc --fork --mount-proc … python inside.py FOLDER CGROUP LISTENER

Started by `keeper`, which kills it: then the kernel ends every process of the node and frees all it has mounted and
routed. Tells by a file when the cluster is ready, or why it never will be.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]

import go_tools  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.components import HOST  # noqa: E402
from harness.node import cgroups, components, gateway, keeper, places, room, volumes  # noqa: E402

_LOOK_S = 0.5


class _Cluster(Cluster):
    """One whose folder stays for who wants to know why it did not start; `keeper` removes it."""

    def destroy(self) -> None:
        self.stop()


def main(folder: Path, cgroup: str, listener: socket.socket) -> int:
    """Be the node until killed; 1 when it could not be started, with the reason in `<folder>/told.json`."""
    os.environ["PATH"] = places.PATH
    try:
        room.furnish(folder)
        outside = room.connect()
        cgroups.make(cgroup)
        port = listener.getsockname()[1]
        (pause,) = go_tools.ensure("pause")
        cluster = _Cluster(
            folder, components=components.components(cgroup, pause), plan=components.plan(port), say=_say
        )
        cluster.start()
        gateway.serve(listener, HOST, port)
    except Exception as error:  # whoever waits for us cannot see our end
        keeper.tell(folder, {"failed": f"{type(error).__name__}: {error}"})
        return 1
    keeper.tell(folder, {"outside": outside.pid})
    _serve(cluster)
    return 0


def _serve(cluster: Cluster) -> None:
    with cluster.client() as kube:
        told = ""
        while True:
            _reap()
            try:
                volumes.provide(kube, cluster.folder / "volumes")
            except Exception as error:  # the API server may be away; a test says so by itself
                if str(error) != told:
                    told = str(error)
                    _say(f"volumes: {told}")
            time.sleep(_LOOK_S)


def _reap() -> None:
    """End what others left to the first process: each pod's shim is such an orphan."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], socket.socket(fileno=int(sys.argv[3]))))
