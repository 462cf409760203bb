"""A running cluster as tests and Argo CD reach it: its kubeconfig, kubectl, this project's client, waiting.

`Cluster` (a control plane of our own processes) and `Node` (one that runs pods, elsewhere) are such. Knows nothing of
how the cluster came to be.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

import go_tools

from speedscale_kube import Client, load

_KUBECTL_S = 120
_LOOK_S = 0.05
_LATE = 0.1  # the part of a wait that it may be longer than it had to be
_SELDOM_S = 0.5

PATIENCE = 4
"""How many times longer than on a machine of our own a test waits: others may be at work on it."""


class Reached:
    """A cluster whose kubeconfig (an administrator's) lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.kubeconfig = self.folder / "kubeconfig"

    def client(self, kubeconfig: Path | None = None) -> Client:
        """Return a client of this project's own Kubernetes layer; the caller closes it."""
        return Client(load(kubeconfig or self.kubeconfig), agent="speedscale-tests", retries=3)

    def kubectl(self, *arguments: str, stdin: str = "", kubeconfig: Path | None = None) -> str:
        """Run kubectl and return what it printed; AssertionError with its words when it fails."""
        command = [str(go_tools.ensure("kubectl")[0]), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig), "HOME": str(self.folder)}
        done = subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=_KUBECTL_S, check=False
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    @staticmethod
    def until(done: Callable[[], bool], what: str, deadline_s: float = 60.0) -> None:
        """Ask until it is so; AssertionError with `what` after `deadline_s` seconds, times what is granted to a busy
        machine. A cluster is eventual. What takes long is asked for ever more seldom: looks cost who is waited for."""
        began = time.monotonic()
        while not done():
            waited = time.monotonic() - began
            assert waited < deadline_s * PATIENCE, f"waited {deadline_s * PATIENCE:.0f} s until {what}"
            time.sleep(min(max(_LOOK_S, waited * _LATE), _SELDOM_S))
