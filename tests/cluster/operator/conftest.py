"""The operator on a real API server: `install` for a test that wants one of its own, `operator` for one a module."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.cluster import Cluster
from harness.nodes import Nodes
from harness.operator import Installation, own_address

from speedscale_controller.manager.table import reconcilers
from speedscale_kube import Client

_numbers = itertools.count(1)
Install = Callable[..., Installation]


def certify_if_nobody_does(installation: Installation) -> None:
    """Make certificates where the operator does not do it itself."""
    if installation.values.certificates.mode != "controller" or "identity" not in {r.name for r in reconcilers()}:
        installation.certify()


@pytest.fixture(scope="session")
def address() -> str:
    """An address that the API server can call a Service's endpoint at."""
    found = own_address()
    if not found:
        pytest.skip("this machine has no address but loopback, which no endpoint of a Service may have")
    return found


@pytest.fixture(scope="module")
def running_pods(cluster: Cluster) -> Iterator[Nodes]:
    """Pods become ready (of Jobs: succeed) as soon as they are there; `hold(component)` keeps some from it."""
    nodes = Nodes(cluster.client())
    nodes.start()
    yield nodes
    nodes.stop()


@pytest.fixture(scope="module")
def _installer(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    kube: Client,
    address: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Install, list[Installation]]]:
    made: list[Installation] = []
    module = re.sub(r"[^a-z0-9]+", "-", Path(str(request.path)).stem.removeprefix("test_")).strip("-")[:30]

    def install(**tree: object) -> Installation:
        number = next(_numbers)
        folder = tmp_path_factory.mktemp(f"op{number}")
        installation = Installation(cluster, kube, f"op-{module}-{number}", folder, address, tree)
        made.append(installation)
        installation.apply()
        return installation

    yield install, made
    for installation in made:
        installation.remove()


@pytest.fixture
def install(_installer: tuple[Install, list[Installation]]) -> Iterator[Install]:
    """Install an operator with these values, without starting it: `install(profile="operator").start()`.

    There is one at a time in a cluster: webhooks and cluster roles have fixed names.
    """
    do, made = _installer
    before = len(made)
    yield do
    while len(made) > before:
        made.pop().remove()


@pytest.fixture(scope="module")
def operator(_installer: tuple[Install, list[Installation]]) -> Installation:
    """An installation with default values and one replica that is ready, for the module."""
    installation = _installer[0]()
    certify_if_nobody_does(installation)
    installation.start()
    return installation
