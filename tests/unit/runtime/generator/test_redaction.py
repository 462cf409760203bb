"""Answers of a replay are redacted with the key of the recording, wherever that is kept."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from speedscale_runtime.generator import config
from speedscale_runtime.generator.redaction import Redaction
from speedscale_runtime.rrpair import RRPair


def answer() -> RRPair:
    pair = RRPair({"http": {"req": {"method": "GET", "headers": {}}, "res": {"statusCode": 200, "headers": {}}}})
    pair.doc["http"]["res"]["headers"] = {"Content-Type": ["application/json"]}
    pair.response_body = b'{"email":"jane@example.com"}'
    return pair


def secret(folder: Path, key: bytes) -> Path:
    folder.mkdir()
    (folder / "k1").write_bytes(base64.b64encode(key))
    return folder


def redacted(home: Path, key_path: Path | None) -> bytes:
    made = Redaction(home, "standard", key_path).apply(RRPair({}), answer())
    return made.response_body or b""


def test_a_mounted_key_decides_over_tokens(tmp_path: Path) -> None:
    one, other = secret(tmp_path / "one", b"1" * 32), secret(tmp_path / "two", b"2" * 32)
    first, again, second = redacted(tmp_path, one), redacted(tmp_path / "else", one), redacted(tmp_path, other)
    assert b"REDACTED-" in first
    assert first == again != second
    assert not (tmp_path / "dlp-keys.json").exists()


def test_without_the_key_nothing_is_written(tmp_path: Path) -> None:
    redaction = Redaction(tmp_path, "standard", tmp_path / "not-mounted")
    made = redaction.apply(RRPair({}), answer())
    assert made.response_body == b""
    assert redaction.failures


@pytest.mark.parametrize(("text", "path"), [("", None), ("/etc/key", Path("/etc/key"))])
def test_the_setting(text: str, path: Path | None) -> None:
    assert config.from_environ({"SNAPSHOT_ID": "x", "DLP_KEY_PATH": text}).dlp_key_path == path
