"""The real kustomize over our output: every kustomization builds, and gives the objects that we wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_manifests import synth
from speedscale_manifests.kustomize import Kustomize, KustomizeError, KustomizeMissing, find
from speedscale_manifests.objects import reference
from speedscale_manifests.output import Writer
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def kustomize() -> Kustomize:
    try:
        return find()
    except KustomizeMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("profile", ["gitops", "operator"])
def test_every_kustomization_builds_into_what_we_wrote(kustomize: Kustomize, tmp_path: Path, profile: str) -> None:
    values = from_mapping({"profile": profile, "namespaceSelector": ["shop", "pay"]})
    Writer(tmp_path).write(synth.synthesise(values))
    wanted = {reference(m): m for m in synth.objects(values)}
    assert {reference(m): m for m in kustomize.build(tmp_path)} == wanted
    charts = [path.parent for path in tmp_path.glob("*/kustomization.yaml")]
    built = [manifest for chart in charts for manifest in kustomize.build(chart)]
    assert {reference(m): m for m in built} == wanted
    assert len(built) == len(wanted)


def test_a_file_that_is_not_there_is_told_with_our_name(kustomize: Kustomize, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n")
    with pytest.raises(KustomizeError) as refused:
        kustomize.build(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/kustomization.yaml: ")
    assert "missing.yaml" in str(refused.value)
