"""All pairs of switches, packed into few outputs, and random values: the real kustomize builds what was written."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from speedscale_manifests.kustomize import Kustomize, KustomizeMissing, find
from speedscale_manifests.objects import reference
from speedscale_manifests.output import Writer, render
from speedscale_manifests.synth import placed
from speedscale_manifests.values import ValuesError, from_mapping

pytestmark = pytest.mark.integration

SHARDS = 4


@cache
def switches() -> ModuleType:
    path = Path(__file__).parents[2] / "generators" / "switches.py"
    spec = importlib.util.spec_from_file_location("generators_switches", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kustomize() -> Kustomize:
    try:
        return find()
    except KustomizeMissing as missing:
        pytest.skip(str(missing))


def accepts(tree: dict[str, Any]) -> bool:
    try:
        from_mapping(tree)
    except ValuesError:
        return False
    return True


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    return list(switches().rows(accepts))


def builds(kustomize: Kustomize, folder: Path, tree: dict[str, Any]) -> None:
    values = from_mapping(tree)
    objects = placed(values)
    Writer(folder).write(render(objects, values.namespace))
    wanted = {reference(item.manifest): item.manifest for item in objects}
    assert {reference(one): one for one in kustomize.build(folder)} == wanted, tree


def test_each_pair_stands_in_a_row(rows: list[Any]) -> None:
    covered = {frozenset(pair) for row in rows for pair in itertools.combinations(row, 2)}
    missing = [pair for pair in switches().pairs() if frozenset(pair) not in covered]
    assert not [pair for pair in missing if accepts(switches().tree(*pair))]
    assert len(rows) < 120


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_pair_of_switches_builds(kustomize: Kustomize, rows: list[Any], tmp_path: Path, shard: int) -> None:
    for number in range(shard, len(rows), SHARDS):
        builds(kustomize, tmp_path / str(number), switches().tree(*rows[number]))


def test_random_values_build(kustomize: Kustomize, random_values: ModuleType, tmp_path: Path) -> None:
    for seed in range(0, 200, 10):
        builds(kustomize, tmp_path / str(seed), random_values.valid(seed))
