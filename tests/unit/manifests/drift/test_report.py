"""How drift is told, and the exit codes of the verb where no cluster is needed."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from speedscale_kube import Ref
from speedscale_manifests.cli.diff import _Progress
from speedscale_manifests.drift import Change, Drift, Report, report
from speedscale_runtime.cli.root import main

IT = Ref("apps/v1", "Deployment", "shop", "it")
FOUND = Report(
    3,
    "https://api:6443",
    "v1.34.4",
    (
        Drift(
            IT,
            "changed",
            "dist/it.yaml",
            changes=(
                Change(("spec", "replicas"), 1, 5, ("kubectl",), "2026-01-01T00:00:00Z"),
                Change(("spec", "a.b"), live={"x": "y" * 300}, managers=("kubectl-edit",)),
                Change(("metadata", "labels", "app"), "it"),
            ),
        ),
        Drift(IT._replace(name="gone"), "missing", "dist/gone.yaml"),
        Drift(IT._replace(name="old"), "extra", note="set by helm"),
    ),
)


def test_text() -> None:
    lines = report.text(FOUND).splitlines()
    assert lines[0] == "changed  Deployment shop/it  dist/it.yaml"
    assert lines[1] == "  ~ spec.replicas: git 1, live 5  by kubectl at 2026-01-01T00:00:00Z"
    assert lines[2].startswith('  + spec["a.b"]: {"x": "yyy')
    assert lines[2].endswith("…  by kubectl-edit")
    assert lines[3] == '  - metadata.labels.app: "it"'
    assert lines[4:6] == [
        "missing  Deployment shop/gone  dist/gone.yaml",
        "extra    Deployment shop/old  (set by helm)",
    ]
    assert lines[-1] == "3 objects compared with https://api:6443 (v1.34.4): 1 changed, 1 missing, 1 extra"


def test_json_has_no_value_where_there_is_none() -> None:
    data = json.loads(json.dumps(report.data(FOUND)))
    changed = data["drift"][0]
    assert changed["changes"][0] == {
        "path": "spec.replicas",
        "what": "changed",
        "git": 1,
        "live": 5,
        "managers": ["kubectl"],
        "time": "2026-01-01T00:00:00Z",
    }
    assert "git" not in changed["changes"][1]
    assert "live" not in changed["changes"][2]


def test_nothing_found_is_one_sentence() -> None:
    assert report.text(Report(1, "s", "v1")) == "1 object compared with s (v1): no drift"


def kubeconfig(path: Path, server: str) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "main", "context": {"cluster": "c"}}],
        "current-context": "main",
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "it.yaml"
    path.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: it}}", encoding="utf-8")
    return path


def test_a_cluster_that_does_not_answer_is_two(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound and not listening: refused
        server = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        assert main(["diff", str(manifest), "--kubeconfig", str(kubeconfig(tmp_path / "config", server))]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"no answer from {server} (context main of {tmp_path}/config)" in printed.err


def test_progress_is_told_every_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    tell = _Progress(40, lambda: now[0])
    for count in range(40):
        tell(count)
        now[0] += 0.1
    assert capsys.readouterr().err == "20 of 40 objects compared\n"


@pytest.mark.parametrize("arguments", [("no-such-folder",), (".", "--kubeconfig", "no-such-file")])
def test_wrong_use_is_two_and_says_what_to_do(
    arguments: tuple[str, ...],
    manifest: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(manifest.parent)
    assert main(["diff", *arguments]) == 2
    assert "no-such-f" in capsys.readouterr().err
