"""Tests and mocks that were redacted apart, with one key, still belong together: generator and responder over them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.rrpair import recording as recordings

pytestmark = pytest.mark.integration

DEMO = Path(os.environ.get("SPEEDSCALE_RECORDINGS") or "/nonexistent") / "dlp-demo"
MAIL, CARD, SSN, KEY = "ada.lovelace@example.com", "4111 1111 1111 1111", "536-22-1234", "k3y-of-0urs-9f2b"


def ours(recording: Any) -> Path:
    """Record calls whose personal data is in the very parts that are signed: path, query, body."""
    sent = {"Content-Type": "application/json", "X-Api-Key": KEY}
    recording.add("GET", f"http://shop.test/people/{MAIL}", answer=json.dumps({"mail": MAIL}).encode(), sent=sent)
    recording.add("GET", f"http://shop.test/find?mail={MAIL.replace('@', '%40')}&page=2", answer=b'{"n":1}', sent=sent)
    body = json.dumps({"card": CARD, "ssn": SSN, "n": 7}).encode()
    recording.add("POST", "http://shop.test/pay", body, answer=json.dumps({"ssn": SSN}).encode(), sent=sent)
    return Path(recording.root)


def turned(source: Path, target: Path, direction: str) -> None:
    """Write a recording with all its pairs as tests (IN) or as mocks (OUT)."""
    with recordings.Writer(target, "json") as writer:
        for entry in recordings.read(source):
            assert entry.pair is not None, entry.error
            pair = entry.pair.copy()
            pair.doc["direction"] = direction
            writer.write(pair)


async def speedctl(home: Path, cwd: Path, *arguments: str) -> tuple[int, str]:
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "speedscale_runtime.cli.root", *arguments,
        env={**kept, "SPEEDSCALE_HOME": str(home)}, cwd=cwd,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize(
    "source",
    [
        "ours",
        pytest.param(
            "dlp-demo",
            marks=pytest.mark.skipif(not DEMO.is_dir(), reason="SPEEDSCALE_RECORDINGS names no folder with dlp-demo"),
        ),
    ],
)
async def test_redacted_tests_meet_redacted_mocks(
    source: str, recording: Any, serve: Any, home: Path, tmp_path: Path
) -> None:
    raw = ours(recording) if source == "ours" else DEMO
    for name, direction in (("tests", "IN"), ("mocks", "OUT")):
        turned(raw, tmp_path / f"raw-{name}", direction)
        given, out = tmp_path / f"raw-{name}", tmp_path / name
        code, output = await speedctl(home, tmp_path, "dlp", "redact", "--in", str(given), "--out", str(out))
        assert code == 0, output
    assert find_leaks([tmp_path / "tests", tmp_path / "mocks"], [MAIL, CARD, SSN, KEY]) == []

    running = await serve(SNAPSHOT_ID=str(tmp_path / "mocks"))
    target = f"http://127.0.0.1:{running.ports['httpPort']}"
    code, output = await speedctl(
        home, tmp_path, "replay", "--in", "tests", "--test-against", target, "--out", "replayed", "-o", "json"
    )  # fmt: skip
    assert code == 0, output
    verdicts = [line for line in await running.results() if line["type"] == "mock"]
    wanted = sum(1 for _ in recordings.read(raw))
    assert [line["verdict"] for line in verdicts] == ["MATCH"] * wanted
    assert find_leaks(tmp_path / "replayed", [MAIL, CARD, SSN, KEY]) == []


async def test_a_live_request_with_real_values_meets_its_redacted_mock(
    recording: Any, serve: Any, home: Path, tmp_path: Path
) -> None:
    code, output = await speedctl(
        home, tmp_path, "dlp", "redact", "--in", str(ours(recording)), "--out", str(tmp_path / "mocks")
    )
    assert code == 0, output
    running = await serve(SNAPSHOT_ID=str(tmp_path / "mocks"))
    live = [
        f"GET /people/{MAIL} HTTP/1.1\r\nHost: shop.test\r\nX-Api-Key: {KEY}\r\n\r\n",
        f"GET /find?mail={MAIL.replace('@', '%40')}&page=2 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    ]
    body = json.dumps({"n": 7, "ssn": SSN, "card": CARD})
    live.append(
        "POST /pay HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    for request in live:
        assert (await running.raw(request.encode())).startswith(b"HTTP/1.1 200"), request
    assert [line["verdict"] for line in await running.results() if line["type"] == "mock"] == ["MATCH"] * 3
