"""Who ends a node, however its owner ends: starts it, waits for the owner's end, leaves nothing of it.

    python keeper.py FOLDER LISTENER attached|detached

Attached, the owner's end is the end of standard input: the kernel closes it for who is killed. Detached, only SIGTERM
ends the node. A keeper that is killed takes the node's processes along (PR_SET_PDEATHSIG, --kill-child); what it leaves
then, empty cgroups and a folder, the next node sweeps.

In a session of its own: an interrupt at the terminal is the owner's to answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.node import cgroups
from harness.process import die_with

_LOOK_S = 0.2
_UNSHARE = (
    *("unshare", "--pid", "--mount", "--net", "--uts", "--ipc"),
    *("--fork", "--kill-child=SIGKILL", "--mount-proc", "--propagation=private"),
)


def main(folder: Path, listener: int, *, attached: bool) -> int:
    """Keep the node in `folder` until its owner is gone."""
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    cgroups.sweep()
    cgroup = cgroups.name(os.getpid())
    with (folder / "inside.log").open("ab") as log:
        child = subprocess.Popen(
            [*_UNSHARE, sys.executable, str(Path(__file__).with_name("inside.py")), str(folder), cgroup, str(listener)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(listener,),
            preexec_fn=die_with(os.getpid()),
        )
    os.close(listener)
    (folder / "unshare.pid").write_text(str(child.pid), encoding="ascii")
    if attached:
        threading.Thread(target=_until_closed, args=(end,), daemon=True).start()
    while not end.wait(_LOOK_S):
        if child.poll() is not None:  # its owner may want to read why, and may be gone
            tell(folder, {"failed": "its first process ended"})
            cgroups.remove(cgroup)
            if not attached:
                return 1
            end.wait()
    for first in children(child.pid):  # its end is that of all processes of the node
        _kill(first)
    if not children(child.pid):
        _kill(child.pid)  # it has not come to that
    child.wait()
    left = cgroups.remove(cgroup)
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if left else 0


def tell(folder: Path, what: dict[str, object]) -> None:
    """Tell the owner how the start went, unless it was told."""
    file, part = folder / "told.json", folder / f"told.{os.getpid()}"
    if not file.exists():
        folder.mkdir(exist_ok=True)
        part.write_text(json.dumps(what), encoding="utf-8")
        part.rename(file)


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _until_closed(end: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    end.set()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), attached=sys.argv[3] == "attached"))
