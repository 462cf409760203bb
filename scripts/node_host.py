"""Whether this machine lets a node run pods, tried out: namespaces, overlay mounts, packet rules, cgroups.

Called by `tiers.py` and `cluster.py` before anything is built or started, so that a container without these rights says
so in a sentence instead of failing in the middle. Leaves nothing: what is tried ends with its namespaces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_TRY_S = 30
_IN = ("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--")
_TRIES = (  # what a node does first, and what that is to a reader
    ("namespaces of its own", "true"),
    ("an overlay file system", "mount -t overlay -o lowerdir=a,upperdir=b,workdir=c it d"),
    ("a pair of network interfaces", "ip link add eth0 type veth peer name eth1"),
    ("a bridge", "ip link add cni0 type bridge"),
    ("iptables with owner and NAT", "iptables -t nat -A OUTPUT -p tcp -m owner --uid-owner 1 -j REDIRECT --to-ports 1"),
)


def lacks() -> str:
    """Return what this machine does not let a node do, with its own words; nothing when pods can run."""
    if not sys.platform.startswith("linux"):
        return "pods need Linux"
    if os.geteuid() != 0:
        return "pods need root"
    if refused := _cgroups():
        return refused
    with tempfile.TemporaryDirectory(prefix="speedscale-node-") as folder:
        for name in "abcd":
            Path(folder, name).mkdir()
        for what, command in _TRIES:
            if refused := _tried(command, folder):
                return f"this machine does not let a node have {what}: {refused}"
    return ""


def _tried(command: str, folder: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            [*_IN, "sh", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=_TRY_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return "" if done.returncode == 0 else (said[-1] if said else f"it ended with {done.returncode}")


def _cgroups() -> str:
    """Try to make a cgroup where kubelet needs one: in the one hierarchy of version 2, or in those of version 1."""
    unified = (_CGROUPS / "cgroup.controllers").exists()
    roots = [_CGROUPS] if unified else [_CGROUPS / name for name in ("cpu", "memory", "pids")]
    for root in roots:
        made = root / f"speedscale-try-{os.getpid()}"
        try:
            made.mkdir()
            made.rmdir()
        except OSError as error:
            return f"this machine does not let a node have cgroups: {error}"
    if unified:
        there = (_CGROUPS / "cgroup.controllers").read_text(encoding="ascii").split()
        if missing := [name for name in ("cpu", "memory", "pids") if name not in there]:
            return f"this machine does not delegate the cgroup controllers {', '.join(missing)}"
    return ""


if __name__ == "__main__":
    reason = lacks()
    print(reason or "pods can run here")
    sys.exit(1 if reason else 0)
