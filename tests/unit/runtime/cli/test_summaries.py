"""What record and mock say at their end."""

from __future__ import annotations

from typing import Any

from speedscale_runtime.cli import mock, record
from speedscale_runtime.proxy.causes import Opaque


def recorded(**more: Any) -> str:
    empty: dict[str, Any] = {"filtered": {}, "dropped": {}, "lost": {}, "opaque": {}, "redacted": {}}
    return record._text({**empty, "out": "rec", "recorded": 1, "seen": 1, **more})


def test_connections_not_looked_into_say_what_to_do() -> None:
    text = recorded(opaque={"client_rejects": 2})
    assert "2 connections not looked into: client_rejects; a client does not trust the CA: `speedctl certs`" in text


def test_every_explained_reason_is_one_that_the_proxy_gives() -> None:
    assert set(record._WHY) <= {str(cause) for cause in Opaque}


def test_a_miss_names_what_one_side_lacks() -> None:
    difference = {"key": "http:queryparams", "path": "page", "recorded": "1", "asked": None}
    miss = {"verdict": "NO_MATCH", "count": 1, "request": "GET a/b", "nearest": {"differences": [difference]}}
    sums: dict[str, Any] = {"requests": 1, "verdicts": {"NO_MATCH": 1}, "matchPct": 0.0, "faults": {}, "mocks": 1}
    text = mock._text({**sums, "missed": [miss], "unused": 0, "unusedMocks": [], "results": ""})
    assert "page: asked without it, nearest recording '1'" in text
