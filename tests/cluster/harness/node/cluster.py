"""A cluster of one node that runs pods, as its users have it: started, reached, looked into, gone without a trace.

    with Node(folder) as node:
        node.load(archive)
        node.kubectl("run", "it", "--image=localhost/it:1")
        node.run_in("curl", "--silent", "http://10.96.7.7/")

The node lives in namespaces of its own (network, mounts, processes), with nothing between them and the machine's but
its API server on a port of loopback. `keeper` ends it however we end. Needs root, Linux, and Debian's packages that
`scripts/tools.py` names.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import go_tools
from harness.components import HOST
from harness.process import NotReady, Process
from harness.reached import PATIENCE, Reached

from speedscale_kube import Object

from . import cgroups, components, places
from .keeper import children

_KEEPER = Path(__file__).with_name("keeper.py")
_START_S = 60.0
_STOP_S = 180.0
_POLL_S = 0.02
_COMMAND_S = 120
Where = Literal["node", "outside"]


class Node(Reached):
    """The cluster in `folder`, which is made, and removed in the end.

    `detached`: it lives on after us, until `destroy` of another `Node` on the same folder.
    """

    def __init__(self, folder: Path, *, detached: bool = False, say: Callable[[str], None] = lambda line: None) -> None:
        super().__init__(folder)
        self._detached, self._say = detached, say
        self._keeper: subprocess.Popen[bytes] | None = None
        self._started: list[Process] = []

    def __enter__(self) -> Node:
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    def start(self) -> None:
        """Start everything and wait until it is ready; ToolMissing without the programs, NotReady with the reason."""
        go_tools.ensure(*go_tools.NODE, say=self._say)
        self.folder.mkdir(parents=True, mode=0o700)
        began = time.monotonic()
        with socket.create_server((HOST, 0)) as listener:
            self._keeper = self._keep(listener)
        told = self.folder / "told.json"
        while not told.exists():
            if time.monotonic() - began > _START_S * PATIENCE or self._keeper.poll() is not None:
                raise NotReady(f"the node was not ready in {time.monotonic() - began:.0f} s:\n{self._log()}")
            time.sleep(_POLL_S)
        if "failed" in (answer := json.loads(told.read_text(encoding="utf-8"))):
            raise NotReady(f"the node did not start: {answer['failed']}\n{self._log()}")
        self._say(f"{self._log()}the node is ready after {time.monotonic() - began:.1f} s")

    def running(self) -> bool:
        """Say whether the node of an earlier start still runs."""
        return self._owner() is not None and self._first() is not None

    def destroy(self) -> None:
        """End the node and all that was started in it, and remove the folder; AssertionError when something stays."""
        while self._started:
            self._started.pop().stop()
        if self._keeper is not None:
            self._keeper.terminate()
            code = self._keeper.wait(_STOP_S)
            if self._keeper.stdin is not None:
                self._keeper.stdin.close()
            self._keeper = None
            assert code != 1, f"cgroups are left: {sorted(cgroups.left())}"
        elif (pid := self._owner()) is not None:
            os.kill(pid, signal.SIGTERM)
            self.until(lambda: self._owner() is None, "the node is gone", _STOP_S)
        cgroups.sweep()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, file: Path) -> None:
        """Give the node the images of an OCI (or Docker) archive; a pod names them as the archive does."""
        self._images("import", str(file))

    def images(self) -> list[str]:
        """Return the names of the images that pods can use."""
        return sorted(name for name in self._images("list", "--quiet").split() if not name.startswith("sha256:"))

    def pods(self, namespace: str, labels: str = "") -> list[Object]:
        """Return the pods of a namespace; `labels` is a selector."""
        with self.client() as kube:
            return kube.list("v1", "Pod", namespace, labels=labels)

    def logs(self, namespace: str, pod: str, container: str = "", *, previous: bool = False) -> str:
        """Return what a container has written."""
        which = ["--container", container] if container else []
        return self.kubectl("logs", "--namespace", namespace, pod, *which, *(["--previous"] if previous else []))

    def exec(self, namespace: str, pod: str, *command: str, container: str = "", stdin: str = "") -> str:
        """Run a command in a container and return what it printed; AssertionError with its words when it fails."""
        which = ["--container", container] if container else []
        given = ["--stdin"] if stdin else []
        return self.kubectl("exec", "--namespace", namespace, pod, *which, *given, "--", *command, stdin=stdin)

    def resolve(self, name: str, address: str) -> None:
        """Have the cluster's DNS answer `name` (outside the cluster) with `address`, within a second."""
        with (self.folder / "hosts").open("a", encoding="ascii") as hosts:
            hosts.write(f"{address} {name}\n")

    def run_in(self, *command: str, where: Where = "node", stdin: str = "", check: bool = True) -> str:
        """Run a command in the network (and among the mounts) of the node, or in the network `outside`.

        Return what it printed; AssertionError with its words when it fails and `check` is set.
        """
        done = subprocess.run(
            self.enter(command, where), input=stdin, capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def start_in(
        self, name: str, *command: str, where: Where = "node", environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program in the network of the node or `outside`; it ends with the node, and is killed when we are.

        Its output goes to `Process.log`.
        """
        process = Process(f"{name}.{len(self._started)}", self.folder)
        self._started.append(process)
        process.start(self.enter(command, where), environment=environment)
        return process

    def enter(self, command: Sequence[str], where: Where = "node") -> list[str]:
        """Return a command line that runs `command` there."""
        into = ["nsenter", f"--target={self.proc.parts[2]}", "--pid"]  # with the node's processes: they end together
        if where == "node":
            return [*into, "--net", "--mount", "--", *command]
        pid = json.loads((self.folder / "told.json").read_text(encoding="utf-8"))["outside"]
        return [*into, f"--net={self.proc}/{pid}/ns/net", "--", *command]

    @property
    def proc(self) -> Path:
        """Where the machine has the node's /proc, for programs that were started `outside` and look for themselves."""
        first = self._first()
        assert first is not None, "the node does not run"
        return Path(f"/proc/{first}/root/proc")

    def outside(self) -> Outside:
        """Return the world outside of the cluster."""
        return Outside(self)

    def _images(self, *arguments: str) -> str:
        return self.run_in(*components.ctr(self.folder, "images", *arguments))

    def _keep(self, listener: socket.socket) -> subprocess.Popen[bytes]:
        mode = "detached" if self._detached else "attached"
        with (self.folder / "inside.log").open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, str(_KEEPER), str(self.folder), str(listener.fileno()), mode],
                stdin=subprocess.DEVNULL if self._detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(listener.fileno(),),
                start_new_session=True,
            )
        (self.folder / "owner").write_text(cgroups.name(keeper.pid), encoding="ascii")
        return keeper

    def _owner(self) -> int | None:
        """The keeper's pid while it lives: its cgroup's name says when it started."""
        try:
            name = (self.folder / "owner").read_text(encoding="ascii")
            pid = int(name.split("-")[2])
        except (OSError, ValueError, IndexError):
            return None
        return pid if cgroups.name(pid) == name else None

    def _first(self) -> int | None:
        """The first process of the node."""
        try:
            found = children(int((self.folder / "unshare.pid").read_text(encoding="ascii")))
        except (OSError, ValueError):
            return None
        return found[0] if found else None

    def _log(self) -> str:
        try:
            return (self.folder / "inside.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


class Outside:
    """What is not the cluster: a network with an address of its own, which pods reach by the node."""

    address = places.OUTSIDE_IP
    name = places.OUTSIDE_NAME

    def __init__(self, node: Node) -> None:
        self._node = node

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """Run a command there, like `Node.run_in`."""
        return self._node.run_in(*command, where="outside", stdin=stdin, check=check)

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Process:
        """Start a server there, like `Node.start_in`."""
        return self._node.start_in(name, *command, where="outside", environment=environment)
