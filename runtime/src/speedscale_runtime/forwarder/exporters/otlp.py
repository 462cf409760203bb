"""The exporter `otlp`: OpenTelemetry logs over HTTP, one log record a pair.

Body: the RRPair as a map; attributes `service` and `namespace`; resource attribute `cluster`. Source: OTLP 1.x
specification, sections on HTTP transport, failures and partial success.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from speedscale_runtime.forwarder.config import ExporterSpec
from speedscale_schemas.errors import PermanentError, TransientError

from . import logrecords
from .base import Item, Sent

REQUEST_MAX_BYTES = 4 * 1024 * 1024  # what a Collector takes by default
_RETRY_AFTER_MAX_S = 300.0
_HOPELESS = frozenset({400, 413, 415, 422})  # this data will never be taken; everything else may change
_ANSWER_MAX_BYTES = 1 << 20


class OtlpExporter:
    """Sends to `spec.endpoint`; the pace is the collector's."""

    max_pairs_per_s = 0.0

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        self._spec = spec
        self._session: aiohttp.ClientSession | None = None
        self._done = 0  # of the items in hand, where a retry begins
        self._total = Sent(0, Counter())  # what became of those

    async def send(self, items: Sequence[Item]) -> Sent:
        """Send the items in requests of at most 4 MiB each; TransientError when the collector is away or busy."""
        encoded = [logrecords.encode(item, self._spec.max_record_bytes) for item in items[self._done :]]
        for group in _groups(encoded):
            sent = await self._group(group)
            self._done += len(group)
            self._total = Sent(self._total.exported + sent.exported, self._total.events + sent.events)
        total, self._total, self._done = self._total, Sent(0, Counter()), 0
        return total

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _group(self, group: Sequence[logrecords.Encoded]) -> Sent:
        events: Counter[str] = Counter()
        cut = sum(record.cut for record in group)
        if cut:
            events["cut"] = cut
        try:
            rejected = await self._post(logrecords.request(group))
        except PermanentError as error:
            if error.reason == "413" and len(group) > 1:
                half = len(group) // 2
                first, second = await self._group(group[:half]), await self._group(group[half:])
                return Sent(first.exported + second.exported, first.events + second.events)
            rejected = len(group)
        if rejected:
            events["rejected"] = rejected
        return Sent(len(group) - rejected, events)

    async def _post(self, data: bytes) -> int:
        """Send one request; return how many records of it the collector rejected."""
        headers = {"Content-Type": "application/x-protobuf", **dict(self._spec.headers)}
        if self._spec.compression == "gzip":
            data, headers["Content-Encoding"] = gzip.compress(data, 1), "gzip"
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._spec.timeout_s))
        try:
            async with self._session.post(
                self._spec.endpoint, data=data, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.content.read(_ANSWER_MAX_BYTES)
                if 200 <= response.status < 300:
                    return _rejected(answer)
                if response.status in _HOPELESS:
                    raise PermanentError(str(response.status))
                wait = _retry_after(response.headers.get("Retry-After", ""))
                raise TransientError(f"HTTP {response.status}", wait)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransientError(type(error).__name__, 0.0) from error


def _groups(encoded: Sequence[logrecords.Encoded]) -> list[list[logrecords.Encoded]]:
    groups: list[list[logrecords.Encoded]] = []
    size = 0
    for record in encoded:
        if not groups or size + record.size > REQUEST_MAX_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(record)
        size += record.size
    return groups


def _rejected(answer: bytes) -> int:
    try:
        return int(ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records)
    except DecodeError:
        return 0  # 200 is what counts; some receivers answer in JSON


def _retry_after(text: str) -> float:
    """Return seconds (0 where nothing usable is said); RFC 9110 section 10.2.3 allows seconds or a date."""
    if text.strip().isdecimal():
        return min(float(text), _RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    seconds = (at - datetime.now(at.tzinfo or UTC)).total_seconds() if at.tzinfo else 0.0
    return min(max(seconds, 0.0), _RETRY_AFTER_MAX_S)
