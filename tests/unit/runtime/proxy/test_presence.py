"""Whether the application is there, as the kernel's tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_runtime.proxy.presence import Quiet, application_there

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(port: int, state: str, uid: int) -> str:
    return (
        f"   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid:5} "
        "       0 12345 1 0000000000000000 100 0 0 10 0\n"
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tcp"
    path.write_text(HEAD)
    return path


@pytest.mark.parametrize(
    ("port", "state", "uid", "there"),
    [
        (8080, "0A", 1000, True),  # listens
        (40000, "01", 0, True),  # a connection of root's
        (40000, "08", 1000, True),  # half closed
        (15001, "0A", 1337, False),  # a mesh's proxy
        (40000, "06", 0, False),  # TIME_WAIT is nobody's
        (40000, "05", 0, False),  # an orphan
        (4143, "0A", 2102, False),  # ours
        (4143, "01", 0, False),  # ours, not accepted yet
    ],
)
def test_what_counts(table: Path, port: int, state: str, uid: int, there: bool) -> None:
    with table.open("a") as out:
        out.write(line(4140, "0A", 2102) + line(port, state, uid))
    assert application_there(2102, frozenset((4140, 4143)), (str(table),)) is there


def test_a_table_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("header\nnonsense\n")
    assert not application_there(2102, frozenset(), (str(tmp_path / "none"), str(tmp_path / "odd")))


def test_it_is_gone_after_a_quiet_time_only(table: Path) -> None:
    quiet = Quiet(2102, frozenset(), 1.0, (str(table),))
    assert not quiet.over(10.0)
    table.write_text(HEAD + line(8080, "0A", 1000))
    assert not quiet.over(10.5)
    table.write_text(HEAD)
    assert not quiet.over(11.0)
    assert not quiet.over(11.9)
    assert quiet.over(12.0)
