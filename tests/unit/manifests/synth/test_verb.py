"""`speedctl synth` as a user meets it: files, tables, messages, exit codes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from speedscale_manifests.cli import synth as verb


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEEDSCALE_VALUES", raising=False)
    (tmp_path / "values.yaml").write_text("image:\n  registry: registry.example.com/speedscale\n")
    return tmp_path


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(arguments))


def test_it_writes_and_shows_a_table_of_charts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run() == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["chart", "objects", "written", "unchanged", "deleted"]
    assert any(line.split()[:2] == ["base", "2"] for line in out)
    assert out[-1].endswith("values: values.yaml")
    assert (folder / "dist" / "kustomization.yaml").is_file()
    assert _run() == 0
    assert " 0 written" in "\n" + capsys.readouterr().out.replace("\n", "\n ")


def test_json_names_every_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--json", "--set", "deployDemo=", "--profile", "operator", "--out", "out") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["out"] == "out"
    assert data["values"] == ["values.yaml"]
    assert data["written"] == data["files"]
    assert {str(p.relative_to("out")) for p in Path("out").rglob("*.yaml")} == set(data["files"])
    assert not any(path.startswith("demo/") for path in data["files"])


def test_what_is_no_longer_wanted_goes_and_what_was_edited_stays_and_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run() == 0
    edited = folder / "dist" / "demo" / "service-java-server.yaml"
    edited.write_text("edited")
    capsys.readouterr()
    assert _run("--set", "deployDemo=") == 0
    assert "dist/demo/service-java-server.yaml: is stale, but was edited" in capsys.readouterr().err
    assert [p.name for p in (folder / "dist" / "demo").iterdir()] == [edited.name]


def test_wrong_values_are_told_with_file_and_line_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "values.yaml").write_text("clusterName: x\nnamspace: shop\n")
    assert _run() == 2
    told = capsys.readouterr().err
    assert "values.yaml:2" in told
    assert "namespace" in told
    assert not (folder / "dist").exists()


def test_a_file_in_the_way_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dist").mkdir()
    (folder / "dist" / "kustomization.yaml").write_text("mine")
    assert _run() == 2
    assert "dist/kustomization.yaml: was not written by this synthesis" in capsys.readouterr().err


def test_a_chart_for_helm_goes_into_a_folder_of_its_own(folder: Path) -> None:
    assert _run("--format", "helm") == 0
    assert (folder / "chart" / "Chart.yaml").is_file()
    assert not (folder / "dist").exists()


def test_against_a_folder_shows_what_changes_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("--out", "before") == 0
    capsys.readouterr()
    assert _run("--against", "before", "--set", "operator.replicas=2") == 0
    assert "spec.replicas" in capsys.readouterr().out
    assert not (folder / "dist").exists()


@pytest.mark.parametrize("arguments", [("--watch", "--json"), ("--watch", "--against", "HEAD")])
def test_what_does_not_go_together_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert _run(*arguments) == 2
    assert "--watch goes with neither" in capsys.readouterr().err


def test_watching_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEEDSCALE_VALUES", raising=False)
    assert _run("--watch") == 2


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        ("import argparse; synth.configure(argparse.ArgumentParser())", ("jsii", "yaml", "watchdog", "jsonschema")),
        (
            "from speedscale_manifests import synth, values; synth.objects(values.load())",
            ("jsii",),
        ),
    ],
    ids=["help", "objects"],
)
def test_only_who_synthesises_starts_node(program: str, heavy: tuple[str, ...]) -> None:
    check = f"import sys; sys.exit(any(name in sys.modules for name in {heavy}))"
    code = f"from speedscale_manifests.cli import synth; {program}; {check}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
