"""Processes as container runtimes start them: a root, mounts and process ids of their own, below the capture's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tap import DEADLINE_S, Tap

_START = """
set -e
mount -t tmpfs tmpfs "$1/room"
mkdir "$1/room/upper" "$1/room/work"
mount -t overlay overlay -o "lowerdir=$1/image,upperdir=$1/room/upper,workdir=$1/room/work" "$1/root"
mount -t proc proc "$1/root/proc"
cd "$1/root"
pivot_root . old
shift
export LD_LIBRARY_PATH=/opt/own/lib
exec /app/program "$@"
"""
"""Run by a shell that is the first process of its namespaces; an overlay becomes its root."""


@dataclass(frozen=True)
class Image:
    """A root file system for containers, which share it as their lower layer."""

    folder: Path

    @classmethod
    def of(cls, folder: Path, program: Path) -> Image:
        """Return one that holds a program as /app/program and what it is linked with, in a place of its own."""
        image = folder / "image"
        libraries = image / "opt/own/lib"
        for one in (image / "app", image / "proc", image / "old", libraries):
            one.mkdir(parents=True)
        _copy(program, image / "app/program")
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for line in listed.splitlines():
            if found := re.search(r"(/\S*ld-linux\S+) ", line):
                at = image / found[1].lstrip("/")
                at.parent.mkdir(parents=True, exist_ok=True)
                _copy(Path(found[1]), at)
            elif found := re.search(r"=> (/\S+) ", line):
                _copy(Path(found[1]), libraries / Path(found[1]).name)
        return cls(folder)

    @contextmanager
    def run(
        self, tap: Tap, name: str, *arguments: object, enter: Sequence[str] = ()
    ) -> Iterator[subprocess.Popen[str]]:
        """Run the program in a container of this image, in the captured cgroup, and kill it in the end.

        `enter`: a command that puts what comes behind it into the node's namespaces.
        """
        place = self.folder / name
        for one in ("room", "root"):
            (place / one).mkdir(parents=True)
        (place / "image").symlink_to(self.folder / "image")
        into = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL", "--")
        with tap.start([*enter, *into, "/bin/sh", "-c", _START, "sh", place, *map(str, arguments)]) as process:
            yield process


def _copy(source: Path, to: Path) -> None:
    to.write_bytes(source.read_bytes())
    to.chmod(0o755)


def child(pid: int) -> int:
    """Return, in our numbers, the one process that this one started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while not (found := children.read_text().split()):
        os.sched_yield()
    return int(found[0])


def numbers(pid: int) -> list[int]:
    """Return a process's ids in its namespaces, ours first."""
    (line,) = re.findall(r"^NSpid:(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return [int(one) for one in line.split()]


@contextmanager
def node(cgroup: Path, cgroups: Path) -> Iterator[int]:
    """Play a node that is a container: process ids, a /proc and a view of cgroups (mounted at `cgroups`) of its own.

    Return its first process.
    """
    inside = f"mount -t cgroup2 cgroup2 {cgroups} && echo up && exec sleep infinity"
    into = f"unshare --pid --mount --cgroup --fork --mount-proc --kill-child=SIGKILL -- sh -c '{inside}'"
    cgroup.mkdir()
    cgroups.mkdir()
    command = ["sh", "-c", f"echo $$ > {cgroup}/cgroup.procs; exec {into}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield child(process.pid)
        finally:
            process.kill()
            process.wait(DEADLINE_S)
