"""Recordings on disk: what is read, what is skipped, and that writing is atomic, unique and stays in its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from speedscale_runtime.rrpair import RRPair, jsonform, markdown, names, recording
from speedscale_runtime.rrpair.recording import Writer
from speedscale_schemas.errors import ConfigError

Make = Callable[..., RRPair]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_tree_is_read_in_the_order_of_names(tmp_path: Path, make: Make) -> None:
    for name in ("b/2.md", "b/1.md", "a/9.json", "c.json"):
        pair = make(resource=name)
        write(tmp_path / name, markdown.dumps(pair) if name.endswith("md") else jsonform.dumps(pair))
    write(tmp_path / "lines.jsonl", jsonform.dumps_line(make(resource="l1")) + b"\n\n" + jsonform.dumps_line(make()))
    found = list(recording.read(tmp_path))
    assert [(e.path.name, e.line, e.error) for e in found] == [
        ("9.json", 1, ""),
        ("1.md", 1, ""),
        ("2.md", 1, ""),
        ("c.json", 1, ""),
        ("lines.jsonl", 1, ""),
        ("lines.jsonl", 3, ""),
    ]
    assert found[0].pair == make(resource="a/9.json")
    assert found[4].pair == make(resource="l1")


def test_a_broken_file_is_an_entry_and_reading_goes_on(tmp_path: Path, make: Make) -> None:
    write(tmp_path / "1.json", b'{"direction": "IN",\n}')
    write(tmp_path / "2.md", b"hello")
    write(tmp_path / "3.json", b"")
    write(tmp_path / "4.md", markdown.dumps(make()))
    write(tmp_path / "5.jsonl", b"[1]\n" + jsonform.dumps_line(make()) + b'\n{"direc')
    (tmp_path / "6.json").symlink_to(tmp_path / "nowhere")
    found = list(recording.read(tmp_path))
    assert [(e.path.name, e.line, e.pair is not None) for e in found] == [
        ("1.json", 1, False),
        ("2.md", 1, False),
        ("3.json", 1, False),
        ("4.md", 1, True),
        ("5.jsonl", 1, False),
        ("5.jsonl", 2, True),
        ("5.jsonl", 3, False),
        ("6.json", 0, False),
    ]
    assert found[0].error.startswith(f"{tmp_path}/1.json:2:1: expected JSON")
    assert found[4].error.startswith(f"{tmp_path}/5.jsonl:1: expected an RRPair")
    assert found[6].error.startswith(f"{tmp_path}/5.jsonl:3:2: expected JSON")
    assert "cannot be read: No such file" in found[7].error


def test_a_missing_path_is_an_entry(tmp_path: Path) -> None:
    (entry,) = recording.read(tmp_path / "none")
    assert entry.error.endswith("none: no such file or folder")


def test_what_is_no_recording_is_skipped_with_a_reason(tmp_path: Path, make: Make) -> None:
    write(tmp_path / "README.md", b"# Hello")
    write(tmp_path / "blueprints" / "x.json", b"{}")
    write(tmp_path / ".metadata" / "snapshot.json", b"{}")
    write(tmp_path / ".1.tmp", b"{}")
    write(tmp_path / "proxymock.log", b"log")
    write(tmp_path / "s" / "raw.jsonl", jsonform.dumps_line(make()))
    write(tmp_path / "s" / "action.jsonl", jsonform.dumps_line(make()))
    skipped: dict[str, str] = {}
    found = list(recording.read(tmp_path, skipped=lambda path, why: skipped.update({path.name: why})))
    assert [e.path.name for e in found] == ["raw.jsonl"]
    assert skipped == {
        "README.md": "is no recording by its name",
        "blueprints": "holds no recordings",
        "action.jsonl": "is derived from raw.jsonl beside it",
    }
    assert recording.files(tmp_path) == [tmp_path / "s" / "raw.jsonl"]


def test_files_of_a_host_come_by_time(tmp_path: Path, make: Make) -> None:
    times = ["2026-03-01T10:20:30Z", "2026-03-01T10:20:30.1Z", "2026-03-01T10:20:30.12Z", "2026-03-01T10:20:30.2Z"]
    with Writer(tmp_path) as writer:
        for ts in reversed(times):
            writer.write(make(ts=ts))
    assert [e.pair.doc["ts"] for e in recording.read(tmp_path) if e.pair] == times


def test_content_decides_and_not_the_suffix(tmp_path: Path, make: Make) -> None:
    (entry,) = recording.read(write(tmp_path / "x.md", jsonform.dumps(make())))
    assert entry.pair == make()
    (entry,) = recording.read(write(tmp_path / "y.json", markdown.dumps(make())))
    assert entry.pair == make()


def test_files_over_the_limit_are_refused(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "FILE_MAX", 50)
    (entry,) = recording.read(write(tmp_path / "x.md", markdown.dumps(make())))
    assert "at most 50 are read" in entry.error
    short = jsonform.dumps_line(RRPair({"direction": "IN"}))
    found = list(recording.read(write(tmp_path / "x.jsonl", short + b"\n" + jsonform.dumps_line(make()) + b"\n")))
    assert [bool(e.error) for e in found] == [False, True]
    assert "reading stops here" in found[1].error


# Writing


def test_the_layout(tmp_path: Path, make: Make) -> None:
    sql = make(direction="OUT", network_address="db:5432", l7protocol="postgres", postgres={"request": {}})
    del sql.doc["http"]
    sql.request_body = sql.response_body = None
    with Writer(tmp_path) as writer:
        assert writer.write(make()) == tmp_path / "localhost" / "2026-03-01_10-20-30.12345Z.md"
        assert writer.write(make(direction="OUT")) == tmp_path / "shop" / "2026-03-01_10-20-30.12345Z.md"
        assert writer.write(sql) == tmp_path / "db" / "2026-03-01_10-20-30.12345Z.json"
    assert [e.pair for e in recording.read(tmp_path)] == [sql, make(), make(direction="OUT")]


def test_a_taken_time_stamp_moves_by_a_nanosecond(tmp_path: Path, make: Make) -> None:
    pairs = [make(resource=str(n)) for n in range(4)]
    with Writer(tmp_path, "json") as writer:
        first = [writer.write(pair) for pair in pairs[:2]]
    with Writer(tmp_path) as writer:  # another writer, another format, the same folder
        last = [writer.write(pair) for pair in pairs[2:]]
    assert [path.name for path in first + last] == [
        "2026-03-01_10-20-30.12345Z.json",
        "2026-03-01_10-20-30.123450001Z.json",
        "2026-03-01_10-20-30.123450002Z.md",
        "2026-03-01_10-20-30.123450003Z.md",
    ]
    found = {e.pair.doc["resource"]: e.pair.doc["ts"] for e in recording.read(tmp_path) if e.pair}
    assert found == {
        "0": "2026-03-01T10:20:30.123450000Z",
        "1": "2026-03-01T10:20:30.123450001Z",
        "2": "2026-03-01T10:20:30.123450002Z",
        "3": "2026-03-01T10:20:30.123450003Z",
    }
    assert pairs[1].doc["ts"] == "2026-03-01T10:20:30.123450000Z"


def test_many_pairs_of_one_moment_are_written_without_a_search(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: asked.append(str(path)) or exists(path))
    with Writer(tmp_path, "json") as writer:
        for _ in range(50):
            writer.write(make())
    assert len(asked) == 100
    assert len(list((tmp_path / "localhost").iterdir())) == 50


def test_pairs_without_a_time_are_written_and_keep_having_none(tmp_path: Path, make: Make) -> None:
    with Writer(tmp_path) as writer:
        paths = [writer.write(make(ts=ts)) for ts in ("", None, 5, "yesterday", "2026-99-99T00:00:00Z")]
    assert len(set(paths)) == 5
    assert [e.pair.doc["ts"] for e in recording.read(tmp_path) if e.pair] == [
        "",
        None,
        5,
        "yesterday",
        "2026-99-99T00:00:00Z",
    ]


def test_lines_go_into_one_file(tmp_path: Path, make: Make) -> None:
    with Writer(tmp_path, "jsonl", durable=True) as writer:
        assert writer.write(make()) == tmp_path / "raw.jsonl"
        writer.write(make(resource="two"))
    with Writer(tmp_path, "jsonl") as writer:
        writer.write(make(resource="three"))
    assert [e.pair.doc["resource"] for e in recording.read(tmp_path) if e.pair] == ["shop", "two", "three"]


def test_the_same_pairs_give_the_same_bytes(tmp_path: Path, make: Make) -> None:
    for folder in ("a", "b"):
        with Writer(tmp_path / folder) as writer:
            for number in range(3):
                writer.write(make(resource=str(number)))
    trees = [{path.relative_to(root): path.read_bytes() for path in root.rglob("*.md")} for root in tmp_path.iterdir()]
    assert trees[0] == trees[1]


@pytest.mark.parametrize(
    "host",
    [
        "../../etc",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "a\x00b",
        "-rf",
        ".hidden",
        "x" * 400,
        "é.example",
        "a b",
        "~",
    ],
)
def test_hosts_stay_inside_the_recording(tmp_path: Path, make: Make, host: str) -> None:
    root = tmp_path / "root"
    pair = make(direction="OUT", network_address=host)
    pair.doc["http"]["req"]["host"] = host
    with Writer(root) as writer:
        path = writer.write(pair)
    assert path.parent.parent == root
    assert path.resolve().is_relative_to(root.resolve())
    assert [p.name for p in tmp_path.iterdir()] == ["root"]
    (entry,) = recording.read(root)
    assert entry.pair == pair


def test_time_stamps_stay_inside_the_recording(tmp_path: Path, make: Make) -> None:
    with Writer(tmp_path / "root") as writer:
        path = writer.write(make(ts="../../../x"))
    assert path.parent == tmp_path / "root" / "localhost"


def test_two_hosts_that_look_alike_have_two_folders() -> None:
    assert names.safe("a/b") != names.safe("a_b") != names.safe("a\\b")
    assert names.safe("api.example.com") == "api.example.com"
    assert names.safe("::1") == "--1" or names.safe("::1").startswith("_")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with Writer(tmp_path) as writer:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writer.write(make())
        monkeypatch.undo()
        assert list((tmp_path / "localhost").iterdir()) == []
        writer.write(make())
    assert len(list(recording.read(tmp_path))) == 1


def test_a_torn_line_is_taken_back(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    calls: list[int] = []

    def half(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(fd, data[:10])

    with Writer(tmp_path, "jsonl") as writer:
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space left"):
            writer.write(make())
        monkeypatch.undo()
        writer.write(make())
    assert [e.pair for e in recording.read(tmp_path)] == [make()]


def test_what_is_appended_to_a_torn_line_is_not_lost_with_it(tmp_path: Path, make: Make) -> None:
    with Writer(tmp_path, "jsonl") as writer:
        path = writer.write(make())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])  # the machine went down in the middle of a line
    for _ in range(2):
        with Writer(tmp_path, "jsonl") as writer:
            writer.write(make())
    assert [e.pair for e in recording.read(tmp_path)] == [make(), None, make(), make()]


def test_durable_files_are_synced_before_they_have_their_name_and_their_folder_after(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, list[str]]] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{fd}"))
        names_now = [path.name for path in (tmp_path / "localhost").glob("*.md")]
        synced.append((target.is_dir(), names_now))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with Writer(tmp_path, durable=True) as writer:
        name = writer.write(make()).name
    assert synced == [(False, []), (True, [name])]


def test_a_file_system_without_links(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(a: str, b: str) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with Writer(tmp_path) as writer:
        assert writer.write(make()) != writer.write(make())
    assert len(list((tmp_path / "localhost").iterdir())) == 2


def test_a_name_taken_by_another_process_meanwhile(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def raced(a: str, b: str) -> None:
        monkeypatch.setattr(os, "link", real)
        write(Path(b), markdown.dumps(make(resource="theirs")))
        real(a, b)

    monkeypatch.setattr(os, "link", raced)
    with Writer(tmp_path) as writer:
        path = writer.write(make(resource="ours"))
    assert path.name == "2026-03-01_10-20-30.123450001Z.md"
    assert [e.pair.doc["resource"] for e in recording.read(tmp_path) if e.pair] == ["theirs", "ours"]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of markdown, json, jsonl"):
        Writer(tmp_path, "yaml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ts", "shown"),
    [
        ("2026-03-01T10:20:30.120Z", "2026-03-01T10:20:30.12Z"),
        ("2026-03-01T10:20:30.000Z", "2026-03-01T10:20:30Z"),
        ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"),
        ("2026-03-01T10:20:30.1+02:00", "2026-03-01T10:20:30.1+02:00"),
        ("2026-03-01T10:20:30.1234567891Z", "2026-03-01T10:20:30.123456789Z"),
        ("2026-13-01T10:20:30Z", ""),
        ("soon", ""),
        (None, ""),
    ],
)
def test_time_stamps_as_text_shows_them(ts: object, shown: str) -> None:
    assert names.normal(ts) == shown


def test_nanoseconds_carry() -> None:
    assert names.later("2026-12-31T23:59:59.999999999Z", 1) == "2027-01-01T00:00:00.000000000Z"
    assert names.later("2026-03-01T10:20:30Z", 2) == "2026-03-01T10:20:30.000000002Z"
    with pytest.raises(ValueError, match="no RFC 3339"):
        names.later("soon", 1)


@pytest.mark.parametrize(
    ("authority", "host"),
    [("a:80", "a"), ("a", "a"), ("[::1]:80", "::1"), ("::1", "::1"), ("", ""), (" a:1 ", "a"), ("[::1", "::1")],
)
def test_hosts_without_ports(authority: str, host: str) -> None:
    assert names.without_port(authority) == host
