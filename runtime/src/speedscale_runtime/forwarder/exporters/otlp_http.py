"""OTLP over HTTP. Source: OTLP 1.x specification, sections on HTTP transport, failures and partial success.

A request that is refused for good (400, 413, 415, 422) is halved until the record that is refused is alone; everything
else, a wrong credential included, may change and is tried again. A success that no collector can have said (a page of
HTML, Protocol Buffers that are none) is no success. HTTP_PROXY, HTTPS_PROXY and NO_PROXY count.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Sequence

import aiohttp
import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from speedscale_runtime.delivery.pauses import retry_after
from speedscale_runtime.delivery.proxies import proxy_of
from speedscale_schemas.errors import TransientError

from . import trust
from .batched import Encoded, Outcome, Unacceptable
from .logrecords import Record
from .otlp_batched import OtlpExporter

_HOPELESS = frozenset({400, 413, 415, 422})  # this data will never be taken; everything else may change
_ANSWER_MAX_BYTES = 1 << 20
_PROTOBUF = frozenset({"application/x-protobuf", "application/protobuf"})


class OtlpHttpExporter(OtlpExporter):
    """Posts to `options.endpoint`."""

    _session: aiohttp.ClientSession | None = None
    _trust: ssl.SSLContext | None = None

    async def post(self, group: Sequence[Encoded[Record]]) -> Outcome[Record]:
        """Send one request; what the collector says it rejected is counted, not sent again (partial success)."""
        data = self.request(group).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf", **dict(self.options.headers)}
        if self.options.compression == "gzip":
            data, headers["Content-Encoding"] = gzip.compress(data, 1), "gzip"
        try:
            async with self._connection().post(
                self.options.endpoint,
                data=data,
                headers=headers,
                proxy=proxy_of(self.options.endpoint),
                allow_redirects=False,
            ) as response:
                answer = await response.content.read(_ANSWER_MAX_BYTES)
                if 200 <= response.status < 300:
                    return Outcome(rejected=min(_rejected(answer, response.content_type), len(group)))
                if response.status in _HOPELESS:
                    raise Unacceptable
                wait = retry_after(response.headers.get("Retry-After"))
                raise TransientError(f"HTTP {response.status}", wait)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            await self.close()  # the next attempt reads the CA file anew
            raise TransientError(type(error).__name__, 0.0) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _connection(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = trust.context(self.options.tls) if self.options.endpoint.startswith("https:") else None
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
                connector=aiohttp.TCPConnector(ssl=context if context is not None else True),
            )
        return self._session


def _rejected(answer: bytes, kind: str) -> int:
    """Return how many records a success says were refused; TransientError where no collector says so."""
    if kind == "text/html":
        raise TransientError("a page of HTML: no collector", 0.0)
    if kind == "application/json":
        return _rejected_in_json(answer)
    try:
        said = ExportLogsServiceResponse.FromString(answer)
    except DecodeError as error:
        if kind in _PROTOBUF:
            raise TransientError("an answer that is no OTLP", 0.0) from error
        return 0  # 200 is what counts where the form is not named
    return max(0, int(said.partial_success.rejected_log_records))


def _rejected_in_json(answer: bytes) -> int:
    try:
        return max(0, int(orjson.loads(answer)["partialSuccess"]["rejectedLogRecords"]))
    except (ValueError, TypeError, KeyError):
        return 0  # most say nothing at all
