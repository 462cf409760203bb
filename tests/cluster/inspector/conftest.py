"""An inspector of one test (`play`), or with default values for a module (`played`)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.definitions import defined
from harness.inspecting import ROLLOUTS, Played

from speedscale_kube import Client, Ref
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import from_mapping

Play = Callable[..., Played]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def kinds(kube: Client) -> Iterator[None]:
    """TrafficReplay and Rollout are known."""
    crds = [i.manifest for i in inventory(from_mapping({})) if i.manifest["kind"] == "CustomResourceDefinition"]
    with defined(kube, *crds, ROLLOUTS):
        yield


@pytest.fixture(scope="module")
def installer(cluster: Cluster, kube: Client, kinds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Install an inspector; one at a time, as names of cluster roles are fixed."""
    spaces: list[str] = []

    def install(**values: Any) -> Played:
        space = f"insp-{next(_numbers)}"
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}, "tests")
        spaces.append(space)
        played = Played(cluster, kube, tmp_path_factory.mktemp(space), space, values)
        played.apply()
        return played

    yield install
    for space in spaces:
        kube.delete(Ref("v1", "Namespace", "", space))


@pytest.fixture
def play(installer: Play) -> Iterator[Play]:
    """Install and start an inspector for one test: `play(environ={...}, inspector={"accessLabels": {...}})`."""
    made: list[Played] = []

    def start(environ: Mapping[str, str] | None = None, **values: Any) -> Played:
        played = installer(**values)
        made.append(played)
        played.start(**(environ or {}))
        return played

    yield start
    for played in made:
        played.stop()


@pytest.fixture(scope="module")
def played(installer: Play) -> Iterator[Played]:
    """An inspector with default values, connected, for the module."""
    one = installer()
    one.start()
    yield one
    one.stop()
