"""The verb: arguments, files that are not what they should be, exit codes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from speedscale_manifests.cli import parity
from speedscale_manifests.parity import facts


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parity.configure(parser)
    return parity.run(parser.parse_args(arguments))


def test_the_cases_of_the_verb_are_those_of_the_facts() -> None:
    assert facts.case_names() == parity.CASES


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import argparse, sys; from speedscale_manifests.cli import parity; "
        "parity.configure(argparse.ArgumentParser());"
        "print([m for m in ('yaml', 'jsii', 'speedscale_manifests.parity', 'jsonschema') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [("--chart", "x.yaml", "--case", "full"), ("--chart-values", "v.yaml")])
def test_arguments_that_do_not_go_together(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "--chart" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "no objects; give what `helm template` prints"),
        ("a: {{ .Values.x }}\nb: [\n", "no YAML"),
        ("image: {}\n", "not only Kubernetes objects"),
        ("kind: Pod\nmetadata: text\n", "not only Kubernetes objects"),
        ("- 1\n", "not only Kubernetes objects"),
        ("kind: Pod\nmetadata: {namespace: x}\n", "not only Kubernetes objects"),
    ],
)
def test_a_render_that_is_none(
    content: str | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chart.yaml"
    if content is not None:
        path.write_text(content, "utf-8")
    assert run("--chart", str(path)) == 2
    told = capsys.readouterr().err
    assert str(path) in told
    assert expected in told


def test_a_package_is_no_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = tmp_path / "chart.tgz"
    package.write_bytes(b"\x1f\x8b\x08\xff")
    assert run("--chart", str(package)) == 2
    assert run("--chart", str(tmp_path)) == 2
    told = capsys.readouterr().err
    assert "it is no text; give what `helm template` prints" in told
    assert "Is a directory" in told


def test_values_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart, values = tmp_path / "chart.yaml", tmp_path / "values.yaml"
    chart.write_text("kind: Pod\nmetadata: {name: x}\n", "utf-8")
    values.write_text("- a\n", "utf-8")
    assert run("--chart", str(chart), "--chart-values", str(values)) == 2
    assert "expected one YAML mapping" in capsys.readouterr().err


def test_a_foreign_render_is_not_at_parity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart = tmp_path / "chart.yaml"
    chart.write_text(
        "kind: ConfigMap\nmetadata: {name: speedscale-operator, namespace: x}\ndata: {NEW_KEY: a}\n", "utf-8"
    )
    assert run("--chart", str(chart), "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["notes"][0].startswith("no --chart-values:")
    unexplained = [d for d in found["cases"]["chart"]["differences"] if "reason" not in d]
    assert {
        "object": "ConfigMap/speedscale-operator",
        "path": "data[NEW_KEY]",
        "change": "missing",
        "section": "02",
        "chart": "a",
    } in unexplained
