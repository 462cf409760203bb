"""Exporters that write files, on a disk that is not there, stands still, is full, or holds damage."""

from __future__ import annotations

import base64
import random
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from destinations import arrived, settings, uuids

from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.integration

KINDS = ("jsonl", "parquet")
FREEZER = """
import select, subprocess, sys
subprocess.run(["fsfreeze", "-f", sys.argv[1]], check=True)
print("frozen", flush=True)
select.select([sys.stdin], [], [], 300)
subprocess.run(["fsfreeze", "-u", sys.argv[1]], check=True)
"""
"""Thaws when its standard input ends, so also when whoever began it is gone: nobody waits for ever."""


def entry(kind: str, path: Path) -> dict[str, object]:
    if kind == "jsonl":
        return {"type": "files", "format": "jsonl", "path": str(path), "max_pairs_per_s": 0}
    return {"type": "parquet", "path": str(path), "linger_s": 0}


def found(kind: str, path: Path) -> list[str]:
    if kind == "jsonl":
        return sorted(str(e.pair.doc["uuid"]) for e in recording.read(path) if e.pair is not None)
    files = [str(p) for p in path.rglob("part-*.parquet")]
    query = "SELECT uuid FROM read_parquet(?, hive_partitioning = false)"
    return sorted(str(row[0]) for row in duckdb.execute(query, [files]).fetchall()) if files else []


def mounted(command: list[str], mount: Path) -> None:
    mount.mkdir()
    try:
        subprocess.run([*command, str(mount)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system cannot be mounted here: {error}")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = tmp_path / "small"
    mounted(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"], mount)
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.fixture
def stalling(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that can be made to stand still."""
    image, mount = tmp_path / "image", tmp_path / "stalling"
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(32 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system cannot be made here: {error}")
    mounted(["mount", "-o", "loop", str(image)], mount)
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.mark.exporter_faults("jsonl parquet", "down")
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_not_there_is_waited_for(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "volume"
    place.write_text("in the way")
    f = forwarder(**settings({"x": entry(kind, place / "out")}))
    assert f.post(batch(*range(20)), 1).status_code == 200
    f.until(lambda: f.status()["exporters"]["x"]["errors"] > 1)
    assert f.status()["exporters"]["x"]["lastError"].startswith("disk: ")
    assert f.post(batch(20), 2).status_code == 200
    place.unlink()
    f.until(lambda: arrived(f))
    assert found(kind, place / "out") == uuids(*range(21))


@pytest.mark.exporter_faults("jsonl parquet", "slow")
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_stands_still_holds_up_its_exporter_alone(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path, stalling: Path, kind: str
) -> None:
    other = tmp_path / "other"
    f = forwarder(**settings({"x": entry(kind, stalling / "out"), "y": entry("jsonl", other)}))
    f.post(batch(*range(10)), 1)
    f.until(lambda: arrived(f) and arrived(f, "y"))
    freezer = subprocess.Popen(
        [sys.executable, "-c", FREEZER, str(stalling)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert freezer.stdin is not None
    assert freezer.stdout is not None
    try:
        assert select.select([freezer.stdout], [], [], 60)[0]
        if freezer.stdout.readline() != b"frozen\n":
            pytest.skip("a file system cannot be frozen here")
        for sequence in range(2, 22):
            assert f.post(batch(sequence * 10), sequence).status_code == 200  # senders do not notice
        f.until(lambda: arrived(f, "y"))
        assert f.status()["exporters"]["x"]["lagPairs"] == 20
    finally:
        freezer.stdin.close()
        freezer.wait(60)
        freezer.stdout.close()
    f.until(lambda: arrived(f))
    wanted = uuids(*range(10), *(sequence * 10 for sequence in range(2, 22)))
    assert found(kind, stalling / "out") == wanted
    assert f.end() == 0


def noise(n: int) -> bytes:
    """Return 12 kB of text that hardly gets smaller when it is packed."""
    return base64.b64encode(random.Random(n).randbytes(9_000))


@pytest.mark.exporter_faults("jsonl parquet", "throttling cut")
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_full_in_the_middle_of_a_hand_over_is_waited_for(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], small: Path, kind: str
) -> None:
    f = forwarder(**settings({"x": entry(kind, small / "out")}))
    for sequence in range(10):
        first = sequence * 20
        pairs = b"".join(batch(n, response=noise(n)) for n in range(first, first + 20))
        assert f.post(pairs, sequence).status_code == 200
        if sequence == 0:
            f.until(lambda: arrived(f))
            (small / "ballast").write_bytes(bytes(300_000))
    f.until(lambda: f.status()["exporters"]["x"]["errors"] > 1)
    assert f.status()["exporters"]["x"]["lastError"].startswith("disk: ")
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    f.until(lambda: arrived(f))
    assert found(kind, small / "out") == uuids(*range(200))  # none twice
    assert f.end() == 0


@pytest.mark.exporter_faults("jsonl parquet", "garbage")
@pytest.mark.parametrize("kind", KINDS)
def test_damage_that_lies_there_does_not_hold_up_what_comes(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    f = forwarder(**settings({"x": entry(kind, out)}))
    f.post(batch(*range(10)), 1)
    f.until(lambda: arrived(f))
    f.kill()
    if kind == "jsonl":
        with (out / recording.LINES_FILE).open("ab") as file:
            file.write(b'{"msgType": "rrpair", \xff\xfe\n{"half a li')
    else:
        (whole,) = out.rglob("part-*.parquet")
        (whole.parent / "part-damaged.parquet").write_bytes(whole.read_bytes()[:-20])
        (whole.parent / "part-empty.parquet").write_bytes(b"")
    f.start()
    assert f.post(batch(*range(10, 20)), 2).status_code == 200
    f.until(lambda: arrived(f))
    for damaged in [*out.rglob("part-damaged*"), *out.rglob("part-empty*")]:
        damaged.unlink()
    assert found(kind, out) == uuids(*range(20))
