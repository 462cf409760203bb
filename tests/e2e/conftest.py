"""One cluster with pods for the whole session, and a namespace for each test. Skips, with the reason, without tools."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "tests" / "e2e"), str(ROOT / "scripts")]

import go_tools  # noqa: E402
import node_host  # noqa: E402
import story  # noqa: E402
import tools  # noqa: E402
from harness.argocd import ArgoCD  # noqa: E402
from harness.gitserver import GitServer  # noqa: E402
from harness.node import archive, programs  # noqa: E402
from harness.node.cluster import Node, Outside  # noqa: E402
from harness.repository import Repository  # noqa: E402
from story import Tell  # noqa: E402
from whole import Whole, build  # noqa: E402

from speedscale_kube import Client, Ref  # noqa: E402

_XTABLES = next(Path("/usr/lib").glob("*/xtables"), None)
SHELL = "localhost/tests/shell:1"
_ORDER = {"test_whole": -1, "test_whole_removal": 1}
_PAIRS, _CALLS = 120, 10
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here. The installation is told of while nobody has broken anything yet, and removed last."""
    for item in items:
        if ROOT / "tests" / "e2e" in item.path.parents:
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: _ORDER.get(item.path.stem, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests tell: counts, not only that they passed."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())]
    if lines := story.told(reports):
        terminalreporter.write_sep("=", "the story")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Have the summary say something: what, and how much of it."""
    return lambda what, value: record_property(story.TOLD, (what, value))


@pytest.fixture(scope="session")
def node_tools() -> None:
    """Skip where no node can run."""
    if lacking := tools.missing(tools.NODE):
        pytest.skip(f"needs {', '.join(lacking)}; apt-get install {' '.join(sorted(set(lacking.values())))}")
    if refused := node_host.lacks():
        pytest.skip(refused)
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
def argo(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD on the node's API server; what it applies runs."""
    if lacking := tools.missing(tools.CLUSTER):
        pytest.skip(f"needs {', '.join(lacking)}; apt-get install {' '.join(sorted(lacking.values()))}")
    try:
        go_tools.ensure("argocd", "kustomize")
    except go_tools.ToolMissing as error:
        pytest.skip(str(error).partition("\n")[0])
    with ArgoCD(node, tmp_path_factory.mktemp("argocd") / "it", pods=True) as running:
        yield running


@pytest.fixture(scope="module")
def repository(argo: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A user's empty repository, which Argo CD reads from a git server; its files are the test's."""
    folder = tmp_path_factory.mktemp("repository")
    made = Repository(folder)
    with GitServer(folder, folder) as server:
        made.url = server.url(made.bare.stem)
        yield made


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Our images, built; what was built before is taken from the cache."""
    return build(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def installed(
    node: Node, kube: Client, argo: ArgoCD, archives: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Whole]:
    """The whole installation, synced by Argo CD from a git server."""
    for file in archives:
        node.load(file)
    folder = tmp_path_factory.mktemp("whole")
    repository = Repository(folder)
    with GitServer(folder, folder) as server:
        repository.url = server.url(repository.bare.stem)
        made = Whole(node, argo, kube, repository, folder)
        made.install()
        yield made


@pytest.fixture(scope="session")
def snapshot(installed: Whole) -> str:
    """A snapshot of what the demo's server got and asked for while its client was at work."""

    def recorded(direction: str) -> int:
        which = f"service=java-server&direction={direction}&limit={_PAIRS}"
        return len(installed.cloud(f"/v1/rrpairs?{which}")["items"])

    installed.until(lambda: recorded("IN") >= _PAIRS, f"{_PAIRS} pairs are at the backend", 240.0)
    installed.until(lambda: recorded("OUT") >= _CALLS, f"{_CALLS} of the server's own calls are, too", 240.0)
    made = installed.cloud("/v1/snapshots", body={"name": "shop", "services": ["java-server"]})
    return str(made["id"])


@pytest.fixture(scope="session")
def shell_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of an image with `sh`, `httpd`, `curl`, `nc`, `nslookup`, `iptables` and a few more."""
    if lacking := tools.missing({"busybox": "busybox-static", "curl": "curl"}):
        pytest.skip(f"needs {', '.join(lacking)}; apt-get install {' '.join(sorted(lacking.values()))}")
    folder = tmp_path_factory.mktemp("shell")
    applets = ("sh", "httpd", "nc", "nslookup", "cat", "echo", "ls", "mkdir", "sleep", "test", "id", "stat", "touch")
    programs.add(folder, "busybox", *applets)
    programs.add(folder, "curl")
    programs.add(folder, "iptables", "iptables", "iptables-save", plugins=_XTABLES)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    return archive.write(folder, SHELL, folder.parent / f"{folder.name}.tar", entrypoint=("/usr/bin/sh",))


@pytest.fixture(scope="session")
def shell_image(node: Node, shell_archive: Path) -> str:
    """The name of that image, which the node has."""
    node.load(shell_archive)
    return SHELL
