"""The exporter `otlp` against a receiver that decodes what it gets."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

sys.path.insert(0, str(Path(__file__).parent))
from stubs import Stub

pytestmark = pytest.mark.integration


class Receiver(Stub):
    """An OTLP/HTTP receiver; `script` holds the answers to give first: (status, headers, rejected records)."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[ExportLogsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[tuple[int, dict[str, str], int]] = []

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Decode and keep what is taken."""
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        status, told, rejected = self.script.pop(0) if self.script else (200, {}, 0)
        if status == 200:
            self.requests.append(ExportLogsServiceRequest.FromString(body))
            self.headers.append(headers | {"path": path})
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = rejected
        return status, told, answer.SerializeToString()

    def records(self) -> list[Any]:
        return [
            record
            for request in self.requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


def plain(value: Any) -> Any:
    """AnyValue → Python."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {kv.key: plain(kv.value) for kv in value.kvlist_value.values}
    if kind == "array_value":
        return [plain(v) for v in value.array_value.values]
    return getattr(value, kind) if kind else None


def collector(url: str, **more: object) -> str:
    return json.dumps({"collector": {"otel_endpoint": url, **more}})


def test_one_log_record_a_pair(forwarder: Callable, batch: Callable, receiver: Receiver) -> None:
    f = forwarder(
        EXPORTERS=collector(receiver.url, compression="gzip", headers={"X-Key": "${OTEL_KEY}"}),
        WITH_DLP="false",
        CLUSTER_NAME="west",
        OTEL_KEY="k-1",
    )
    f.post(batch(1, 2, response=b'{"a": 1}'), 1)
    f.until(lambda: f.status()["exporters"]["collector"]["exported"] == 2)
    first = receiver.records()[0]
    (resource,) = {r.resource.SerializeToString() for q in receiver.requests for r in q.resource_logs}
    assert b"west" in resource
    assert receiver.requests[0].resource_logs[0].resource.attributes[0].key == "cluster"
    assert {a.key: a.value.string_value for a in first.attributes} == {"service": "shop", "namespace": "default"}
    body = plain(first.body)
    assert body["location"] == "/orders/1"
    assert body["cluster"] == "west"
    assert body["http"]["res"]["body"] == '{"a": 1}'
    assert body["http"]["res"]["statusCode"] == 200
    assert "signature" in body
    assert first.time_unix_nano == 1_767_323_040_001_000_000
    assert receiver.headers[0]["path"] == "/v1/logs"
    assert receiver.headers[0]["X-Key"] == "k-1"


def test_outages_are_waited_out_and_rejections_counted(
    forwarder: Callable, batch: Callable, receiver: Receiver
) -> None:
    receiver.script = [
        (503, {"Retry-After": "1"}, 0),
        (429, {}, 0),
        (401, {}, 0),
        (200, {}, 1),
    ]
    f = forwarder(EXPORTERS=collector(receiver.url), WITH_DLP="false")
    f.post(batch(1, 2, 3), 1)
    f.until(lambda: f.status()["exporters"]["collector"]["lastError"] != "")
    f.until(lambda: f.status()["exporters"]["collector"]["lagPairs"] == 0)
    status = f.status()["exporters"]["collector"]
    assert (status["exported"], status["rejected"], status["errors"]) == (2, 1, 3)
    receiver.script = [(400, {}, 0)]
    f.post(batch(4), 2)
    f.until(lambda: f.status()["exporters"]["collector"]["rejected"] == 2)
    receiver.script = [(413, {}, 0)]
    f.post(batch(5, 6), 3)
    f.until(lambda: f.status()["exporters"]["collector"]["exported"] == 4)
    assert [plain(r.body)["location"] for r in receiver.records()[-2:]] == ["/orders/5", "/orders/6"]


def test_large_bodies_are_cut_flagged_and_counted(forwarder: Callable, batch: Callable, receiver: Receiver) -> None:
    f = forwarder(EXPORTERS=collector(receiver.url, max_record_bytes=20000), WITH_DLP="false")
    f.post(batch(1, request=b"r" * 500, response=b"x" * 100_000), 1)
    f.post(batch(2), 2)
    f.until(lambda: f.status()["exporters"]["collector"]["exported"] == 2)
    large, small = receiver.records()
    assert large.ByteSize() <= 20000
    assert {a.key: a.value.bool_value for a in large.attributes}["speedscale.body.truncated"] is True
    body = plain(large.body)
    assert body["tags"] == {"responsePayloadTruncated": "100000"}
    assert body["http"]["req"]["body"] == "r" * 500
    assert 1000 < len(body["http"]["res"]["body"]) < 20000
    assert not [a for a in small.attributes if a.key == "speedscale.body.truncated"]
    assert f.status()["exporters"]["collector"]["cut"] == 1


def test_an_exporter_filters_further_for_itself(forwarder: Callable, batch: Callable, receiver: Receiver) -> None:
    f = forwarder(
        SPEEDSCALE_FILTER_RULE="", EXPORTERS=collector(receiver.url, filter_rule="standard"), WITH_DLP="false"
    )
    f.post(batch(1, path="/healthz") + batch(2), 1)
    f.until(lambda: f.status()["exporters"]["collector"]["exported"] == 1)
    assert f.status()["exporters"]["collector"]["filtered"] == 1
    assert f.status()["stored"]["pairs"] == 2
    assert [plain(r.body)["location"] for r in receiver.records()] == ["/orders/2"]


def test_an_exporters_unknown_rule_stops_that_exporter_only(
    forwarder: Callable, batch: Callable, receiver: Receiver, tmp_path: Any
) -> None:
    both = {
        "collector": {"otel_endpoint": receiver.url, "filter_rule": "nowhere"},
        "recording": {"type": "files", "path": str(tmp_path / "out"), "format": "jsonl"},
    }
    f = forwarder(EXPORTERS=json.dumps(both), WITH_DLP="false")
    assert f.post(batch(1), 1).status_code == 200
    f.until(lambda: f.status()["exporters"]["recording"]["exported"] == 1)
    status = f.status()["exporters"]["collector"]
    assert "nowhere" in status["rules"]
    assert status["lagPairs"] == 1
    assert not receiver.requests
