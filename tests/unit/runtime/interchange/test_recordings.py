"""Recordings of the vendor's own tools go through every format."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speedscale_runtime import interchange
from speedscale_runtime.interchange import call as calls
from speedscale_runtime.rrpair import recording

FOLDER = os.environ.get("SPEEDSCALE_RECORDINGS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SPEEDSCALE_RECORDINGS does not name a folder of recordings")


def test_har_keeps_recorded_calls() -> None:
    pairs = [entry.pair for entry in recording.read(Path(FOLDER)) if entry.pair is not None]
    given = [call for pair in pairs if (call := calls.of(pair)) is not None]
    out = interchange.dump("har", pairs)
    found = interchange.load("har", out.files["recording.har"])
    assert len(found.pairs) == len(given) > 0
    for before, pair in zip(given, found.pairs, strict=True):
        after = calls.of(pair)
        assert after is not None
        assert (after.method, after.url, after.status, after.ts) == (
            before.method,
            before.url,
            before.status,
            before.ts,
        )
        assert (after.body, after.response_body) == (before.body, before.response_body)
        assert [h for h in after.headers if h[0] != "Host"] == [h for h in before.headers if h[0] != "Host"]
        assert after.response_headers == before.response_headers


@pytest.mark.parametrize("form", interchange.EXPORTS)
def test_every_format_takes_them(form: str) -> None:
    pairs = [entry.pair for entry in recording.read(Path(FOLDER)) if entry.pair is not None]
    out = interchange.dump(form, pairs)
    assert out.pairs > 0
    assert all("postgres" in problem or "no answer" in problem for problem in out.problems)
