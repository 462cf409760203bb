"""What counts as a change of a file, and that real events wake who waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speedscale_manifests.watch import Fingerprints, Notifier

LONG_S = 20.0  # a wait that a working notifier never uses up


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text("a: 1\n")
    return path


def test_a_file_that_is_the_same_has_not_changed(file: Path) -> None:
    prints = Fingerprints([file])
    assert not prints.changed()


def test_each_way_to_save_is_a_change_and_told_once(file: Path, tmp_path: Path) -> None:
    prints = Fingerprints([file])
    file.write_text("a: 22\n")
    assert prints.changed()
    assert not prints.changed()
    aside = tmp_path / "values.yaml~"
    aside.write_text("a: 33\n")
    os.utime(aside, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    aside.replace(file)
    assert prints.changed()
    file.unlink()
    assert prints.changed()
    file.write_text("a: 4\n")
    assert prints.changed()


def test_a_file_that_comes_later_is_a_change(tmp_path: Path) -> None:
    prints = Fingerprints([tmp_path / "envs" / "prod.yaml"])
    assert not prints.changed()
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "prod.yaml").write_text("a: 1\n")
    assert prints.changed()


def test_a_link_to_another_file_is_a_change(file: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.yaml", tmp_path / "other.yaml"
    other.write_text("b: 1\n")
    link.symlink_to(file)
    prints = Fingerprints([link])
    link.unlink()
    link.symlink_to(other)
    assert prints.changed()


@pytest.mark.parametrize("way", ["write", "replace", "create", "delete"])
def test_events_wake(file: Path, tmp_path: Path, way: str) -> None:
    if way == "create":
        file.unlink()
    with Notifier([file]) as notifier:
        if way == "replace":
            aside = tmp_path / "aside"
            aside.write_text("a: 2\n")
            aside.replace(file)
        elif way == "delete":
            file.unlink()
        else:
            file.write_text("a: 2\n")
        assert notifier.wait(LONG_S)


def test_other_files_and_reading_do_not_wake(file: Path, tmp_path: Path) -> None:
    with Notifier([file]) as notifier:
        (tmp_path / "other.yaml").write_text("x")
        file.read_text()
        assert not notifier.wait(0.0)
        # Events come in order: once this one is through, those above were too.
        file.write_text("a: 2\n")
        assert notifier.wait(LONG_S)


def test_a_folder_that_is_not_there_is_left_to_the_fingerprints(tmp_path: Path) -> None:
    with Notifier([tmp_path / "missing" / "values.yaml"]) as notifier:
        assert not notifier.wait(0.0)
