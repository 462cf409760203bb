"""The cgroup of one node in every hierarchy of this machine: made for kubelet, removed to the last one.

Named `speedscale-node-<pid>-<start>` after the process that keeps the node: who finds one whose keeper is gone may
remove it. Versions 1 (a hierarchy a controller), 2, and both side by side.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_NAME = re.compile(r"speedscale-node-(\d+)-(\d+)")
_NEEDED = ("cpu", "cpuset", "memory", "pids", "hugetlb", "io")
_SHARES = {"cpu.shares": "8192", "cpu.weight": "800"}  # as eight: all pods together, beside each process of the machine
_POLL_S = 0.02


def name(pid: int) -> str:
    """Return the name of the cgroup that process `pid` keeps."""
    return f"speedscale-node-{pid}-{_started(pid)}"


def make(which: str) -> None:
    """Make the cgroup `which` at the top of each hierarchy, with what kubelet looks for in it."""
    unified = (_ROOT / "cgroup.controllers").exists()
    if unified:
        there = (_ROOT / "cgroup.controllers").read_text(encoding="ascii").split()
        for controller in (one for one in _NEEDED if one in there):
            (_ROOT / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
    for hierarchy in _hierarchies():
        made = hierarchy / which
        made.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty is not "as above" but "none"
            if not unified and (made / file).exists():
                (made / file).write_text((hierarchy / file).read_text(encoding="ascii"), encoding="ascii")
        for file, share in _SHARES.items():
            if (made / file).exists():
                (made / file).write_text(share, encoding="ascii")


def remove(which: str, deadline_s: float = 20.0) -> list[Path]:
    """Remove the cgroup `which` with all below it; return what is still there after `deadline_s` seconds."""
    until = time.monotonic() + deadline_s
    while True:
        left = [folder for folder in _below(which) if not _removed(folder)]
        if not left or time.monotonic() > until:
            return left
        time.sleep(_POLL_S)  # a process that was killed is not gone at once


def sweep() -> None:
    """Remove the cgroups whose keepers are gone: killed, they could not."""
    names = {path.name for hierarchy in _hierarchies() for path in hierarchy.glob("speedscale-node-*")}
    for which in sorted(names):
        found = _NAME.fullmatch(which)
        if found and _started(int(found.group(1))) != found.group(2):
            remove(which)


def left() -> set[str]:
    """Return the names of all cgroups of nodes, for tests."""
    return {path.name for hierarchy in _hierarchies() for path in hierarchy.glob("speedscale-node-*")}


def _started(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty when there is none, or a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _hierarchies() -> Iterator[Path]:
    if (_ROOT / "cgroup.procs").exists():
        yield _ROOT
        return
    with contextlib.suppress(OSError):
        yield from sorted(
            path for path in _ROOT.iterdir() if not path.is_symlink() and (path / "cgroup.procs").exists()
        )


def _below(which: str) -> list[Path]:
    return [
        Path(folder)
        for hierarchy in _hierarchies()
        for folder, _, _ in os.walk(hierarchy / which, topdown=False, followlinks=False)
    ]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
