"""`speedctl dlp`: what it prints, which exit codes it has, and that it never shows a value it would take out."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import ModuleType

import pytest

from speedscale_runtime.cli.root import main
from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp.actions import Reversible
from speedscale_runtime.rrpair import RRPair, recording


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def recorded(tmp_path: Path, traffic: ModuleType) -> tuple[Path, list[str]]:
    planted: list[str] = []
    with recording.Writer(tmp_path / "raw", "json") as writer:
        for sample in traffic.samples(9, 6):
            writer.write(RRPair.from_frame(sample.frame))
            planted += sample.planted
    return tmp_path / "raw", planted


def test_scan_counts_by_kind_and_place_and_shows_no_value(
    recorded: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    source, planted = recorded
    assert main(["dlp", "scan", "--in", str(source), "-o", "json"]) == 1
    text = capsys.readouterr().out
    data = json.loads(text)
    assert data["pairs"] == 6
    assert data["kinds"]["EMAIL"] > 5
    assert {"kind": "EMAIL", "detector": "email", "place": "http.req.url", "count": 6} in data["places"]
    assert find_leaks(text.encode(), planted) == []


def test_redact_writes_a_copy_that_scans_clean(
    recorded: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, planted = recorded
    out = tmp_path / "out"
    assert main(["dlp", "redact", "--in", str(source), "--out", str(out)]) == 0
    assert find_leaks(out, planted) == []
    capsys.readouterr()
    assert main(["dlp", "scan", "--in", str(out)]) == 0
    assert capsys.readouterr().out.startswith("6 pairs, 0 findings")
    assert main(["dlp", "redact", "--in", str(source), "--out", str(out)]) == 2
    assert "not an empty folder" in capsys.readouterr().err


def test_broken_files_are_named(
    recorded: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "broken"
    source.mkdir()
    (source / "x.json").write_text('{"msgType": "rrpair", ')
    assert main(["dlp", "scan", "--in", str(source)]) == 1
    assert "x.json" in capsys.readouterr().out


def test_explain_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlp", "explain", "order 4111111111111112 by ada@example.com", "-o", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [(c["kind"], c["taken"], c["why"]) for c in data["candidates"]] == [
        ("CREDIT_CARD", False, "fails the Luhn check"),
        ("EMAIL", True, "local part, @, domain with a top-level domain"),
    ]
    file = tmp_path / "body.json"
    file.write_text('{"password": "hunter2"}')
    assert main(["dlp", "explain", str(file)]) == 0
    text = capsys.readouterr().out
    assert "stands under a key for a password" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scan", "--in", "nowhere"], "no such file or folder"),
        (["explain", "x", "--dlp-config", "standrad"], "did you mean 'standard'"),
        (["explain", "x", "--dlp-config", "no/such.json"], "no such file"),
    ],
)
def test_errors_in_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlp", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_rule_of_ones_own_by_id_and_by_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = {"id": "mine", "discover_patterns": True, "detectors": {"enable": ["email"]}}
    (home / "data" / "dlp").mkdir(parents=True)
    for path, name in ((home / "data" / "dlp" / "mine.json", "mine"), (tmp_path / "r.json", str(tmp_path / "r.json"))):
        path.write_text(json.dumps(rule))
        assert main(["dlp", "explain", "ada@example.com 203.0.113.9", "--dlp-config", name]) == 0
        assert "203.0.113.9" in capsys.readouterr().out


def test_reveal_undoes_reversible_tokens_and_shows_them_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = Reversible(b"k" * 32).token("EMAIL", b"ada@example.org").decode()
    other = Reversible(b"o" * 32).token("EMAIL", b"bob@example.org").decode()
    source, keys = tmp_path / "body.json", tmp_path / "keys.json"
    source.write_text(json.dumps({"to": token}))
    keys.write_text(json.dumps({"k1": base64.b64encode(b"k" * 32).decode()}))
    assert main(["dlp", "reveal", str(source), "--key-file", str(keys)]) == 0
    said = capsys.readouterr()
    assert "1 tokens undone, 0" in said.out
    assert "ada@" not in said.out + said.err
    out = tmp_path / "plain.json"
    assert main(["dlp", "reveal", str(source), "--key-file", str(keys), "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == {"to": "ada@example.org"}
    assert out.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("MY_KEYS", keys.read_text())
    source.write_text(f"{token} {other}")
    assert main(["dlp", "reveal", str(source), "--key-env", "MY_KEYS", "--show"]) == 1
    shown = capsys.readouterr().out
    assert "ada@example.org" in shown
    assert other in shown
    capsys.readouterr()
    assert main(["dlp", "reveal", str(source), "--key-env", "NONE"]) == 2
    assert main(["dlp", "reveal", str(source)]) == 2  # the home has no key, and none is made
    assert main(["dlp", "reveal", str(source), "--key-file", str(keys), "--show", "--out", str(out)]) == 2
