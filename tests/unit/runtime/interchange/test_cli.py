"""`speedctl import` and `speedctl export` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime.cli import root
from speedscale_runtime.rrpair import recording


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Import two curl commands into a recording."""
    script = tmp_path / "in.sh"
    script.write_text("curl http://shop:8080/a -d x=1\ncurl http://shop:8080/b\n")
    assert root.main(["import", "curl", str(script), "--out", str(tmp_path / "rec"), "--service-name", "shop"]) == 0
    return tmp_path / "rec"


def test_imported_pairs_are_a_recording_with_signatures(recorded: Path) -> None:
    pairs = [entry.pair for entry in recording.read(recorded)]
    assert [p.doc["location"] for p in pairs if p] == ["/a", "/b"]
    assert all(p and p.doc["service"] == "shop" and p.doc["tags"]["file"] == "in.sh" for p in pairs)
    assert all(p and p.doc["signature"]["http:host"] for p in pairs)


@pytest.mark.parametrize(("form", "name"), [("har", "x.har"), ("curl", "x.sh"), ("k6", "x.js"), ("postman", "x.json")])
def test_every_format_is_written(recorded: Path, tmp_path: Path, form: str, name: str) -> None:
    assert root.main(["export", form, "--in", str(recorded), "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).stat().st_size > 100
    assert (
        root.main(["export", "--type", form, "--in", str(recorded), "--out", str(tmp_path / "folder"), "--limit", "1"])
        == 0
    )
    assert len(list((tmp_path / "folder").iterdir())) == 1


def test_json_lists_what_was_not_taken_over(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    out = tmp_path / "m.json"
    assert root.main(["export", "wiremock", "--in", str(recorded), "--out", str(out), "-o", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["pairs"], printed["notTakenOverCount"]) == (2, 2)
    assert "no answer to serve" in printed["notTakenOver"][0]


def test_a_wiremock_folder_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "wm" / "mappings").mkdir(parents=True)
    (tmp_path / "wm" / "__files").mkdir()
    (tmp_path / "wm" / "__files" / "b.txt").write_text("from a file")
    stub = {"request": {"method": "GET", "url": "/x"}, "response": {"status": 200, "bodyFileName": "b.txt"}}
    (tmp_path / "wm" / "mappings" / "x.json").write_text(json.dumps(stub))
    assert (
        root.main(["import", "--type", "wiremock", "--from", str(tmp_path / "wm"), "--out", str(tmp_path / "rec")]) == 0
    )
    (entry,) = recording.read(tmp_path / "rec")
    assert entry.pair is not None
    assert entry.pair.response_body == b"from a file"
    assert entry.pair.direction == "OUT"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "har", "/nonexistent.har", "--out", "o"], "No such file"),
        (["import", "harr", "x", "--out", "o"], "expected one of"),
        (["import", "--out", "o"], "needs a format"),
        (["export", "--in", ".", "--out", "o"], "needs a format"),
        (["export", "har", "--in", "/nonexistent", "--out", "o"], "nonexistent"),
    ],
)
def test_mistakes_end_with_two(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    assert root.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_nothing_taken_over_leaves_no_folder_behind(tmp_path: Path) -> None:
    (tmp_path / "no.har").write_text("no JSON")
    assert root.main(["import", "har", str(tmp_path / "no.har"), "--out", str(tmp_path / "rec")]) == 2
    assert not (tmp_path / "rec").exists()


def test_what_is_imported_can_be_redacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    script = tmp_path / "in.sh"
    script.write_text("curl http://shop:8080/a -H 'Authorization: Basic am86aHVudGVyMjI=' -d email=jo@example.com\n")
    command = ["import", "curl", str(script), "--out", str(tmp_path / "rec"), "--dlp-config", "standard"]
    assert root.main(command) == 0
    written = b"".join(p.read_bytes() for p in (tmp_path / "rec").rglob("*.md"))
    assert b"REDACTED-EMAIL-" in written
    assert b"jo@example.com" not in written
    assert b"jo%40example.com" not in written
    assert b"am86aHVudGVyMjI" not in written


def test_an_unknown_redaction_rule_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    script = tmp_path / "in.sh"
    script.write_text("curl http://shop:8080/a\n")
    command = ["import", "curl", str(script), "--out", str(tmp_path / "rec"), "--dlp-config", "standrad"]
    assert root.main(command) == 2
    assert not (tmp_path / "rec").exists()
