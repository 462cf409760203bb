"""A collector by gRPC that throttles, refuses one record, or answers what is none; a real one stands behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

sys.path.insert(0, str(Path(__file__).parent))
from destinations import arrived, entry, settings, uuids

pytestmark = pytest.mark.integration

METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
ASKED_S = 2
Failure = tuple[grpc.StatusCode, tuple[tuple[str, bytes], ...]]


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def retry_after(seconds: int) -> tuple[tuple[str, bytes], ...]:
    """Return a trailer with a google.rpc.Status that holds a RetryInfo."""
    info = field(1, duration_pb2.Duration(seconds=seconds).SerializeToString())
    packed = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info)
    return (("grpc-status-details-bin", b"\x08\x08" + field(3, packed.SerializeToString())),)


class Front(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Says what `script` and `poison` have it say, and passes on the rest; `asked` holds the moments of the calls."""

    def __init__(self, target: int) -> None:
        self.script: list[bytes | Failure] = []
        self.poison = b""
        self.asked: list[float] = []
        self._channel = grpc.insecure_channel(f"127.0.0.1:{target}")
        self._export = self._channel.unary_unary(METHOD)
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=(self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, call: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._answer) if call.method == METHOD else None

    def stop(self) -> None:
        self._server.stop(None).wait()
        self._channel.close()

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.asked.append(time.monotonic())
        said = self.script.pop(0) if self.script else None
        if isinstance(said, bytes):
            return said
        if said is None and self.poison and self.poison in request:
            said = (grpc.StatusCode.INVALID_ARGUMENT, ())
        if said is not None:
            context.set_trailing_metadata(said[1])
            context.abort(said[0], "no")
        answer: bytes = self._export(request, timeout=60)
        return answer


@pytest.fixture
def fronted(start: Callable[..., Any]) -> Iterator[tuple[Any, Front]]:
    """A Collector, and what stands before it."""
    server = start("grpc")
    front = Front(server.grpc_port)
    yield server, front
    front.stop()


@pytest.mark.exporter_faults("grpc", "throttling")
def test_a_collector_that_throttles_is_left_alone_as_long_as_it_asks(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], fronted: tuple[Any, Front]
) -> None:
    server, front = fronted
    front.script = [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ()),
        (grpc.StatusCode.UNAVAILABLE, retry_after(ASKED_S)),
    ]
    f = forwarder(**settings({"x": entry("grpc", front.port, timeout_s=5)}))
    assert f.post(batch(*range(50)), 1).status_code == 200
    f.until(lambda: not front.script)
    assert f.post(batch(50), 2).status_code == 200  # senders do not notice
    f.until(lambda: arrived(f))
    f.until(lambda: sorted(server.uuids()) == uuids(*range(51)))
    assert front.asked[2] - front.asked[1] >= ASKED_S
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"], status["errors"]) == (51, 0, 2)


@pytest.mark.exporter_faults("grpc", "garbage")
def test_an_answer_that_is_none_is_no_success(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], fronted: tuple[Any, Front]
) -> None:
    server, front = fronted
    front.script = [b"\xff\xff\xff nothing", (grpc.StatusCode.UNIMPLEMENTED, ()), (grpc.StatusCode.UNKNOWN, ())]
    f = forwarder(**settings({"x": entry("grpc", front.port, timeout_s=5)}))
    assert f.post(batch(*range(20)), 1).status_code == 200
    f.until(lambda: arrived(f))
    f.until(lambda: sorted(server.uuids()) == uuids(*range(20)))
    assert f.status()["exporters"]["x"]["errors"] == 3


@pytest.mark.exporter_faults("grpc", "refusal")
def test_one_record_that_is_refused_costs_itself_alone(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], fronted: tuple[Any, Front]
) -> None:
    server, front = fronted
    front.poison = b"/orders/33"
    f = forwarder(**settings({"x": entry("grpc", front.port, timeout_s=5)}))
    assert f.post(batch(*range(30, 60)), 1).status_code == 200
    f.until(lambda: arrived(f))
    f.until(lambda: sorted(server.uuids()) == uuids(*(n for n in range(30, 60) if n != 33)))
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"], status["errors"]) == (29, 1, 0)
    partly = ExportLogsServiceResponse()
    partly.partial_success.rejected_log_records = 1
    front.script = [partly.SerializeToString()]
    f.post(batch(70, 71), 2)
    f.until(lambda: f.status()["exporters"]["x"]["rejected"] == 2)
    assert f.status()["exporters"]["x"]["exported"] == 30
