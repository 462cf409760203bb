"""Requests of many records: limits, refusals, partial failures, retries; and pairs that are too large."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.forwarder.exporters import Item, cutting, jsonlines, logjson
from speedscale_runtime.forwarder.exporters.batched import Batched, Encoded, Outcome, Unacceptable
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import TransientError


def item(n: int, size: int = 10) -> Item:
    return Item(RRPair({"uuid": str(n), "msgType": "rrpair", "http": {"req": {}, "res": {}}}, b"", b"x" * size), 1)


class Receiver(Batched[int]):
    """Takes numbers; refuses those in `bad`, wants those in `later` once more, is away while `away` counts down."""

    max_records = 4
    max_bytes = 100

    def __init__(self, bad: frozenset[int] = frozenset(), later: frozenset[int] = frozenset(), away: int = 0) -> None:
        super().__init__()
        self.bad, self.later, self.away = bad, set(later), away
        self.arrived: list[int] = []
        self.posts: list[int] = []

    def encode(self, item: Item) -> Encoded[int] | None:
        n = int(item.pair.doc["uuid"])
        if n < 0:
            return None
        if n > 10**6:
            raise ValueError("no number")
        return Encoded(n, len(item.pair.response_body or b""), n % 2 == 1)

    async def post(self, group: Sequence[Encoded[int]]) -> Outcome[int]:
        self.posts.append(len(group))
        if self.away:
            self.away -= 1
            raise TransientError("away", 0.0)
        if self.bad & {e.data for e in group}:
            raise Unacceptable
        again = [e for e in group if e.data in self.later]
        self.later -= {e.data for e in again}
        self.arrived += [e.data for e in group if e not in again]
        return Outcome(again=again, reason="throttled" if again else "")


async def delivered(receiver: Receiver, items: list[Item]) -> tuple[int, dict[str, int], int]:
    attempts = 1
    while True:
        try:
            sent = await receiver.send(items)
        except TransientError:
            attempts += 1
            continue
        return sent.exported, {k: v for k, v in sent.events.items() if v}, attempts


async def test_requests_keep_to_both_limits() -> None:
    receiver = Receiver()
    items = [item(n) for n in range(9)] + [item(9, 95), item(10, 200), item(11)]
    assert (await delivered(receiver, items))[0] == 12
    assert receiver.posts == [4, 4, 1, 1, 1, 1]
    assert receiver.arrived == list(range(12))


async def test_one_bad_record_costs_itself_alone() -> None:
    receiver = Receiver(bad=frozenset({2, 7}))
    exported, events, attempts = await delivered(receiver, [item(n, 1) for n in range(20)])
    assert (exported, attempts) == (18, 1)
    assert events == {"rejected": 2, "cut": 10}
    assert receiver.arrived == [n for n in range(20) if n not in (2, 7)]


async def test_what_failed_is_sent_again_alone() -> None:
    receiver = Receiver(later=frozenset({1, 6}))
    exported, events, attempts = await delivered(receiver, [item(n) for n in range(8)])
    assert (exported, attempts) == (8, 3)
    assert sorted(receiver.arrived) == list(range(8))
    assert events == {"cut": 4}


async def test_a_retry_goes_on_where_it_broke_off() -> None:
    receiver = Receiver()
    items = [item(n) for n in range(10)]
    receiver.later = {9}
    with pytest.raises(TransientError, match="throttled"):
        await receiver.send(items)
    receiver.away = 2
    exported, _, _ = await delivered(receiver, items)
    assert exported == 10
    assert receiver.arrived == list(range(10))
    assert (await receiver.send([item(11)])).exported == 1  # the next hand-over begins anew


async def test_what_cannot_be_encoded_is_counted_and_passed_over() -> None:
    receiver = Receiver()
    exported, events, _ = await delivered(receiver, [item(-1), item(2), item(10**7)])
    assert (exported, events) == (1, {"too_large": 1, "rejected": 1})


@given(
    st.sets(st.integers(0, 30)),
    st.sets(st.integers(0, 30)),
    st.integers(0, 3),
    st.lists(st.integers(1, 90), max_size=30),
)
async def test_everything_that_is_taken_arrives_once(
    bad: set[int], later: set[int], away: int, sizes: list[int]
) -> None:
    receiver = Receiver(frozenset(bad), frozenset(later - bad), away)
    exported, events, _ = await delivered(receiver, [item(n, size) for n, size in enumerate(sizes)])
    wanted = set(range(len(sizes))) - bad
    assert sorted(receiver.arrived) == sorted(wanted)
    assert exported == len(wanted)
    assert events.get("rejected", 0) == len(sizes) - len(wanted)


bodies = st.one_of(st.binary(max_size=6000), st.text(max_size=2000).map(str.encode))


@given(st.integers(1500, 9000), bodies, bodies)
def test_a_line_is_never_over_the_limit_and_what_was_cut_says_so(limit: int, request: bytes, response: bytes) -> None:
    pair = RRPair({"msgType": "rrpair", "uuid": "u", "http": {"req": {}, "res": {}}}, request, response)
    for fitted in (jsonlines.encode(pair, limit, b"\n"), logjson.encode(pair, 5, limit)):
        assert fitted is not None
        assert fitted.size == len(fitted.data) <= limit
        assert (b"PayloadTruncated" in fitted.data) is fitted.cut
    assert "tags" not in pair.doc
    whole = jsonlines.encode(pair, 1 << 20)
    assert whole is not None
    assert not whole.cut
    if (fitted := jsonlines.encode(pair, limit)) and fitted.cut:
        assert fitted.size > limit * 0.5 or len(request) + len(response) > limit  # not thrown away without need


def test_a_head_that_is_too_large_is_not_forced() -> None:
    pair = RRPair({"msgType": "rrpair", "location": "/" * 5000}, None, b"x" * 100)
    assert jsonlines.encode(pair, 1000) is None


def test_text_is_cut_between_characters_and_the_smaller_body_stays_whole() -> None:
    pair = RRPair({"msgType": "rrpair", "http": {"req": {}, "res": {}}}, "ä".encode() * 10, "€".encode() * 1000)
    short = cutting.shortened(pair, 100)
    assert short.request_body == pair.request_body
    assert short.response_body == "€".encode() * 26
    assert short.tags == {"responsePayloadTruncated": "3000"}


def test_logs_in_json_are_what_the_protocol_says() -> None:
    doc = {"msgType": "rrpair", "ts": "2026-01-02T03:04:05.000000006Z", "service": "shop", "n": 1 << 70, "f": 1.5}
    record = logjson.encode(RRPair({**doc, "l": [True, None, 7], "bad": "\udc80"}), 5, 1 << 20)
    assert record is not None
    (resource,) = json.loads(logjson.document("west", [record.data, record.data]))["resourceLogs"]
    assert resource["resource"]["attributes"] == [{"key": "cluster", "value": {"stringValue": "west"}}]
    (scope,) = resource["scopeLogs"]
    first, second = scope["logRecords"]
    assert first == second
    assert (first["timeUnixNano"], first["observedTimeUnixNano"]) == ("1767323045000000006", "5")
    values = {kv["key"]: kv["value"] for kv in first["body"]["kvlistValue"]["values"]}
    assert values["n"] == {"stringValue": str(1 << 70)}
    assert values["f"] == {"doubleValue": 1.5}
    assert values["l"] == {"arrayValue": {"values": [{"boolValue": True}, {}, {"intValue": "7"}]}}
    assert values["bad"] == {"stringValue": "?"}
