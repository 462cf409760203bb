"""One cluster with pods for the whole session, and a namespace for each test. Skips, with the reason, without tools."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]

import go_tools  # noqa: E402
import tools  # noqa: E402
from harness.node import archive, programs  # noqa: E402
from harness.node.cluster import Node, Outside  # noqa: E402

from speedscale_kube import Client, Ref  # noqa: E402

_XTABLES = next(Path("/usr/lib").glob("*/xtables"), None)
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here."""
    for item in items:
        if ROOT / "tests" / "e2e" in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def node_tools() -> None:
    """Skip where no node can run."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("a node needs Linux and root")
    if lacking := tools.missing(tools.NODE):
        pytest.skip(f"needs {', '.join(lacking)}; apt-get install {' '.join(sorted(set(lacking.values())))}")
    try:
        go_tools.ensure(*go_tools.NODE)
    except go_tools.ToolMissing as error:
        pytest.skip(str(error).partition("\n")[0])


@pytest.fixture(scope="session")
def node(node_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A whole cluster: control plane, scheduler, kubelet, containerd, kube-proxy, CoreDNS, in namespaces of its own."""
    with Node(tmp_path_factory.mktemp("node") / "it") as running:
        yield running


@pytest.fixture
def outside(node: Node) -> Outside:
    """The world outside of the cluster: an address, and programs that run there."""
    return node.outside()


@pytest.fixture(scope="session")
def kube(node: Node) -> Iterator[Client]:
    """This project's client, as an administrator."""
    with node.client() as client:
        yield client


@pytest.fixture
def namespace(request: pytest.FixtureRequest, kube: Client) -> Iterator[str]:
    """An empty namespace, named after the test, deleted afterwards."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{words}-{next(_numbers)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
    yield name
    kube.delete(Ref("v1", "Namespace", "", name))


@pytest.fixture(scope="session")
def shell_image(node: Node, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with a shell, a web server and client, and iptables: `sh`, `httpd`, `wget`, `nc`, `nslookup`, ..."""
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed; apt-get install busybox-static")
    folder = tmp_path_factory.mktemp("shell")
    applets = ("sh", "httpd", "wget", "nc", "nslookup", "cat", "echo", "ls", "mkdir", "sleep", "test", "id", "stat")
    programs.add(folder, "busybox", *applets)
    programs.add(folder, "iptables", "iptables", "iptables-save", plugins=_XTABLES)
    (folder / "tmp").mkdir()
    reference = "localhost/tests/shell:1"
    node.load(archive.write(folder, reference, folder.parent / "shell.tar", entrypoint=("/usr/bin/sh",)))
    return reference
