"""`speedctl validate` as it is called: what is taken for granted, exit codes, formats, help that is light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from speedscale_manifests import synth
from speedscale_manifests.cli.validate import _Progress
from speedscale_manifests.output import Writer, render
from speedscale_manifests.values import load
from speedscale_runtime.cli.root import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with values.yaml and the output of it in dist, as the working directory; no cluster, no programs."""
    (tmp_path / "values.yaml").write_text("clusterName: test\n")
    values = load([tmp_path / "values.yaml"])
    Writer(tmp_path / "dist").write(render(synth.placed(values), values.namespace))
    monkeypatch.chdir(tmp_path)
    for name, value in (("PATH", "/nonexistent"), ("HOME", str(tmp_path)), ("XDG_CACHE_HOME", str(tmp_path / "c"))):
        monkeypatch.setenv(name, value)
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "SPEEDSCALE_VALUES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_without_arguments_it_looks_at_dist_and_its_values(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 0
    out = capsys.readouterr().out
    assert "values: values.yaml" in out
    assert out.splitlines()[-1].endswith("8 of 10 steps passed, 2 not run")


def test_a_failed_step_is_exit_code_1(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "values.yaml").write_text("clusterName: other\n")
    assert main(["validate", "--server", "never"]) == 1
    assert "speedctl synth" in capsys.readouterr().out


def test_another_folder_is_not_compared_with_these_values(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "dist").rename(home / "other")
    (home / "values.yaml").write_text("clusterName: changed\n")
    assert main(["validate", "other"]) == 0
    assert "not run output" in capsys.readouterr().out
    assert main(["validate", "other", "--values", "values.yaml"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["--kubernetes", "1.2"], "--kubernetes 1.2: there are schemas of 1.25"),
        (["--require", "servr"], "--require servr: no such step"),
        (["--kubeconfig", "missing"], "missing"),
    ],
)
def test_wrong_use_is_exit_code_2(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["validate", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_what_is_required_fails_when_it_is_not_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--require", "kustomize,server"]) == 1
    out = capsys.readouterr().out
    assert "FAILED  kustomize" in out
    assert "FAILED  server" in out


def test_json_and_sarif_are_documents(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--server", "never", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main(["validate", "--server", "never", "--format", "sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"


def test_the_table_of_objects(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--server", "never", "--objects"]) == 0
    assert capsys.readouterr().out.startswith("kind  ")


def test_help_has_examples_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from speedscale_runtime.cli.root import main\n"
        "try: main(['validate', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jsonschema', 'yaml', 'pykube', 'cdk8s', 'jsii'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "examples:" in out
    assert "HEAVY []" in out


class Stream:
    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("terminal", "text"),
    [
        (True, "\r\x1b[Kserver: 2 objects\r\x1b[Kserver: 3 objects\n"),
        (False, "server: 2 objects\n"),
    ],
)
def test_progress_is_silent_for_two_seconds(terminal: bool, text: str) -> None:
    times = iter([0.0, 1.0, 2.5, 3.0])
    stream = Stream(terminal)
    progress = _Progress(stream, lambda: next(times))  # type: ignore[arg-type]
    for done in (1, 2, 3):
        progress("server", done)
    progress.close()
    assert stream.text == text
