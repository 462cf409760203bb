"""Logs of chunks that a real capture sent (`tests/corpus/nettap`), read again: in any order, and with losses.

The logs are the byte stream of the line (CHUNK and CLOSE frames) for 12 requests over 3 kept-alive connections on
loopback, both ends captured, by system calls and, for https, by OpenSSL's functions. Each answer bears its request's
number.
"""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from speedscale_runtime.nettap import wire
from speedscale_runtime.nettap.owners import Owner

CORPUS = Path(__file__).resolve().parents[3] / "corpus" / "nettap"
LOGS = sorted(path.name for path in CORPUS.glob("*.chunks"))
Frames = list[tuple[int, bytes]]


def read(name: str) -> Frames:
    return wire.Decoder().feed((CORPUS / name).read_bytes())


def pairs_of(chunks: ModuleType, frames: Frames) -> list[dict[str, Any]]:
    with chunks.Node(owner=Owner(chunks.WHO, loopback=True)) as node:
        node.tell(frames)
        node.settle()
        assert not node.faults
        assert node.sockets.kept_bytes == 0
        found: list[dict[str, Any]] = node.pairs()
    for pair in found:
        if pair["l7protocol"] != "tcp" and "X-Number" in pair["http"]["res"]["headers"]:
            assert pair["location"] == f"/n/{pair['http']['res']['headers']['X-Number'][0]}", "a wrong pair"
    return found


def whole(pairs: list[dict[str, Any]]) -> list[tuple[str, str, bytes, bytes]]:
    cut = {"incomplete", "requestPayloadTruncated", "responsePayloadTruncated"}
    kept = [p for p in pairs if p["l7protocol"] != "tcp" and not cut & p["tags"].keys()]
    return sorted((p["direction"], p["location"], p["asked"], p["answered"]) for p in kept)


def test_there_are_logs() -> None:
    assert LOGS == ["http.chunks", "https.chunks"]


@pytest.mark.parametrize("name", LOGS)
def test_every_request_is_a_pair_at_each_end(chunks: ModuleType, name: str) -> None:
    found = pairs_of(chunks, read(name))
    assert len(found) == 24
    assert sorted({p["l7protocol"] for p in found}) == [name.removesuffix(".chunks")]
    for number in range(12):
        asked = b"asked %d " % number * (1 + number % 50)
        for direction in ("IN", "OUT"):
            assert (direction, f"/n/{number}", asked, b"answer " + asked * 3) in whole(found)


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("seed", range(5))
def test_in_any_order_the_pairs_are_the_same(chunks: ModuleType, name: str, seed: int) -> None:
    frames = read(name)
    expected = whole(pairs_of(chunks, frames))
    random.Random(seed).shuffle(frames)
    assert whole(pairs_of(chunks, frames)) == expected


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("seed", range(15))
def test_what_is_lost_costs_pairs_and_makes_none(chunks: ModuleType, name: str, seed: int) -> None:
    frames = read(name)
    expected = whole(pairs_of(chunks, frames))
    order = random.Random(seed)
    for _ in range(order.randint(1, 6)):
        del frames[order.randrange(len(frames))]
    found = whole(pairs_of(chunks, frames))
    assert all(pair in expected for pair in found)
    assert len(found) == len(set(found))
