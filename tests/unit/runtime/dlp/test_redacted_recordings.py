"""`speedctl dlp redact` over recordings that others made: none of the values that a reader of them wrote down is left.

The recordings are not part of this project; SPEEDSCALE_RECORDINGS names a folder that holds them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speedscale_runtime.cli.root import main
from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.rrpair import recording
from speedscale_schemas import validation

FOLDER = Path(os.environ.get("SPEEDSCALE_RECORDINGS") or "/nonexistent")
DEMO = FOLDER / "dlp-demo"
pytestmark = pytest.mark.skipif(not DEMO.is_dir(), reason="SPEEDSCALE_RECORDINGS names no folder with dlp-demo")

JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJzdWIiOiJ1c2VyLTEyMyIsImVtYWlsIjoiYXZhLnN1bGxpdmFuQGV4YW1wbGUuY29tIiwiaWF0IjoxNzAwMDAwMDAwfQ"
    ".dQw4w9WgXcQy6cX8u5bXG5l1ow9AG3o6Pqkq8E4J9V0"
)
# Read out of the five recordings by hand: who, how to reach them, what they pay with, what lets one in as them.
WRITTEN_OUT = [
    "Ava Sullivan",
    "ava.sullivan@example.com",
    "+14155552671",
    "123-45-6789",
    "192.168.20.15",
    "4111 1111 1111 1111",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "2001:db8:85a3::8a2e:370:7334",
    "orders_user:secret@",
    "secret",
    JWT,
    *JWT.split("."),
]
IN_THE_FILES = [v for v in WRITTEN_OUT if v != "2001:db8:85a3::8a2e:370:7334"]  # that spelling is ours


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("form", ["markdown", "json", "jsonl"])
def test_none_of_the_values_is_left_and_every_file_is_a_recording(
    form: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(home))
    out = tmp_path / "redacted"
    assert main(["dlp", "redact", "--in", str(DEMO), "--out", str(out), "--format", form]) == 0
    assert find_leaks(out, WRITTEN_OUT) == []
    before = [e.pair for e in recording.read(DEMO)]
    after = list(recording.read(out))
    assert [e.error for e in after] == [""] * len(before)
    assert [e.pair.doc["uuid"] for e in after if e.pair] == [p.doc["uuid"] for p in before if p]
    for entry in after:
        assert entry.pair is not None
        assert validation.check("rrpair", entry.pair.to_doc(), source=str(entry.path)) == []
    capsys.readouterr()
    assert main(["files", "validate", str(out)]) == 0
    assert main(["dlp", "scan", "--in", str(out)]) == 0


def test_the_scanner_finds_each_of_them_in_the_originals() -> None:
    assert {leak.original for leak in find_leaks(DEMO, IN_THE_FILES)} == set(IN_THE_FILES)
