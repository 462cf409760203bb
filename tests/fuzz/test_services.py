"""Hostile bytes against running services: nothing crashes, nothing leaks, and what is in order stays in order.

One proxy and one forwarder take over ten thousand damaged requests, answers and batches, with well-formed ones in
between. Seeds are fixed. What is asserted is exact: who got which bytes, what was recorded, what was refused why.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
import uvloop

from speedscale_runtime.rrpair import jsonform, markdown, recording
from speedscale_schemas.errors import ConfigError

pytestmark = pytest.mark.integration


def _helper(name: str) -> ModuleType:
    path = Path(__file__).parent / "services" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fuzz_services_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


mutations, servers, chains, batches = (_helper(n) for n in ("mutations", "origin", "chain", "batches"))

SEED = 20_260_102
ROUNDS = 8
BAD_IN, BAD_OUT, CUT_OFF, GOOD = 1050, 180, 60, 120  # connections a round
AT_ONCE = 24
BATCHES = 1000
RECORDINGS = 1500


@pytest.fixture
def chain_of(tmp_path: Path) -> Iterator[Any]:
    started: list[Any] = []

    def start(origin: int) -> Any:
        started.append(chains.Chain(tmp_path, origin))
        return started[-1]

    yield start
    for chain in started:
        chain.kill()


class Traffic:
    """The clients of one test, and what they carried."""

    def __init__(self, chain: Any, origin: Any) -> None:
        self.random = random.Random(SEED)
        self.chain, self.origin = chain, origin
        self.carried: Counter[bytes] = Counter()
        self.good = 0
        self.wrong: list[str] = []

    async def round(self) -> None:
        """Connections of all kinds, mixed."""
        kinds = [self.bad_in] * BAD_IN + [self.bad_out] * BAD_OUT + [self.cut_off] * CUT_OFF + [self.well_formed] * GOOD
        self.random.shuffle(kinds)
        waiting = iter([kind(random.Random(self.random.getrandbits(64))) for kind in kinds])

        async def work() -> None:
            for one in waiting:
                await one

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    async def _open(self, side: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.chain.proxy.status[f"{side}Port"], limit=1 << 20)

    async def bad_in(self, r: random.Random) -> None:
        """A damaged request to the application, sometimes after a good one; it must arrive as it was sent."""
        reader, writer = await self._open("in")
        sent = got = b""
        if r.random() < 0.2:
            sent, got = await self._ask(reader, writer, r)
        data = mutations.request(r)
        sent += data
        try:
            if r.random() < 0.3:  # in pieces
                at = r.randrange(len(data))
                writer.write(data[:at])
                await writer.drain()
                data = data[at:]
            writer.write(data)
            writer.write_eof()
            got += await reader.read(-1)
        finally:
            writer.close()
        self.carried[servers.digest(sent, got)] += 1

    async def bad_out(self, r: random.Random) -> None:
        """A damaged request of the application; the address stays whole, nobody else shall be called."""
        reader, writer = await self._open("out")
        with contextlib.suppress(OSError):  # refused and closed before all was said
            writer.write(batches.outbound(r, self.origin.port))
            writer.write_eof()
            await reader.read(-1)
        writer.close()

    async def cut_off(self, r: random.Random) -> None:
        """A client that goes away in the middle, with or without a reset."""
        side = r.choice(("in", "out"))
        _, writer = await self._open(side)
        data = mutations.plain(r) if side == "in" else batches.outbound(r, self.origin.port)
        writer.write(data[: r.randrange(1, len(data) + 1)])
        if r.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()

    async def well_formed(self, r: random.Random) -> None:
        """Good requests, one after the other, to the application or from it."""
        side = r.choice(("in", "out"))
        reader, writer = await self._open(side)
        if side == "out":
            writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % self.origin.port)
            await reader.readuntil(b"\r\n\r\n")
        for _ in range(r.randint(1, 3)):
            await self._ask(reader, writer, r)
        writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, r: random.Random
    ) -> tuple[bytes, bytes]:
        number = self.good
        self.good += 1
        body = r.choice((None, b"text %d" % number, b"lorem ipsum " * r.randint(1, 2000)))
        request = servers.good_request(number, body)
        writer.write(request)
        answer = await servers.read_answer(reader)
        if answer != servers.good_answer(number, body or b""):
            self.wrong.append(f"{number}: {answer[:200]!r}")
        return request, answer


def test_ten_thousand_damaged_requests_and_answers(chain_of: Any) -> None:
    async def main() -> None:
        origin = servers.Origin(mutations.answer, SEED)
        await origin.start()
        try:
            await hostile_traffic(chain_of(origin.port), origin)
        finally:
            origin.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def hostile_traffic(chain: Any, origin: Any) -> None:
    traffic = Traffic(chain, origin)
    levels = []
    for _ in range(ROUNDS):
        await traffic.round()
        await asyncio.to_thread(chain.settle)
        levels.append(chain.levels())
    assert not traffic.wrong
    assert ROUNDS * (BAD_IN + BAD_OUT + CUT_OFF) >= 10_000
    check_passed_on(traffic, origin)
    check_level(levels)
    assert chain.stats()["worker_starts"] == 1
    assert Path(f"/proc/{chain.proxy.status['workerPid']}/cmdline").read_bytes(), "the worker is gone"
    status = chain.forwarded()
    assert await asyncio.to_thread(chain.end) == (0, 0)
    assert not chain.proxy.complaints() + chain.forwarder.complaints()
    check_books(chain.stats(), status)
    check_recording(chain.recording, traffic.good, status)


def check_passed_on(traffic: Traffic, origin: Any) -> None:
    """What a client sent, the origin got, and the other way round, byte for byte, whatever it was."""
    missing = traffic.carried - origin.carried
    assert not missing, f"{missing.total()} of {traffic.carried.total()} connections were not passed on as they were"


def check_level(levels: list[dict[str, int]]) -> None:
    """Over the second half, memory and files stay where they were in the first: what leaks grows in every round."""
    middle = len(levels) // 2
    for name in levels[0]:
        course = [level[name] for level in levels]
        before, after = max(course[: middle + 1]), min(course[middle + 1 :][-2:])
        # a file may be open a moment longer than its connection is counted; a leak would be hundreds
        room = 8 if name.endswith("files") else max(2048, before // 20)
        assert after - before <= room, f"{name}: {course}"


def check_books(stats: dict[str, Any], status: dict[str, Any]) -> None:
    """Every pair that was seen is somewhere, and nothing went wrong within us."""
    assert stats["in_flight"] == 0
    assert stats["seen"] == stats["captured"] + sum(stats["dropped"].values())
    ours = ("queue_full", "spill_full", "spill_error", "forwarder_rejected", "worker_died", "shutdown", "internal")
    assert {c: stats["dropped"][c] for c in ours} == dict.fromkeys(ours, 0)
    assert stats["opaque"]["internal"] == 0
    assert status["received"]["pairs"] == stats["captured"]
    assert status["stored"]["pairs"] == stats["captured"]
    assert not status["dropped"]
    assert not status["refused"]
    # The inputs must reach what they are made for, or this test shows nothing.
    assert min(stats["opaque"][c] for c in ("not_http", "parse_error", "upgraded")) > 20
    assert min(stats["dropped"][c] for c in ("parse_error", "client_gone", "body_incomplete")) > 20
    assert min(stats["refused"][c] for c in ("bad_preamble", "no_target")) > 20


def check_recording(root: Path, good: int, status: dict[str, Any]) -> None:
    """Every pair that the forwarder took is there once; the good ones are right."""
    pairs = []
    for entry in recording.read(root):
        assert entry.pair is not None, entry.error
        pairs.append(entry.pair)
    exporter = status["exporters"]["recording"]
    assert len(pairs) == status["stored"]["pairs"] == exporter["exported"]
    assert exporter["undecodable"] == exporter["rejected"] == exporter["lost"] == exporter["deduplicated"] == 0
    assert len({p.doc["uuid"] for p in pairs}) == len(pairs)
    found: Counter[int] = Counter()
    for pair in pairs:
        path = str(pair.doc.get("location", ""))
        if path.startswith("/good/"):
            number = int(path.removeprefix("/good/"))
            found[number] += 1
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
            body = pair.response_body or b""
            assert answer % len(body) + body == servers.good_answer(number, pair.request_body or b"")
    assert found == Counter(range(good))


def test_damaged_batches_are_refused_for_their_reason_and_the_others_stored_once(chain_of: Any) -> None:
    chain = chain_of(1)
    url = f"http://127.0.0.1:{chain.forwarder.status['port']}/v1/batches"
    r = random.Random(SEED)
    expected = batches.Expected()
    levels = []
    with requests.Session() as session:
        session.trust_env = False
        for number in range(BATCHES):
            trial = batches.trial(r, number)
            answer = session.post(url, data=trial.body, headers=trial.headers, timeout=60)
            document = answer.json()
            reason = document.get("reason", "stored")
            assert reason in trial.outcomes, f"{trial.kind}: {answer.status_code} {document}"
            assert (answer.status_code == 200) == (reason == "stored")
            expected.count(trial, reason)
            if number in (BATCHES // 2, BATCHES * 3 // 4, BATCHES - 1):
                chain.settle()
                levels.append(chain.levels())
    check_level(levels)
    status = chain.forwarded()
    assert status["refused"] == dict(expected.refused)
    assert min(expected.refused[name] for name in batches.REASONS) > 5
    assert status["duplicates"] == expected.duplicates > 5
    dropped = sum(status["dropped"].values())
    assert status["received"]["pairs"] == expected.pairs == status["stored"]["pairs"] + dropped
    assert dropped >= expected.unreadable > 5
    assert chain.end() == (0, 0)
    assert not chain.forwarder.complaints()
    found = Counter(e.pair.doc["uuid"] for e in recording.read(chain.recording) if e.pair is not None)
    assert max(found.values()) == 1
    assert set(found) >= expected.uuids
    exporter = status["exporters"]["recording"]
    assert status["stored"]["pairs"] == found.total() + exporter["undecodable"] + exporter["deduplicated"]


def test_a_batch_that_breaks_off_is_refused_and_the_forwarder_goes_on(chain_of: Any) -> None:
    chain = chain_of(1)
    r = random.Random(SEED)
    port = chain.forwarder.status["port"]
    for number in range(200):
        batches.break_off(r, port, number)
    head = b"POST /v1/batches HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    batches.say(port, head + b"abcGET / HTTP/1.1\r\ncard\0: 4111111111111111\r\n\r\n")  # payload where a head is due
    trial = batches.valid(r, 1)
    answer = requests.post(f"http://127.0.0.1:{port}/v1/batches", data=trial.body, headers=trial.headers, timeout=60)
    assert answer.json() == {"sequence": 1}
    chain.settle()
    status = chain.forwarded()
    assert status["received"]["batches"] == 1
    assert min(status["refused"][reason] for reason in ("http", "malformed")) > 20
    assert chain.end() == (0, 0)
    assert "4111" not in chain.forwarder.log.read_text()
    assert not chain.forwarder.complaints()


@pytest.mark.parametrize("fmt", ["markdown", "json", "jsonl"])
def test_damaged_recordings_are_read_or_refused_with_a_reason(fmt: str, tmp_path: Path) -> None:
    r = random.Random(SEED)
    loads = markdown.loads if fmt == "markdown" else jsonform.loads
    dumps = {"markdown": markdown.dumps, "json": jsonform.dumps, "jsonl": jsonform.dumps_line}[fmt]
    wholes = [dumps(pair) for pair in batches.pairs(r, 40)]
    outcomes: Counter[bool] = Counter()
    for number in range(RECORDINGS):
        data = mutations.spoil(r, wholes[number % len(wholes)])
        try:
            pair = loads(data, "damaged")
        except ConfigError as error:
            outcomes[False] += "damaged" in str(error)
            continue
        outcomes[True] += 1
        written = dumps(pair)
        assert dumps(loads(written, "written")) == written, data
    assert outcomes.total() == RECORDINGS, "an error does not name its source"
    assert min(outcomes.values()) > RECORDINGS // 50
    folder = tmp_path / "host"
    folder.mkdir()
    suffix = {"markdown": "md"}.get(fmt, fmt)
    lines = 0
    for number in range(60):
        data = mutations.spoil(r, wholes[number % len(wholes)])
        lines += len([x for x in data.split(b"\n") if x.strip()]) if fmt == "jsonl" else 1
        (folder / f"{number:03}.{suffix}").write_bytes(data)
        (folder / f"{number:03}-whole.{suffix}").write_bytes(wholes[number % len(wholes)])
    entries = list(recording.read(tmp_path))
    assert len([e for e in entries if "whole" in e.path.name and e.pair is not None]) == 60
    assert all(e.pair is not None or str(e.path) in e.error for e in entries)
    assert len(entries) == lines + 60
