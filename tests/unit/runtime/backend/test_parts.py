"""What decides without sockets: keys, who has to wait, upkeep, rows, objects in a folder, settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.backend import config
from speedscale_runtime.backend.database import Database
from speedscale_runtime.backend.http.face import HANDLERS
from speedscale_runtime.backend.keys import Failures, Keys
from speedscale_runtime.backend.objects import Directory, Missing
from speedscale_runtime.backend.problems import ANSWERS, Reason, Refused
from speedscale_runtime.backend.traffic import upkeep
from speedscale_runtime.backend.traffic.model import Filter, Part, Position, position, row_of
from speedscale_schemas import backend_api
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.frames import Frame


def part(name: str, hour: int = 1, size: int = 1000, received: int = 0) -> Part:
    return Part(name, hour, 10, size, hour * 100, hour * 100 + 50, received)


def test_every_operation_has_a_handler_and_every_reason_a_status() -> None:
    assert HANDLERS.keys() == backend_api.operations().keys()
    assert ANSWERS.keys() == set(Reason)
    pattern = backend_api.document()["components"]["schemas"]["Error"]["properties"]["reason"]["pattern"]
    assert all(re.fullmatch(pattern, reason) for reason in Reason)
    assert all(wait is None or status in (429, 503) for status, wait in ANSWERS.values())


def test_every_operation_but_the_document_needs_a_scope_that_exists() -> None:
    for operation in backend_api.operations().values():
        assert (operation.scopes is None) == (operation.id == "describe")
        assert set(operation.scopes or ()) <= set(backend_api.SCOPES)
        if operation.method in ("PUT", "DELETE"):
            assert set(operation.scopes or ()) <= {"write", "admin"}, operation.id


async def test_only_the_hash_of_a_key_is_stored_and_scopes_hold(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    given = ["sk-environment-1"]
    keys = Keys(database, lambda: given[0], {"team": "a"}, clock=lambda: 0.0)
    await keys.open()
    made = await keys.create("ci", ["write", "read"], {"env": "test"})
    found = keys.find(f"Bearer {made['key']}")
    assert (found.scopes, found.labels) == (("read", "write"), {"env": "test"})
    assert found.may(()) and found.may(("control", "read"))  # noqa: PT018
    assert not found.may(("admin",))
    assert keys.find("bearer sk-environment-1").may(("admin",))
    for wrong in ("", "Basic x", "Bearer ", f"Bearer {made['key']}x", "Bearer sk-environment-2"):
        with pytest.raises(Refused):
            keys.find(wrong)
    given[0] = "sk-environment-2"  # the Secret changed: the old one holds no longer
    keys.find("Bearer sk-environment-2")
    with pytest.raises(Refused):
        keys.find("Bearer sk-environment-1")
    await keys.write_use()
    database.close()
    assert made["key"].encode() not in b"".join(f.read_bytes() for f in tmp_path.iterdir())
    database = Database(tmp_path / "db")
    again = Keys(database, lambda: "", {})
    await again.open()
    assert again.find(f"Bearer {made['key']}") == found
    await again.revoke(made["id"])
    with pytest.raises(Refused):
        again.find(f"Bearer {made['key']}")
    database.close()


def test_failures_run_out_with_time_and_are_bounded() -> None:
    now = [0.0]
    failures = Failures(burst=3, every_s=2.0, addresses=2, clock=lambda: now[0])
    for _ in range(3):
        assert not failures.throttled("a")
        failures.add("a")
    assert failures.throttled("a")
    assert not failures.throttled("b")
    now[0] = 2.5
    assert not failures.throttled("a")
    failures.add("b")
    failures.add("c")
    assert len(failures._known) == 2


def test_merging_takes_like_sizes_of_one_hour_only() -> None:
    small = [part(f"s{n}") for n in range(7)]
    assert upkeep.to_merge([*small, part("other", hour=2), part("large", size=10 << 20)]) == []
    assert upkeep.to_merge([*small, part("s7")]) == [*small, part("s7")]
    huge = [part(f"h{n}", size=upkeep.LARGEST_MERGED) for n in range(20)]
    assert upkeep.to_merge(huge) == []


def test_the_oldest_go_first_by_age_and_by_room() -> None:
    parts = [part(str(n), received=n, size=100) for n in range(5)]
    assert upkeep.to_delete(parts, received_before_ns=None, max_bytes=0) == []
    assert upkeep.to_delete(parts, received_before_ns=2, max_bytes=0) == parts[:2]
    assert upkeep.to_delete(parts[::-1], received_before_ns=None, max_bytes=250) == parts[:3]
    assert upkeep.to_delete(parts, received_before_ns=1, max_bytes=400) == parts[:1]


def test_a_row_takes_whatever_a_head_holds() -> None:
    head: dict[str, Any] = {"uuid": "a+b/c=", "ts": "nonsense", "service": 7, "session": "\ud800", "duration": True}
    row = row_of(Frame(json.dumps(head).encode(), b"12", b"3"), 42, "fallback")
    assert (row.uuid, row.ts, row.service, row.session, row.duration_ms) == ("a-b_c=", 42, "7", "?", 0.0)
    assert row_of(Frame(b'{"resource":"r"}', b"", b""), 1, "fallback")[:1] == ("fallback",)
    with pytest.raises(ValueError, match="no JSON object"):
        row_of(Frame(b"[]", b"", b""), 1, "")


def test_cursors_come_back_and_others_are_refused() -> None:
    place = Position(1_767_322_800_000_000_000, "uuid-1_x=")
    assert position(place.cursor()) == place
    for wrong in ("x", "e30", "WzFd", "!!!"):
        with pytest.raises(Refused):
            position(wrong)


def test_a_filter_asks_only_the_parts_it_may_be_in() -> None:
    assert Filter(start_ns=151).touches(part("p")) is False
    assert Filter(start_ns=150, end_ns=151).touches(part("p")) is True
    assert Filter(end_ns=100).touches(part("p")) is False
    condition, values = Filter(start_ns=1, services=("a", "b"), session="s").sql()
    assert condition.count("?") == len(values) == 4


def test_objects_in_a_folder_are_whole_or_not_there(tmp_path: Path) -> None:
    store = Directory(tmp_path / "objects")
    for name in ("a/b/one", "a/two"):
        file = tmp_path / "file"
        file.write_text(name)
        store.put(name, file)
        assert not file.exists()
    (tmp_path / "objects" / "a" / "three.half").write_text("half")
    assert list(store.names("a/")) == ["a/b/one", "a/two"]
    assert not (tmp_path / "objects" / "a" / "three.half").exists()
    with store.borrow("a/b/one") as path:
        assert path.read_text() == "a/b/one"
    store.delete("a/b/one")
    store.delete("a/b/one")
    assert not (tmp_path / "objects" / "a" / "b").exists()
    with pytest.raises(Missing), store.borrow("a/b/one"):
        pass


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"CLOUD_HOST": "0.0.0.0"}, "without a certificate"),
        ({"CLOUD_TLS_CERT_FILE": "x"}, "set both or none"),
        ({"SPEEDSCALE_API_KEY": "short-secret"}, r"SPEEDSCALE_API_KEY: \(hidden\)"),
        ({"JOURNAL_MAX_BYTES": "16777216"}, "at least two batches"),
    ],
)
def test_settings_that_cannot_hold_are_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        config.parse(environ)
    assert "short-secret" not in str(caught.value)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    database._thread.submit(database._connection.execute, "PRAGMA user_version = 99").result()
    database.close()
    with pytest.raises(ConfigError, match="newer version"):
        Database(tmp_path / "db")
