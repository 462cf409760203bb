"""Nothing of a cluster is left on the machine, however its owner ends: not a process, rule, mount, cgroup, file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.node import cgroups
from harness.node.cluster import Node
from harness.node.keeper import children
from harness.reached import Reached

ROOT = Path(__file__).resolve().parents[2]
OWNER = f"""
import pathlib, sys
sys.path[:0] = {[str(ROOT / one) for one in ("tests/cluster", "tests/e2e", "scripts")]!r}
from harness.node import archive
from harness.node.cluster import Node
import pods
with Node(pathlib.Path(sys.argv[1])) as node:
    node.load(pathlib.Path(sys.argv[2]))
    with node.client() as kube:
        mounted = {{"container": {{"volumeMounts": [{{"name": "data", "mountPath": "/data"}}]}}}}
        volumes = [{{"name": "data", "emptyDir": {{"medium": "Memory"}}}}]
        kube.apply(pods.pod("default", "it", sys.argv[3], "sleep 3600", volumes=volumes, **mounted), "tests")
        kube.apply(pods.service("default", "it"), "tests")
        pods.until_ready(kube, "default", "it")
    print(node.folder.joinpath("unshare.pid").read_text(), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Machine:
    """What the machine has that a cluster could have left."""

    mounts: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    settings: tuple[str, ...]


def machine() -> Machine:
    """Look at this machine, from its own namespaces."""
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()}
    # others may make network namespaces meanwhile; containerd's would begin with cni-
    mounts = {one for one in mounts if not one.startswith("/run/netns/") or one.startswith("/run/netns/cni-")}
    links = {line.split(": ")[1] for line in _told("ip", "-o", "link").splitlines()}
    rules = {line for line in _told("iptables-save").splitlines() if line.startswith((":", "-A"))}
    settings = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
    return Machine(
        frozenset(mounts),
        frozenset(links),
        frozenset(_told("ip", "route").splitlines()),
        frozenset(rule.split(" [")[0] for rule in rules),
        tuple(Path("/proc/sys", one).read_text(encoding="ascii").strip() for one in settings),
    )


def _told(*command: str) -> str:
    path = f"{os.environ['PATH']}:/usr/sbin"
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": path}).stdout


def in_namespace(which: str) -> set[int]:
    """Return the processes that are in a process namespace, dead ones not counted."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/pid"):
        try:
            if os.readlink(link) == which:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, None], ids=["killed", "interrupted", "ends"])
def test_nothing_is_left_when_the_owner_is_gone(
    how: signal.Signals | None, shell_image: str, shell_archive: Path, tmp_path: Path
) -> None:
    before, others = machine(), cgroups.left()
    folder = tmp_path / "it"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), str(shell_archive), shell_image],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as owner:
        assert owner.stdout is not None
        unshare = int(owner.stdout.readline())
        (first,) = children(unshare)
        namespace = os.readlink(f"/proc/{first}/ns/pid")
        assert len(in_namespace(namespace)) > 10, "control plane, containerd, kubelet, a shim, a pod"
        assert len(cgroups.left() - others) == 1
        assert machine() == before, "while it runs, the machine has nothing of it either"
        if how is not None:
            owner.send_signal(how)
        owner.communicate(timeout=120)
    Reached.until(lambda: not in_namespace(namespace), "every process of the node is gone", 30)
    Reached.until(lambda: cgroups.left() <= others, "its cgroups are gone", 30)
    Reached.until(lambda: not folder.exists(), "its folder is gone, with all data", 30)
    assert machine() == before


def test_a_killed_keeper_takes_the_node_along_and_the_next_one_sweeps(node_tools: None, tmp_path: Path) -> None:
    others = cgroups.left()
    node = Node(tmp_path / "it")
    try:
        node.start()
        (first,) = children(int((node.folder / "unshare.pid").read_text(encoding="ascii")))
        namespace = os.readlink(f"/proc/{first}/ns/pid")
        (own,) = cgroups.left() - others
        os.kill(int(own.split("-")[2]), signal.SIGKILL)
        node.until(lambda: not in_namespace(namespace), "every process of the node is gone", 30)
        assert not node.running()
    finally:
        node.destroy()
    assert own not in cgroups.left()
    assert not node.folder.exists()
