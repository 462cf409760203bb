"""The operator behind an interposer: what it asks of the API server is noted, and broken where a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.cluster import Cluster
from harness.interposer import Interposer
from harness.operator import Installation, Replica

Interpose = Callable[..., Interposer]


@pytest.fixture
def interpose(cluster: Cluster, tmp_path: Path) -> Iterator[Interpose]:
    """Make interposers: `interpose()`; closed after the test."""
    made: list[Interposer] = []

    def make() -> Interposer:
        made.append(Interposer(cluster, tmp_path / f"interposer-{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def start_behind(
    installation: Installation, way: Interposer, name: str = "operator-0", *, wait: bool = True, **environ: str
) -> Replica:
    """Start a replica whose only way to the API server is this interposer."""
    folder = installation.folder
    config = way.kubeconfig(folder / "operator.kubeconfig", folder / f"{name}.kubeconfig")
    return installation.start(name, wait=wait, KUBECONFIG=str(config), **environ)


@pytest.fixture
def behind() -> Callable[..., Replica]:
    """`behind(installation, way)` starts a replica behind an interposer."""
    return start_behind
