"""Exporters by themselves: what lands in files, and pairs as log records."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.forwarder import config
from speedscale_runtime.forwarder.exporter_specs import ExporterSpec
from speedscale_runtime.forwarder.exporters import KINDS, Item, create, files, logrecords
from speedscale_runtime.forwarder.exporters.files import FilesExporter
from speedscale_runtime.rrpair import RRPair, recording
from speedscale_schemas.errors import TransientError
from speedscale_schemas.validation import schema


def pair(n: int, body: bytes = b"{}") -> RRPair:
    doc = {
        "uuid": base64.b64encode(uuid.UUID(int=n + 1).bytes).decode(),
        "ts": "2026-01-02T03:04:05Z",
        "l7protocol": "http",
        "direction": "IN",
        "service": "shop",
        "location": f"/{n}",
        "network_address": "shop:80",
        "http": {"req": {"method": "GET", "url": f"/{n}", "uri": f"/{n}", "host": "shop", "version": "1.1"}, "res": {}},
    }
    return RRPair(doc, b"", body)


def items(*numbers: int) -> list[Item]:
    return [Item(pair(n), 1) for n in numbers]


def spec(path: Path, fmt: str) -> ExporterSpec:
    text = f'{{"r": {{"type": "files", "path": "{path}", "format": "{fmt}"}}}}'
    return config.parse({"EXPORTERS": text}).exporters[0]


def written(path: Path) -> list[str]:
    return sorted(str(e.pair.doc["location"]) for e in recording.read(path) if e.pair)


@pytest.mark.parametrize("fmt", ["markdown", "json", "jsonl"])
async def test_what_an_earlier_process_wrote_is_not_written_again(tmp_path: Path, fmt: str) -> None:
    out = tmp_path / "out"
    first = FilesExporter(spec(out, fmt), 0)
    assert (await first.send(items(1, 2))).exported == 2
    await first.close()
    again = FilesExporter(spec(out, fmt), 0)
    sent = await again.send(items(1, 2, 3))
    assert (sent.exported, sent.events) == (1, {"deduplicated": 2})
    assert (await again.send(items(4))).exported == 1
    await again.close()
    assert written(out) == ["/1", "/2", "/3", "/4"]


async def test_a_hand_over_that_breaks_off_comes_again_without_doubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    exporter = FilesExporter(spec(out, "json"), 0)
    await exporter.send(items(0))
    original, calls = recording.Writer.write, 0

    def failing(self: recording.Writer, given: RRPair) -> Path:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        return original(self, given)

    monkeypatch.setattr(recording.Writer, "write", failing)
    with pytest.raises(TransientError, match="No space"):
        await exporter.send(items(1, 2, 3))
    sent = await exporter.send(items(1, 2, 3))
    assert sent.exported + sent.events["deduplicated"] == 3
    await exporter.close()
    assert written(out) == ["/0", "/1", "/2", "/3"]


def plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {kv.key: plain(kv.value) for kv in value.kvlist_value.values}
    if kind == "array_value":
        return [plain(v) for v in value.array_value.values]
    return getattr(value, kind) if kind else None


scalars = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))


@given(json_values)
def test_json_survives_as_any_value(value: Any) -> None:
    assert plain(type(logrecords.any_value(value)).FromString(logrecords.any_value(value).SerializeToString())) == value


def test_odd_values_are_carried_as_well_as_they_can() -> None:
    assert plain(logrecords.any_value({"n": 1 << 70})) == {"n": str(1 << 70)}
    assert plain(logrecords.any_value("\udc80")) == "?"
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    message = logrecords.any_value(deep)
    assert type(message).FromString(message.SerializeToString()) == message


@given(
    st.integers(2000, 9000),
    st.one_of(st.binary(max_size=9000), st.text(max_size=4000).map(str.encode)),
    st.one_of(st.binary(max_size=9000), st.text(max_size=4000).map(str.encode)),
)
def test_no_record_is_over_the_limit_and_what_was_cut_says_so(limit: int, request: bytes, response: bytes) -> None:
    given_pair = pair(1, response)
    given_pair.request_body = request
    encoded = logrecords.encode(Item(given_pair, 5), limit)
    assert encoded is not None
    assert encoded.size == encoded.data.message.ByteSize() <= limit
    tags = plain(encoded.data.message.body).get("tags", {})
    assert bool(tags) is encoded.cut
    assert set(tags) <= {"requestPayloadTruncated", "responsePayloadTruncated"}
    assert tags.get("requestPayloadTruncated", str(len(request))) == str(len(request))
    assert "tags" not in given_pair.doc


def test_every_kind_of_the_settings_has_an_exporter() -> None:
    kinds = schema("settings/forwarder")["properties"]["EXPORTERS"]["additionalProperties"]["properties"]["type"]
    assert set(KINDS) == set(kinds["enum"])
    backend = {"SPEEDSCALE_APP_URL": "https://app.example.com", "SPEEDSCALE_API_KEY": "k"}
    needed: dict[str, dict[str, object]] = {
        "otlp": {"otel_endpoint": "http://c"},
        "firehose": {"stream": "s"},
        "s3": {"bucket": "b"},
        "kafka": {"brokers": ["k:9092"], "topic": "t"},
    }
    for kind in KINDS:
        given = {"type": kind, **needed.get(kind, {})}
        (one,) = config.parse({"EXPORTERS": json.dumps({"x": given}), **backend}).exporters
        made = create(one, 0)
        assert made.max_pairs_per_s >= 0
        assert made.handover.pairs > 0


async def test_a_hand_over_that_is_not_on_disk_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    flushed: list[Path] = []

    def flush(folder: Path) -> None:
        flushed.append(folder)
        if len(flushed) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "_flush", flush)
    exporter = FilesExporter(spec(out, "json"), 0)
    with pytest.raises(TransientError, match="Input/output"):
        await exporter.send(items(1))
    sent = await exporter.send(items(1))
    assert sent.events == {"deduplicated": 1}
    await exporter.close()
    assert flushed == [out, out]
    assert written(out) == ["/1"]


@pytest.mark.exporter_faults("jsonl", "refusal")
async def test_a_pair_that_cannot_be_written_down_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    original = recording.Writer.write

    def failing(self: recording.Writer, given: RRPair) -> Path:
        if given.doc["location"] == "/2":
            raise ValueError("no form")
        return original(self, given)

    monkeypatch.setattr(recording.Writer, "write", failing)
    exporter = FilesExporter(spec(out, "jsonl"), 0)
    sent = await exporter.send(items(1, 2, 3))
    await exporter.close()
    assert (sent.exported, sent.events) == (2, {"rejected": 1})
    assert written(out) == ["/1", "/3"]
