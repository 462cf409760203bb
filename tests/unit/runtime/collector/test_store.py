"""Parts on disk: replaced whole, bounded together, found again after any end."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import zstandard

from speedscale_runtime.collector.refusals import Refused
from speedscale_runtime.collector.store import Store, part_name


def received(store: Store, data: bytes) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("results.jsonl")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    path = store.receive()
    path.write_bytes(zstandard.ZstdCompressor().compress(out.getvalue()))
    return path


def test_a_part_that_comes_again_takes_the_former_s_place(tmp_path: Path) -> None:
    store = Store(tmp_path, 100_000)
    store.keep("generator-0", received(store, b"old"))
    store.keep("generator-0", received(store, b"new!"))
    (part,) = store.parts("generator")
    assert ((part.folder / "results.jsonl").read_bytes(), store.size) == (b"new!", 4)
    assert [p.name for p in (tmp_path / "parts").iterdir()] == ["generator-0"]


def test_pods_come_in_the_order_of_their_indices(tmp_path: Path) -> None:
    store = Store(tmp_path, 100_000)
    for index in (10, 9, 0):
        store.keep(f"generator-{index}", received(store, b"x"))
    assert [part.name for part in Store(tmp_path, 100_000).parts("generator")] == [
        "generator-0",
        "generator-9",
        "generator-10",
    ]


def test_the_bound_is_on_all_together_and_what_is_there_stays(tmp_path: Path) -> None:
    store = Store(tmp_path, 20_000)
    store.keep("generator-0", received(store, b"x" * 9_000))
    with pytest.raises(Refused):
        store.keep("generator-1", received(store, b"x" * 12_000))
    assert (store.size, len(store.parts("generator"))) == (9_000, 1)
    store.keep("generator-0", received(store, b"y" * 12_000))  # its own room counts
    assert store.size == 12_000


@pytest.mark.parametrize("state", ["between", "after"])
def test_an_end_between_two_renames_loses_nothing(tmp_path: Path, state: str) -> None:
    store = Store(tmp_path, 100_000)
    store.keep("responder-a", received(store, b"old"))
    parts = tmp_path / "parts"
    (parts / "responder-a").rename(parts / "responder-a~")
    if state == "after":
        (parts / "responder-a").mkdir()
        (parts / "responder-a" / "results.jsonl").write_bytes(b"new")
    (part,) = Store(tmp_path, 100_000).parts("responder")
    assert (part.folder / "results.jsonl").read_bytes() == (b"new" if state == "after" else b"old")
    assert [p.name for p in parts.iterdir()] == ["responder-a"]


@pytest.mark.parametrize(
    ("kind", "who"), [("generator", "a"), ("generator", "-1"), ("responder", "../x"), ("responder", "")]
)
def test_names_of_parts_are_those_of_pods(kind: str, who: str) -> None:
    with pytest.raises(Refused):
        part_name(kind, who)
    assert part_name("generator", "007") == "generator-7"
