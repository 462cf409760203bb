"""`cdk8s synth`, the real command line: from a clean clone, on odd machines, with broken values."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from speedscale_manifests import synth
from speedscale_manifests.output.paths import INDEX
from speedscale_manifests.values import from_mapping, load

pytestmark = pytest.mark.integration

Clone = Callable[[str], Path]


def _synth(
    cdk8s: str, folder: Path, environment: dict[str, str], *arguments: str, umask: int = -1
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cdk8s, "synth", *arguments],
        cwd=folder,
        env=environment,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _expected(folder: Path) -> dict[str, bytes]:
    values = folder / "cdk8s" / "values.yaml"
    return synth.synthesise(load([values]) if values.exists() else from_mapping({}))


def test_a_clean_clone_prints_its_manifests(cdk8s: str, environment: dict[str, str], clone: Clone) -> None:
    folder = clone("a")
    done = _synth(cdk8s, folder, environment)
    assert done.returncode == 0, done.stderr
    expected = _expected(folder)
    lines = done.stdout.splitlines()
    assert lines[0] == "Synthesizing application"
    assert sorted(lines[1:]) == sorted(f"  - dist/{path}" for path in expected)
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines()), done.stderr  # no banner
    written = _files(folder / "dist")
    del written[INDEX]
    assert written == expected


def test_two_machines_no_byte_differs(cdk8s: str, environment: dict[str, str], clone: Clone) -> None:
    here, there = clone("here"), clone("a folder with spaces/and ünïcode")
    one = {**environment, "PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
    other = {**environment, "PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8"}
    other |= {"CDK8S_DISABLE_SORT": "1", "HOME": "/dev/null", "LANG": "de_DE.ISO-8859-1"}
    results = [_synth(cdk8s, here, one, umask=0o077), _synth(cdk8s, there, other, umask=0)]
    assert [done.returncode for done in results] == [0, 0], results
    assert results[0].stdout == results[1].stdout
    assert _files(here / "dist") == _files(there / "dist")


def test_again_over_its_own_output(cdk8s: str, environment: dict[str, str], clone: Clone) -> None:
    folder = clone("a")
    assert _synth(cdk8s, folder, environment).returncode == 0
    before = _files(folder / "dist")
    (folder / "dist" / "kustomization.yaml").write_text("edited")  # the command line empties the folder first
    assert _synth(cdk8s, folder, environment).returncode == 0
    assert _files(folder / "dist") == before


def test_values_files_of_the_environment(cdk8s: str, environment: dict[str, str], clone: Clone, tmp_path: Path) -> None:
    folder = clone("a")
    (tmp_path / "one.yaml").write_text("deployDemo: ''\nclusterName: one\n")
    (tmp_path / "two.yaml").write_text("clusterName: two\n")
    names = os.pathsep.join(str(tmp_path / name) for name in ("one.yaml", "two.yaml"))
    done = _synth(cdk8s, folder, {**environment, "SPEEDSCALE_VALUES": names}, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((tmp_path / "out" / "operator" / "configmap-speedscale-operator.yaml").read_text())
    assert "two" in config["data"].values()
    assert not (tmp_path / "out" / "demo").exists()


def test_to_stdout(cdk8s: str, environment: dict[str, str], clone: Clone) -> None:
    folder = clone("a")
    done = _synth(cdk8s, folder, environment, "--stdout")
    assert done.returncode == 0, done.stderr
    expected = _expected(folder)
    for text in expected.values():
        assert text.decode() in done.stdout


def test_broken_values_are_told_with_file_and_line(
    cdk8s: str, environment: dict[str, str], clone: Clone, tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("clusterName: x\nnamspace: shop\n")
    done = _synth(cdk8s, clone("a"), {**environment, "SPEEDSCALE_VALUES": str(tmp_path / "broken.yaml")})
    assert done.returncode == 1
    assert f"{tmp_path}/broken.yaml:2" in done.stderr
    assert "namespace" in done.stderr
    assert "Traceback" not in done.stderr
