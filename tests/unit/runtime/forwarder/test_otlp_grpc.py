"""What a failed call of OTLP over gRPC means."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2

from speedscale_runtime.forwarder.exporters.batched import Unacceptable
from speedscale_runtime.forwarder.exporters.otlp_grpc import _translated
from speedscale_schemas.errors import TransientError


class Failed(grpc.RpcError):  # type: ignore[misc]
    def __init__(self, code: grpc.StatusCode, details: str = "", trailer: Any = None) -> None:
        self.code, self.details, self.trailing_metadata = lambda: code, lambda: details, lambda: trailer


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def status(type_url: str, seconds: int, nanos: int = 0) -> bytes:
    """Return a google.rpc.Status with a code, a message and one detail."""
    value = field(1, duration_pb2.Duration(seconds=seconds, nanos=nanos).SerializeToString())
    return b"\x08\x08" + field(2, b"slow") + field(3, any_pb2.Any(type_url=type_url, value=value).SerializeToString())


RETRY = "type.googleapis.com/google.rpc.RetryInfo"


@pytest.mark.parametrize(
    ("trailer", "seconds"),
    [
        (None, 0),
        ((("other", "1"),), 0),
        ((("grpc-status-details-bin", status(RETRY, 7, 500_000_000)),), 7.5),
        ((("grpc-status-details-bin", status(RETRY, 99_999)),), 300),
        ((("grpc-status-details-bin", status(RETRY, -5)),), 0),
        ((("grpc-status-details-bin", status("type.googleapis.com/google.rpc.Help", 7)),), 0),
        ((("grpc-status-details-bin", b"\xff\xff"),), 0),
    ],
)
def test_a_collector_that_throttles_is_left_alone_as_long_as_it_asks(trailer: Any, seconds: float) -> None:
    found = _translated(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "throttled", trailer))
    assert isinstance(found, TransientError)
    assert found.reason == "gRPC RESOURCE_EXHAUSTED"
    assert found.retry_after_s == seconds


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "no"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "received message larger than max (5 vs. 4)"),
    ],
)
def test_what_will_never_be_taken(code: grpc.StatusCode, details: str) -> None:
    assert isinstance(_translated(Failed(code, details)), Unacceptable)
