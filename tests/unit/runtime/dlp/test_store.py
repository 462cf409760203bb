"""What is kept of compiled patterns counts only when nobody else can have written it; and nothing ever fails there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from speedscale_runtime.dlp import store
from speedscale_runtime.dlp.store import KEPT, Store

KEY = bytes(range(32))
DATA = b"compiled" * 100


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    """A store in a folder that does not exist yet."""
    return Store(tmp_path / "cache" / "patterns")


def the_file(kept: Store) -> Path:
    (path,) = kept.folder.iterdir()
    return path


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_what_was_kept_is_there_for_the_next_process_and_for_nobody_else(kept: Store) -> None:
    kept.save(KEY, DATA)
    assert Store(kept.folder).load(KEY) == DATA
    assert kept.load(key(1)) is None
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(the_file(kept).stat().st_mode) == 0o600


def test_the_last_of_one_key_counts(kept: Store) -> None:
    kept.save(KEY, b"first")
    kept.save(KEY, b"second")
    assert kept.load(KEY) == b"second"
    assert the_file(kept).name == f"{KEY.hex()}.compiled"


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _older(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"patterns 1\n", b"patterns 0\n"))


def _renamed(path: Path) -> None:
    other = Store(path.parent.parent / "elsewhere")
    other.save(key(1), DATA)
    os.replace(the_file(other), path)


def _shared(path: Path) -> None:
    path.chmod(0o620)


def _public(path: Path) -> None:
    path.chmod(0o602)


def _shared_folder(path: Path) -> None:
    path.parent.chmod(0o770)


def _link(path: Path) -> None:
    real = path.parent.parent / "real"
    path.rename(real)
    path.symlink_to(real)


def _linked_folder(path: Path) -> None:
    real = path.parent.parent / "real"
    path.parent.rename(real)
    path.parent.symlink_to(real, target_is_directory=True)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_flip, "damaged"),
        (_cut, "damaged"),
        (_empty, "of another version, or no file of ours"),
        (_older, "of another version, or no file of ours"),
        (_renamed, "made for another key"),
        (_shared, "writable by others"),
        (_public, "writable by others"),
        (_shared_folder, "the folder: writable by others"),
        (_link, os.strerror(errno.ELOOP)),
        (_linked_folder, "the folder: no folder"),
        (_pipe, "no regular file"),
        (_folder, "no regular file"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_as_if_it_were_not_there(
    kept: Store, spoil: Callable[[Path], None], why: str
) -> None:
    kept.save(KEY, DATA)
    spoil(the_file(kept))
    with capture_logs() as told:
        assert kept.load(KEY) is None
    assert [(e["log_level"], e["event"], e["reason"]) for e in told] == [("debug", "compiled_patterns_ignored", why)]


@pytest.mark.parametrize("mine", [False, True])
def test_what_another_user_owns_is_neither_read_nor_written_to(
    kept: Store, monkeypatch: pytest.MonkeyPatch, mine: bool
) -> None:
    kept.save(KEY, DATA)
    owner = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner if mine else owner + 1)
    kept.save(key(1), DATA)
    assert (kept.load(KEY) == DATA) is mine
    assert len(list(kept.folder.iterdir())) == (2 if mine else 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root owns what root ships")
@pytest.mark.parametrize(("shipped", "owner"), [(True, 0), (True, 65534), (False, 0)])
def test_what_came_with_the_program_may_be_root_s_and_nobody_else_s(
    kept: Store, monkeypatch: pytest.MonkeyPatch, shipped: bool, owner: int
) -> None:
    kept.save(KEY, DATA)
    os.chown(the_file(kept), owner, owner)
    monkeypatch.setattr("os.geteuid", lambda: 2100)
    trusted = shipped and owner == 0
    assert Store(kept.folder, shipped=shipped).load(KEY) == (DATA if trusted else None)
    _public(the_file(kept))
    assert Store(kept.folder, shipped=shipped).load(KEY) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_in_our_folder_is_not_read(kept: Store) -> None:
    kept.save(KEY, DATA)
    os.chown(the_file(kept), 65534, 65534)
    assert kept.load(KEY) is None


def test_a_folder_that_others_write_to_is_not_written_to(kept: Store) -> None:
    kept.folder.mkdir(parents=True)
    kept.folder.chmod(0o777)
    with capture_logs() as told:
        kept.save(KEY, DATA)
    assert list(kept.folder.iterdir()) == []
    assert [e["reason"] for e in told] == ["the folder: writable by others"]


def test_without_a_folder_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none/below")):
        kept = Store(place)
        with capture_logs() as told:
            kept.save(KEY, DATA)
            assert kept.load(KEY) is None
        assert "compiled_patterns_not_kept" in [e["event"] for e in told]


def test_a_full_disk_leaves_nothing_half_written(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.save(KEY, DATA)

    def full(source: str, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.replace", full)
    with capture_logs() as told:
        kept.save(key(1), DATA)
    assert [e["reason"] for e in told] == [os.strerror(errno.ENOSPC)]
    assert [p.name for p in kept.folder.iterdir()] == [f"{KEY.hex()}.compiled"]


def test_what_is_too_large_is_not_kept_and_not_read(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.save(KEY, DATA)
    monkeypatch.setattr(store, "MOST_BYTES", len(DATA) - 1)
    assert kept.load(KEY) is None
    kept.save(key(1), DATA)
    assert len(list(kept.folder.iterdir())) == 1


def test_of_too_many_the_longest_unused_go(kept: Store) -> None:
    for number in range(KEPT):
        kept.save(key(number), DATA)
        os.utime(kept.folder / f"{key(number).hex()}.compiled", (number, number))
    leftover = kept.folder / "new-left"  # of a process that was killed
    leftover.write_bytes(b"")
    os.utime(leftover, (0, 0))
    assert kept.load(key(0)) == DATA  # used: the youngest now
    kept.save(key(KEPT), DATA)
    assert len(list(kept.folder.iterdir())) == KEPT
    assert not leftover.exists()
    assert kept.load(key(1)) is None
    assert all(kept.load(key(n)) == DATA for n in (0, *range(2, KEPT + 1)))


def test_before_logs_are_set_up_nothing_is_printed(kept: Store, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    kept.save(KEY, DATA)
    _flip(the_file(kept))
    assert kept.load(KEY) is None
    assert capsys.readouterr() == ("", "")
