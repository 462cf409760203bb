"""Over random values, in both profiles: what goes through cdk8s comes out equal to the plain objects, to the byte."""

from __future__ import annotations

from types import ModuleType

import pytest

from speedscale_manifests import synth
from speedscale_manifests.constructs import standalone
from speedscale_manifests.objects import Manifest
from speedscale_manifests.output import render
from speedscale_manifests.values import Values, from_mapping

pytestmark = pytest.mark.integration

COUNT = 200


def _through_cdk8s(values: Values) -> dict[str, list[Manifest]]:
    return {name: chart.to_json() for name, chart in standalone(values).charts.items()}


def _plain(values: Values) -> dict[str, list[Manifest]]:
    charts: dict[str, list[Manifest]] = {}
    for item in synth.placed(values):
        charts.setdefault(item.chart, []).append(item.manifest)
    return charts


@pytest.mark.parametrize("profile", ["gitops", "operator"])
@pytest.mark.parametrize("part", range(4))
def test_cdk8s_changes_nothing(random_values: ModuleType, profile: str, part: int) -> None:
    for seed in range(part, COUNT, 4):
        values = from_mapping({**random_values.valid(seed), "profile": profile})
        assert _through_cdk8s(values) == _plain(values), seed
        if seed % 16 == part:
            assert synth.synthesise(values) == render(synth.placed(values), values.namespace), seed
