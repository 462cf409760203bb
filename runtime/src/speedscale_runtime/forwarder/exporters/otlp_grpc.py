"""OTLP over gRPC: LogsService/Export. Source: OTLP 1.x specification, sections on gRPC transport and failures.

HTTP_PROXY, HTTPS_PROXY and NO_PROXY count: a tunnel is asked for by CONNECT. Calls block in a thread of the exporter's
own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.protobuf import any_pb2, duration_pb2, empty_pb2
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from speedscale_runtime.delivery.pauses import LONGEST_S
from speedscale_runtime.delivery.proxies import proxy_of
from speedscale_runtime.forwarder.exporter_specs import GRPC_PORT, ExporterSpec
from speedscale_schemas.errors import TransientError

from . import trust
from .batched import Encoded, Outcome, Unacceptable
from .logrecords import Record
from .otlp_batched import OtlpExporter

_DETAILS, _RETRY_INFO = "grpc-status-details-bin", "/google.rpc.RetryInfo"
_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 10_000),
)
_PUBLIC_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")  # the library has roots of its own where this is missing


class OtlpGrpcExporter(OtlpExporter):
    """Calls `options.endpoint`."""

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        super().__init__(spec, since)
        self._thread = ThreadPoolExecutor(1, f"export-{spec.name}")
        self._channel: grpc.Channel | None = None

    async def post(self, group: Sequence[Encoded[Record]]) -> Outcome[Record]:
        """Make one call; what the collector says it rejected is counted, not sent again (partial success)."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._call, self.request(group))
        except grpc.RpcError as error:
            raise _translated(error) from error
        return Outcome(rejected=min(max(0, int(answer.partial_success.rejected_log_records)), len(group)))

    async def close(self) -> None:
        """Close the channel."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._hang_up)
        self._thread.shutdown()

    def _call(self, request: ExportLogsServiceRequest) -> ExportLogsServiceResponse:
        if self._channel is None:
            self._channel = self._connect()
        export: Any = self._channel.unary_unary(
            _METHOD,
            request_serializer=ExportLogsServiceRequest.SerializeToString,
            response_deserializer=ExportLogsServiceResponse.FromString,
        )
        metadata = [(name.lower(), value) for name, value in self.options.headers]
        try:
            answer: ExportLogsServiceResponse = export(request, timeout=self.timeout_s, metadata=metadata)
        except grpc.RpcError:
            self._hang_up()  # the next attempt reads the files anew and does not wait for the channel's own pause
            raise
        return answer

    def _connect(self) -> grpc.Channel:
        url = urlsplit(self.options.endpoint)
        target = f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else GRPC_PORT)}"
        compression = grpc.Compression.Gzip if self.options.compression == "gzip" else grpc.Compression.NoCompression
        proxy = proxy_of(self.options.endpoint)
        options = (*_OPTIONS, ("grpc.http_proxy", proxy) if proxy else ("grpc.enable_http_proxy", 0))
        if url.scheme == "http":
            return grpc.insecure_channel(target, options, compression)
        return grpc.secure_channel(target, self._credentials(), options, compression)

    def _credentials(self) -> grpc.ChannelCredentials:
        tls = self.options.tls
        roots = Path(tls.ca_file) if tls.ca_file else _PUBLIC_ROOTS if _PUBLIC_ROOTS.exists() else None
        own = Path(tls.client_cert_path) if tls.client_cert_path else None
        return grpc.ssl_channel_credentials(
            root_certificates=trust.pem(roots) if roots else None,
            private_key=trust.pem(own / "tls.key") if own else None,
            certificate_chain=trust.pem(own / "tls.crt") if own else None,
        )

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def _translated(error: grpc.RpcError) -> Exception:
    """Return what a failed call means: INVALID_ARGUMENT, and a message that is too large, will never be taken."""
    code, details = error.code(), str(error.details() or "")
    too_large = code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details
    if code is grpc.StatusCode.INVALID_ARGUMENT or too_large:
        return Unacceptable()
    return TransientError(f"gRPC {code.name}", _asked(error))


def _asked(error: Any) -> float:
    """Return the seconds that a RetryInfo asks for (google.rpc.Status in the trailer), 0 where there is none."""
    for name, value in error.trailing_metadata() or ():
        if name == _DETAILS:
            with contextlib.suppress(DecodeError):
                for detail in _fields(value, 3):
                    packed = any_pb2.Any.FromString(detail)
                    for delay in _fields(packed.value, 1) if packed.type_url.endswith(_RETRY_INFO) else ():
                        said = duration_pb2.Duration.FromString(delay)
                        return min(max(said.seconds + said.nanos / 1e9, 0.0), LONGEST_S)
    return 0.0


def _fields(data: bytes, number: int) -> list[bytes]:
    """Return a message's fields of this number that are messages themselves; we have no code for these types."""
    unknown = UnknownFieldSet(empty_pb2.Empty.FromString(data))
    found = (unknown[index] for index in range(len(unknown)))
    return [field.data for field in found if field.field_number == number and isinstance(field.data, bytes)]
