"""A real control plane for the whole session, and a namespace for each test. Skips, with the reason, without tools."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "scripts")]

import go_tools  # noqa: E402
from harness import faults  # noqa: E402
from harness.cluster import Cluster  # noqa: E402

from speedscale_kube import Client, Ref  # noqa: E402

_numbers = itertools.count(1)
_running: list[Cluster] = []
_SHARED = "crds,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker of faults known."""
    config.addinivalue_line("markers", faults.MARKER)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Give out files as these tests need it, where they are kept together."""
    from harness.scheduling import ArgoFirst  # only where there are workers

    return ArgoFirst(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here."""
    for item in items:
        if ROOT / "tests" / "cluster" in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            faults.note(item)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After a file's last test: nothing that the next file would take for its own is left in the cluster they share."""
    if _running and (nextitem is None or nextitem.path != item.path):
        left = _running[0].kubectl("get", _SHARED, "-o", "name").split()
        ours = [name for name in left if "speedscale" in name]
        assert not ours, f"{item.path.name} leaves {', '.join(ours)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was broken and what held, when anything was."""
    stats = terminalreporter.stats
    reports = [report for name in ("passed", "failed", "skipped", "error") for report in stats.get(name, ())]
    if found := faults.rows(reports):
        terminalreporter.write_sep("=", "faults and end states")
        for line in (*faults.table(found), *faults.told(reports)):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane: etcd, kube-apiserver, kube-controller-manager."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a control plane as processes needs Linux")
    try:
        go_tools.ensure(*go_tools.CONTROL_PLANE)
    except go_tools.ToolMissing as error:
        pytest.skip(str(error).partition("\n")[0])
    with Cluster(tmp_path_factory.mktemp("cluster") / "it") as running:
        _running.append(running)
        yield running
        _running.clear()


@pytest.fixture(scope="session")
def kube(cluster: Cluster) -> Iterator[Client]:
    """This project's client, as an administrator."""
    with cluster.client() as client:
        yield client


@pytest.fixture
def namespace(request: pytest.FixtureRequest, kube: Client) -> Iterator[str]:
    """An empty namespace, named after the test, deleted afterwards."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{words}-{next(_numbers)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
    yield name
    kube.delete(Ref("v1", "Namespace", "", name))
