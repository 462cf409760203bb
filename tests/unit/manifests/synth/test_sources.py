"""Where values come from and where files go when nobody says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speedscale_manifests.synth.sources import Sources, sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "cdk8s" / "src").mkdir(parents=True)
    (tmp_path / "cdk8s.yaml").write_text("output: dist\n")
    (tmp_path / "cdk8s" / "values.yaml").write_text("")
    return tmp_path


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


def test_in_the_project_its_values_go_to_its_output(project: Path) -> None:
    assert sources(project, {}) == Sources((Path("cdk8s/values.yaml"),), Path("dist"))


@pytest.mark.parametrize("where", ["cdk8s", "cdk8s/src"])
def test_also_from_a_folder_within(project: Path, where: str) -> None:
    found = sources(project / where, {})
    assert (project / where / found.files[0]).samefile(project / "cdk8s/values.yaml")
    assert found.output == project / "dist"


def test_a_values_file_of_the_folder_wins_and_the_output_is_beside_it(project: Path) -> None:
    (project / "cdk8s" / "src" / "values.yaml").write_text("")
    assert sources(project / "cdk8s" / "src", {}) == Sources((Path("values.yaml"),), Path("dist"))


def test_outside_of_any_project(outside: Path) -> None:
    assert sources(outside, {}) == Sources((), Path("dist"))
    (outside / "values.yaml").write_text("")
    assert sources(outside, {}, folder="chart") == Sources((Path("values.yaml"),), Path("chart"))


def test_given_files_win_over_the_environment_and_that_over_what_is_found(project: Path, outside: Path) -> None:
    environment = {"SPEEDSCALE_VALUES": os.pathsep.join(("a.yaml", "", "b.yaml"))}
    assert sources(project, environment).files == (Path("a.yaml"), Path("b.yaml"))
    assert sources(project, environment, ["c.yaml"]).files == (Path("c.yaml"),)
    assert sources(outside, environment, ["c.yaml"], "/out") == Sources((Path("c.yaml"),), Path("/out"))
    assert sources(project, environment).output == Path("dist")
