"""Snapshots: the same pairs give the same bytes, everything left out has a reason, every source opens alike."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime import filters, signatures, snapshot
from speedscale_runtime.rrpair import RRPair, recording
from speedscale_runtime.rrpair.recording import Entry, Writer
from speedscale_runtime.snapshot import Selection, layout
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check


def pair(second: int = 0, direction: str = "OUT", url: str = "/a", service: str = "shop", **doc: Any) -> RRPair:
    req = {"method": "GET", "url": url, "uri": url, "host": "api.example.com", "headers": {}}
    res = {"statusCode": 200, "statusMessage": "200 OK", "headers": {"Content-Type": ["application/json"]}}
    return RRPair(
        {
            "msgType": "rrpair",
            "service": service,
            "resource": service,
            "ts": f"2026-01-31T12:00:{second:02d}.000000001Z",
            "l7protocol": "http",
            "direction": direction,
            "duration": 5,
            "uuid": "AAAAAAAAAAAAAAAAAAAAAA==",
            "http": {"req": req, "res": res},
            **doc,
        },
        b"",
        b'{"a":1}',
    )


def files(made: snapshot.Snapshot) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in made.path.iterdir() if p.name != layout.CREATED}


def test_tests_and_mocks_are_told_apart_and_numbered(tmp_path: Path) -> None:
    made = snapshot.create([pair(2), pair(1, url="/b"), pair(3), pair(0, "IN")], Selection(name="n"), tmp_path)
    assert [p.doc["location"] for p in made.mocks()] == ["/b", "/a", "/a"]
    assert [signatures.recorded(p)["instance"] for p in made.mocks()] == [b"0", b"0", b"1"]
    assert [p.direction for p in made.tests()] == ["IN"]
    assert len(list(made.pairs())) == 4
    assert made.manifest["recordsProcessed"] == "4"
    assert made.manifest["outTraffic"]["shop:api.example.com:80"]["numRequests"] == 3
    assert check("snapshot", made.manifest) == []
    assert made.path == tmp_path / made.id


@given(st.permutations(range(6)))
def test_the_order_of_reading_changes_no_byte(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    pairs = [pair(n // 2, "IN" if n % 3 else "OUT", url=f"/{n % 2}") for n in range(6)]
    first = snapshot.create(pairs, Selection(), tmp_path_factory.mktemp("a"))
    second = snapshot.create([pairs[n] for n in order], Selection(), tmp_path_factory.mktemp("b"))
    assert files(first) == files(second)
    assert first.id == second.id


def test_pairs_of_one_instant_keep_the_recorders_sequence(tmp_path: Path) -> None:
    late, early = pair(1, url="/late", tags={"sequence": "10"}), pair(1, url="/early", tags={"sequence": "9"})
    made = snapshot.create([late, early], Selection(), tmp_path)
    assert [p.doc["location"] for p in made.mocks()] == ["/early", "/late"]


def test_a_name_or_one_byte_more_is_another_snapshot(tmp_path: Path) -> None:
    ids = {
        snapshot.create([pair()], Selection(), tmp_path).id,
        snapshot.create([pair()], Selection(name="x"), tmp_path).id,
        snapshot.create([pair(url="/b")], Selection(), tmp_path).id,
    }
    assert len(ids) == 3


def test_the_same_again_is_left_as_it_is(tmp_path: Path) -> None:
    first = snapshot.create([pair()], Selection(), tmp_path)
    before = (first.path / layout.CREATED).read_bytes()
    assert snapshot.create([pair()], Selection(), tmp_path).id == first.id
    assert (first.path / layout.CREATED).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [first.id]


def test_selection(tmp_path: Path) -> None:
    pairs = [pair(1), pair(2), pair(3), pair(2, service="cart"), pair(2, url="/healthz")]
    rule = {
        "conditions": [
            {"operator": "AND", "filters": [{"include": True, "operator": "EQUAL", "detectedLocation": "/a"}]}
        ]
    }
    for p in pairs:
        signatures.annotate(p)
    chosen = Selection(
        services=("shop",),
        start=datetime(2026, 1, 31, 12, 0, 2, tzinfo=UTC),
        end=datetime(2026, 1, 31, 12, 0, 3, tzinfo=UTC),
        rule=filters.compile_rule({"id": "r", **rule}),
        rule_document=rule,
    )
    made = snapshot.create(pairs, chosen, tmp_path)
    assert [p.doc["ts"] for p in made.pairs()] == ["2026-01-31T12:00:02.000000001Z"]
    assert made.manifest["filter_expression"] == rule
    assert made.manifest["meta"]["startTime"] == "2026-01-31T12:00:02+00:00"


def test_what_is_left_out_has_a_reason(tmp_path: Path) -> None:
    unanswered = pair(1, url="/hang")
    del unanswered.doc["http"]["res"]
    opaque = RRPair({"ts": "2026-01-31T12:00:00Z", "direction": "OUT", "l7protocol": "tcp"})
    broken = Entry(Path("bad.md"), 1, None, "no INTERNAL section")
    undated = pair(ts="yesterday")
    replayed = pair(4, tags={"source": "generator"})
    made = snapshot.create([unanswered, opaque, broken, undated, replayed, pair()], Selection(), tmp_path)
    assert sorted(e["reason"] for e in made.skipped()) == ["broken", "no-answer", "no-time", "opaque", "replayed"]
    assert made.manifest["skipped"] == dict.fromkeys(["broken", "no-answer", "no-time", "opaque", "replayed"], 1)
    assert len(list(made.mocks())) == 1


def test_nothing_selected_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pair was selected"):
        snapshot.create([pair()], Selection(services=("other",)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_many_pairs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.setattr(importlib.import_module("speedscale_runtime.snapshot.create"), "PAIRS_MAX", 2)
    with pytest.raises(ConfigError, match="more than 2 pairs"):
        snapshot.create([pair(n) for n in range(3)], Selection(), tmp_path)


def test_an_edited_signature_stays_and_a_missing_one_is_made(tmp_path: Path) -> None:
    edited = pair(1, signature=signatures.to_document({"http:url": b"/edited"}))
    made = snapshot.create([edited, pair(2)], Selection(), tmp_path)
    first, second = (signatures.recorded(p) for p in made.mocks())
    assert first == {"http:url": b"/edited", "instance": b"0"}
    assert second["http:host"] == b"api.example.com"


@pytest.mark.parametrize("name", ["s.tar", "s.tar.gz"])
def test_a_tar_is_the_same_snapshot(tmp_path: Path, name: str) -> None:
    made = snapshot.create([pair(1), pair(2, "IN")], Selection(), tmp_path)
    with tarfile.open(tmp_path / name, "w:gz" if name.endswith("gz") else "w") as tar:
        tar.add(made.path, arcname=made.id)
    opened = snapshot.open(tmp_path / name)
    assert opened.id == made.id
    assert [p.to_doc() for p in opened.mocks()] == [p.to_doc() for p in made.mocks()]
    assert [p.to_doc() for p in opened.tests()] == [p.to_doc() for p in made.tests()]


def test_a_changed_snapshot_does_not_verify(tmp_path: Path) -> None:
    made = snapshot.create([pair(1)], Selection(), tmp_path)
    made.verify()
    with (made.path / layout.RAW).open("ab") as raw:
        raw.write(b"\n")
    with pytest.raises(ConfigError, match="it was changed"):
        snapshot.open(made.path).verify()


def test_a_file_that_cannot_be_read_spoils_no_recording(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "rec", "markdown")
    writer.write(pair())
    writer.close()
    (tmp_path / "rec" / "dangling.md").symlink_to(tmp_path / "nowhere.md")
    opened = snapshot.open(tmp_path / "rec")
    assert len(list(opened.mocks())) == 1
    assert opened.id == snapshot.open(tmp_path / "rec").id


def test_a_plain_recording_opens_alike(tmp_path: Path) -> None:
    root = tmp_path / "recorded"
    writer = Writer(root, "markdown")
    for p in (pair(3), pair(1, url="/b"), pair(2, "IN")):
        writer.write(p)
    writer.close()
    (root / "broken.md").write_text("### REQUEST ###\n")
    opened = snapshot.open(root)
    assert [p.http_request["url"] for p in opened.mocks() if p.http_request] == ["/b", "/a"]
    assert [p.direction for p in opened.tests()] == ["IN"]
    assert [e["reason"] for e in opened.skipped()] == ["broken"]
    assert opened.id == snapshot.open(root).id
    assert opened.manifest["meta"]["services"] == ["shop"]
    made = snapshot.create(recording.read(root), Selection(), tmp_path / "out")
    assert len(list(made.mocks())) == 2


@pytest.mark.parametrize("make", [lambda p: p / "absent", lambda p: p / "x.tar"])
def test_what_cannot_be_opened_is_an_error(tmp_path: Path, make: Any) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")
    with pytest.raises(ConfigError):
        snapshot.open(make(tmp_path))


def test_half_a_snapshot_is_an_error(tmp_path: Path) -> None:
    made = snapshot.create([pair()], Selection(), tmp_path)
    (made.path / layout.MOCKS).unlink()
    with pytest.raises(ConfigError, match="no whole snapshot"):
        list(snapshot.open(made.path).mocks())


def test_references_are_paths_or_ids(tmp_path: Path) -> None:
    made = snapshot.create([pair()], Selection(), snapshot.snapshots_home(tmp_path))
    assert snapshot.resolve(made.id, tmp_path) == made.path
    assert snapshot.resolve(str(made.path), tmp_path) == made.path
    with pytest.raises(ConfigError, match=made.id):
        snapshot.resolve(made.id[:8], tmp_path)


def test_wall_clock_facts_are_outside_the_manifest(tmp_path: Path) -> None:
    made = snapshot.create([pair()], Selection(), tmp_path)
    created = json.loads((made.path / layout.CREATED).read_text())
    assert set(created) == {"createdAt", "version"}
    assert created["createdAt"][:10] not in json.dumps(dict(made.manifest))
