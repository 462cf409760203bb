"""A git server on loopback: what Argo CD reads by the network, as it does a user's repository.

Serves every bare repository in a folder by `git://`, read only; dies with the tests.
"""

from __future__ import annotations

import functools
import shutil
import socket
from pathlib import Path
from types import TracebackType

import go_tools

from .components import HOST, free_ports
from .process import Process


class GitServer:
    """`folder` holds the repositories; `url(name)` is the address of one."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._process, self._port = folder, Process("git-daemon", log), 0

    def __enter__(self) -> GitServer:
        git = shutil.which("git")
        if git is None:
            raise go_tools.ToolMissing("git is not on PATH; apt-get install git")
        self._port = free_ports(["git"])["git"]
        where = ("--reuseaddr", f"--listen={HOST}", f"--port={self._port}", f"--base-path={self._folder}")
        self._process.start([git, "daemon", *where, "--export-all", str(self._folder)])
        try:
            self._process.wait(functools.partial(_listens, self._port), 30.0)
        except BaseException:
            self._process.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def url(self, name: str) -> str:
        """Return the address of the bare repository `<name>.git`."""
        return f"git://{HOST}:{self._port}/{name}.git"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
