"""The writer: writes what changed, owns what it wrote, survives its own death."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.output import Changes, Index, Writer
from speedscale_manifests.output import writer as module
from speedscale_manifests.output.paths import INDEX, TEMPORARY
from speedscale_schemas.errors import ConfigError

ONE = {"a/x.yaml": b"x: 1\n", "a/y.yaml": b"y: 1\n", "top.yaml": b"t: 1\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "dist"


def _files(root: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert TEMPORARY not in found
    del found[INDEX]
    return found


def _old(root: Path) -> None:
    """Give every file an old time, so that a touched one is seen."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(1, 1))


def _touched(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.stat().st_mtime_ns != 1}


def test_the_first_write_makes_the_folder(root: Path) -> None:
    changes = Writer(root).write(ONE)
    assert changes == Changes(("a/x.yaml", "a/y.yaml", "top.yaml"), (), ())
    assert _files(root) == ONE


def test_the_second_write_touches_nothing(root: Path) -> None:
    Writer(root).write(ONE)
    _old(root)
    changes = Writer(root).write(ONE)
    assert not changes
    assert changes.unchanged == tuple(sorted(ONE))
    assert _touched(root) == set()


def test_only_what_changed_is_written_and_what_is_stale_goes_with_its_folder(root: Path) -> None:
    Writer(root).write({**ONE, "b/c/d.yaml": b"d"})
    _old(root)
    changes = Writer(root).write({"a/x.yaml": b"x: 2\n", "top.yaml": b"t: 1\n"})
    assert changes == Changes(("a/x.yaml",), ("top.yaml",), ("a/y.yaml", "b/c/d.yaml"))
    assert _touched(root) == {"a/x.yaml", INDEX}
    assert not (root / "b").exists()


def test_equal_files_give_an_equal_index_whatever_was_before(root: Path, tmp_path: Path) -> None:
    Writer(root).write({"old.yaml": b"o"})
    Writer(root).write(ONE)
    Writer(tmp_path / "other").write(dict(reversed(ONE.items())))
    assert (root / INDEX).read_bytes() == (tmp_path / "other" / INDEX).read_bytes()


def test_foreign_files_are_never_touched(root: Path) -> None:
    (root / "a").mkdir(parents=True)
    (root / "a" / "mine.txt").write_text("mine")
    Writer(root).write(ONE)
    Writer(root).write({})
    assert _files(root) == {"a/mine.txt": b"mine"}


def test_a_foreign_file_in_the_way_refuses_everything(root: Path) -> None:
    root.mkdir()
    (root / "top.yaml").write_text("mine")
    with pytest.raises(ConfigError) as refused:
        Writer(root).write(ONE)
    assert str(refused.value).startswith(f"{root}/top.yaml: was not written by this synthesis")
    assert {p.name for p in root.iterdir()} == {"top.yaml"}


def test_a_foreign_file_with_the_right_bytes_is_taken_over(root: Path) -> None:
    root.mkdir()
    (root / "top.yaml").write_bytes(ONE["top.yaml"])
    assert Writer(root).write(ONE).unchanged == ("top.yaml",)
    assert Writer(root).write({}).deleted == tuple(sorted(ONE))


def test_an_edited_file_refuses_everything_until_it_is_deleted(root: Path) -> None:
    Writer(root).write(ONE)
    (root / "top.yaml").write_text("edited")
    wanted = {**ONE, "top.yaml": b"t: 2\n", "a/x.yaml": b"x: 2\n"}
    with pytest.raises(ConfigError) as refused:
        Writer(root).write(wanted)
    assert "top.yaml: was edited after it was written" in str(refused.value)
    assert (root / "a/x.yaml").read_bytes() == ONE["a/x.yaml"]
    (root / "top.yaml").unlink()
    assert Writer(root).write(wanted).written == ("a/x.yaml", "top.yaml")


def test_a_stale_file_that_was_edited_stays_and_is_named_until_it_is_gone(root: Path) -> None:
    Writer(root).write(ONE)
    (root / "top.yaml").write_text("edited")
    for _ in range(2):
        changes = Writer(root).write({"a/x.yaml": b"x: 1\n"})
        assert changes.kept == ("top.yaml",)
        assert (root / "top.yaml").read_text() == "edited"
    (root / "top.yaml").unlink()
    assert Writer(root).write({"a/x.yaml": b"x: 1\n"}).kept == ()


def test_a_stale_file_that_is_gone_already_is_no_news(root: Path) -> None:
    Writer(root).write(ONE)
    (root / "top.yaml").unlink()
    assert Writer(root).write({}).deleted == ("a/x.yaml", "a/y.yaml")


