"""Files that come late: taken when they appear, again when they change, the last good one kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from speedscale_runtime.telemetry.watched import Stale, Watched, export, read_bytes, read_text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_file_that_comes_late_is_taken(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "token"
    watched = Watched(path, read_text, clock)
    with capture_logs() as logs:
        assert watched.get() is None
        assert (watched.reason, watched.generation) == (Stale.MISSING, 0)
        path.write_text("abc\n")
        assert watched.get() is None, "looked at no more than once a second"
        clock.now += 1
        assert watched.get() == "abc"
    assert (watched.reason, watched.generation) == (None, 1)
    assert [e["event"] for e in logs] == ["file_not_used", "file_appeared"]


def test_kubelets_swap_of_the_folder_is_seen(tmp_path: Path, clock: Clock) -> None:
    for name, text in (("one", "first"), ("two", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(text)
    data = tmp_path / "..data"
    data.symlink_to("one")
    (tmp_path / "token").symlink_to("..data/token")
    watched = Watched(tmp_path / "token", read_text, clock)
    assert watched.get() == "first"
    (tmp_path / "new").symlink_to("two")
    os.replace(tmp_path / "new", data)
    clock.now += 1
    assert watched.get() == "other"


def test_the_last_good_content_stays(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "rules"
    path.write_text('{"a": 1}')
    watched: Watched[Any] = Watched(path, lambda p: json.loads(p.read_text()), clock)
    assert watched.get() == {"a": 1}
    with capture_logs() as logs:
        for text, reason in (("{secret", Stale.INVALID), (None, Stale.MISSING)):
            path.write_text(text) if text is not None else path.unlink()
            for _ in range(3):
                clock.now += 1
                assert watched.get() == {"a": 1}
                assert watched.reason is reason
    assert [(e["event"], e["reason"]) for e in logs] == [("file_not_used", "invalid"), ("file_not_used", "missing")]
    assert "secret" not in str(logs)


def test_it_is_loaded_only_when_it_became_another_one(tmp_path: Path, clock: Clock) -> None:
    path, loads = tmp_path / "a", []
    path.write_text("x")
    watched = Watched(path, lambda p: loads.append(p) or p.read_text(), clock)  # type: ignore[func-returns-value]
    for _ in range(5):
        watched.get()
        clock.now += 1
    assert len(loads) == 1
    path.write_text("y")
    assert watched.get() == "y"
    assert (len(loads), watched.generation) == (2, 2)


def test_what_stands_beside_counts_too(tmp_path: Path, clock: Clock) -> None:
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    cert.write_text("c1")
    watched = Watched(cert, lambda p: p.read_text() + key.read_text(), clock, beside=(key,))
    assert watched.get() is None
    key.write_text("k1")
    clock.now += 1
    assert watched.get() == "c1k1"
    key.write_text("k22")
    clock.now += 1
    assert watched.get() == "c1k22"


def test_a_folder_in_its_place_is_unreadable_and_empty_is_invalid(tmp_path: Path, clock: Clock) -> None:
    folder = Watched(tmp_path, read_bytes, clock)
    assert folder.get() is None
    assert folder.reason is Stale.UNREADABLE
    (tmp_path / "empty").touch()
    for load in (read_bytes, read_text):
        empty = Watched[Any](tmp_path / "empty", load, clock)
        assert empty.get() is None
        assert empty.reason is Stale.INVALID


def test_the_metric_says_why(tmp_path: Path, clock: Clock) -> None:
    registry = CollectorRegistry()
    export(registry, "thing", {"token": Watched(tmp_path / "none", read_text, clock)})
    text = generate_latest(registry).decode()
    assert 'speedscale_thing_file_stale{file="token",reason="missing"} 1.0' in text
    assert 'speedscale_thing_file_stale{file="token",reason="invalid"} 0.0' in text
