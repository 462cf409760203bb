"""`speedctl values`: what each action prints, writes and returns."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from speedscale_manifests.cli import values as verb


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEEDSCALE_VALUES", raising=False)
    return tmp_path


def speedctl(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="speedctl values")
    verb.configure(parser)
    return verb.run(parser.parse_args(arguments))


def test_init_check_set_show(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speedctl("init", "--preset", "eks", "--cluster-name", "prod", "--profile", "operator") == 0
    assert speedctl("check") == 0
    assert "0 problems, 1 warning" in capsys.readouterr().out
    before = (directory / "values.yaml").read_text()
    assert speedctl("set", "values.yaml", "forwarder.replicas=2", "image.registry=r.example.com") == 0
    assert (directory / "values.yaml").read_text().startswith(before.rstrip("\n").rpartition("\n# Push")[0])
    capsys.readouterr()
    assert speedctl("show", "forwarder.replicas", "--origin") == 0
    assert "replicas: 2  # values.yaml:" in capsys.readouterr().out
    assert speedctl("show", "--changed", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "profile": "operator",
        "preset": "eks",
        "clusterName": "prod",
        "cloudProvider": "aws",
        "hostNetwork": False,
        "image": {"registry": "r.example.com"},
        "forwarder": {"replicas": 2},
    }


def test_init_overwrites_only_when_asked_and_writes_the_schema(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert speedctl("init", "--schema") == 0
    assert json.loads((directory / "values.schema.json").read_text())["$id"] == "speedscale:values"
    assert (directory / "values.yaml").read_text().startswith("# yaml-language-server: $schema=values.schema.json\n")
    assert speedctl("init") == 2
    assert "is there already" in capsys.readouterr().err
    assert speedctl("init", "--force") == 0
    assert speedctl("init", "--preset", "esk", "--out", "other.yaml") == 2
    assert "expected one of" in capsys.readouterr().err
    assert not (directory / "other.yaml").exists()


def test_what_init_leaves_commented_out_is_right(directory: Path) -> None:
    speedctl("init")
    text = (directory / "values.yaml").read_text()
    blocks = [block.splitlines()[1:] for block in text.partition("\n# Push")[2].split("\n\n")]
    (directory / "full.yaml").write_text("".join(f"{line[2:]}\n" for block in blocks for line in block))
    assert "deployDemo" in (directory / "full.yaml").read_text()
    assert speedctl("check", "-f", "full.yaml") == 0


def test_check_tells_everything(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "values.yaml").write_text("forwader: {}\nhostNetwork: yes\n")
    assert speedctl("check", "--set", "operator.replicas=x") == 1
    out = capsys.readouterr().out
    assert "values.yaml:1:1: forwader" in out
    assert "values.yaml:2:14: hostNetwork" in out
    assert "--set operator.replicas=x" in out
    assert "3 problems" in out
    assert speedctl("check", "-o", "json") == 1
    data = json.loads(capsys.readouterr().out)
    assert [(found["path"], found["line"]) for found in data["refusals"]] == [("forwader", 1), ("hostNetwork", 2)]
    assert speedctl("check", "-f", "none.yaml") == 2


def test_strict_makes_warnings_fail(directory: Path) -> None:
    (directory / "values.yaml").write_text("image: {registry: r.example.com}\n")
    assert speedctl("check", "--strict") == 0
    assert speedctl("check", "--strict", "--set", "image.tag=latest") == 1


def test_set_writes_nothing_when_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / "values.yaml"
    file.write_text("clusterName: a # c\n")
    assert speedctl("set", "values.yaml", "operator.replicas=99") == 2
    assert "expected 5 or less" in capsys.readouterr().err
    assert file.read_text() == "clusterName: a # c\n"
    assert speedctl("set", "values.yaml", "clusterName=a") == 0
    assert "nothing to change" in capsys.readouterr().out
    assert speedctl("set", "none.yaml", "clusterName=a") == 2
    assert [path.name for path in directory.iterdir()] == ["values.yaml"]


def test_files_that_are_no_utf_8_are_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "values.yaml").write_bytes(b"clusterName: a\nlogLevel: \xff\n")
    for arguments in (("set", "values.yaml", "clusterName=b"), ("import", "values.yaml"), ("show",)):
        assert speedctl(*arguments) == 2
        assert "values.yaml:2: byte 25 is no UTF-8; save the file as UTF-8" in capsys.readouterr().err
    (directory / "values.yaml").write_bytes("\ufeffclusterName: a # ä\n".encode())
    assert speedctl("set", "values.yaml", "clusterName=b") == 0
    assert (directory / "values.yaml").read_bytes() == "clusterName: b # ä\n".encode()


def test_set_keeps_mode_and_link(directory: Path) -> None:
    file, link = directory / "real.yaml", directory / "values.yaml"
    file.write_text("clusterName: a\n")
    file.chmod(0o600)
    link.symlink_to(file)
    assert speedctl("set", "values.yaml", "clusterName=b") == 0
    assert link.is_symlink()
    assert file.read_text() == "clusterName: b\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_import(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "chart.yaml").write_text("# name\nclusterName: prod\napiKey: not-a-real-key\nfoo: 1\n")
    assert speedctl("import", "chart.yaml", "--out", "values.yaml") == 0
    told = capsys.readouterr().err
    assert "apiKey: left out" in told
    assert "foo: left out: unknown key" in told
    assert "not-a-real-key" not in told
    assert (directory / "values.yaml").read_text() == "# name\nclusterName: prod\n"
    assert speedctl("import", "chart.yaml", "--out", "values.yaml") == 2
    assert speedctl("import", "chart.yaml", "-o", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["values"] == {"clusterName": "prod"}
    assert {note["path"] for note in data["notes"]} >= {"apiKey", "foo"}


def test_show_names_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert speedctl("show", "forwarder.replica") == 2
    assert "no value at forwarder.replica" in capsys.readouterr().err
    assert speedctl("show", "tolerations[0].key") == 0
    assert capsys.readouterr().out == "tolerations:\n  - key: kubernetes.io/arch\n"


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert speedctl("schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Values of the installation"


def test_help_and_values_need_neither_cdk8s_nor_node() -> None:
    code = """
import argparse, sys
from speedscale_manifests.cli import values
values.configure(argparse.ArgumentParser())
assert not {"jsonschema", "yaml"} & set(sys.modules)
import speedscale_manifests.values
assert not {"jsii", "cdk8s", "ruamel.yaml", "kubernetes_validate"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