@pytest.mark.parametrize("place", ["a", "a/x.yaml", "top.yaml", INDEX])
def test_links_are_refused_and_what_they_lead_to_is_left_alone(root: Path, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside if place == "a" else outside / "file"
    if place != "a":
        target.write_text("precious")
    (root / place).parent.mkdir(parents=True)
    (root / place).symlink_to(target)
    with pytest.raises(ConfigError, match="link"):
        Writer(root).write(ONE)
    assert {p.name: p.read_text() for p in outside.iterdir()} == ({} if place == "a" else {"file": "precious"})


def test_a_link_that_came_later_is_not_followed_to_delete(root: Path, tmp_path: Path) -> None:
    Writer(root).write(ONE)
    (root / "a").rename(tmp_path / "moved")
    (root / "a").symlink_to(tmp_path / "moved")
    with pytest.raises(ConfigError, match="link"):
        Writer(root).write({})
    assert (tmp_path / "moved" / "x.yaml").exists()


def test_a_link_to_the_folder_itself_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "dist").symlink_to(tmp_path / "real")
    Writer(tmp_path / "dist").write(ONE)
    assert _files(tmp_path / "real") == ONE


def test_a_folder_where_a_file_belongs_and_the_reverse_are_refused(root: Path) -> None:
    (root / "top.yaml").mkdir(parents=True)
    (root / "a").write_text("a file")
    with pytest.raises(ConfigError) as refused:
        Writer(root).write(ONE)
    assert len(refused.value.problems) == 3
    assert (root / "a").read_text() == "a file"


def test_the_target_must_be_a_folder(root: Path) -> None:
    root.write_text("a file")
    with pytest.raises(ConfigError, match="is no folder"):
        Writer(root).write(ONE)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<<<<<<< HEAD\n",
        b"[]",
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "files": []}',
        b'{"format": 2, "files": {}}',
        b'{"format": 1, "files": {"../../etc/passwd": "00"}}',
        b'{"format": 1, "files": {}, "pending": {"/etc/passwd": ["00"]}}',
        b"\xff",
    ],
)
def test_an_index_that_is_none_is_refused_before_anything_is_touched(root: Path, text: bytes) -> None:
    root.mkdir()
    (root / INDEX).write_bytes(text)
    with pytest.raises(ConfigError) as refused:
        Writer(root).write(ONE)
    assert str(refused.value).startswith(str(root / INDEX))
    assert {p.name for p in root.iterdir()} == {INDEX}


class _Crash(BaseException):
    """What a killed process looks like from inside."""


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Die at the n-th change of the disk: `dies[0] = n`."""
    left = [10**9]

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise _Crash
            return real(*args, **options)

        monkeypatch.setattr(module.os, name, call)

    for name in ("replace", "unlink", "rmdir", "open"):
        counted(name)
    return left


def test_a_writer_that_dies_anywhere_leaves_what_the_next_one_repairs(tmp_path: Path, dies: list[int]) -> None:
    first = {**ONE, "stale/s.yaml": b"s"}
    second = {"a/x.yaml": b"x: 2\n", "a/y.yaml": b"y: 2\n", "new.yaml": b"n\n"}
    third = {"a/x.yaml": b"x: 3\n", "new.yaml": b"n: 3\n"}
    deaths = 0
    for step in range(40):
        root = tmp_path / str(step)
        dies[0] = 10**9
        Writer(root).write(first)
        dies[0] = step
        try:
            Writer(root).write(second)
        except _Crash:
            deaths += 1
        dies[0] = step // 2  # and the next one dies too
        try:
            Writer(root).write(third)
        except _Crash:
            deaths += 1
        dies[0] = 10**9
        Writer(root).write(third)  # other values than those of the dead ones
        assert _files(root) == third
        assert Index.parse((root / INDEX).read_bytes(), "").pending == {}
    assert deaths > 20


_PATHS = st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"])
_STATES = st.lists(st.dictionaries(_PATHS, st.binary(max_size=3), max_size=5), min_size=1, max_size=6)


@given(_STATES)
def test_after_any_sequence_of_writes_the_folder_is_the_last_one(
    tmp_path_factory: object, states: list[dict[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("w") / "dist"  # type: ignore[attr-defined]
    for state in states:
        Writer(root).write(state)
        assert _files(root) == state
    before = (root / INDEX).read_bytes()
    assert not Writer(root).write(states[-1])
    assert (root / INDEX).read_bytes() == before


def test_two_writers_wait_for_each_other(root: Path) -> None:
    import threading

    results: list[Changes] = []
    variants = [{f"f{number}.yaml": f"{number}".encode() for number in range(20)}, ONE]
    threads = [threading.Thread(target=lambda v=v: results.append(Writer(root).write(v))) for v in variants * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert _files(root) in variants
