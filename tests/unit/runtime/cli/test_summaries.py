"""What record and mock say at their end."""

from __future__ import annotations

from typing import Any

from speedscale_runtime.cli import mock, record
from speedscale_runtime.recording.causes import Opaque, Refuse


def recorded(**more: Any) -> str:
    empty: dict[str, Any] = {name: {} for name in ("filtered", "dropped", "lost", "opaque", "refused", "redacted")}
    sums = {"out": "rec", "recorded": 1, "seen": 1, "connectionsCut": 0, "forwarderRestarts": 0}
    return record._text({**empty, **sums, **more})


def test_connections_not_looked_into_say_what_to_do() -> None:
    text = recorded(opaque={"client_rejects": 2})
    assert "2 connections not looked into: client_rejects; a client does not trust the CA: `speedctl certs`" in text


def test_every_explained_reason_is_one_that_the_proxy_gives() -> None:
    assert set(record._WHY) <= {str(cause) for cause in Opaque} | {"worker_restarting"}
    assert set(record._WHY_REFUSED) <= {str(cause) for cause in Refuse}


def test_an_application_that_does_not_listen_is_named_rather_than_missing_traffic() -> None:
    text = recorded(recorded=0, seen=0, refused={"connect_failed": 3})
    assert "3 connections had nowhere to go: connect_failed; the application (--app-host, --app-port)" in text
    assert "nothing came through" not in text
    assert "nothing came through" in recorded(recorded=0, seen=0)


def test_a_miss_names_what_one_side_lacks() -> None:
    difference = {"key": "http:queryparams", "path": "page", "recorded": "1", "asked": None}
    miss = {"verdict": "NO_MATCH", "count": 1, "request": "GET a/b", "nearest": {"differences": [difference]}}
    sums: dict[str, Any] = {"requests": 1, "verdicts": {"NO_MATCH": 1}, "matchPct": 0.0, "faults": {}, "mocks": 1}
    text = mock._text({**sums, "missed": [miss], "unused": 0, "unusedMocks": [], "results": ""})
    assert "page: asked without it, nearest recording '1'" in text
