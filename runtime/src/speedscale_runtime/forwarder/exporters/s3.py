"""The exporter `s3`: OpenTelemetry logs in JSON, gzipped, in partitions of minutes and workloads.

    <prefix>/year=2026/month=01/day=31/hour=12/minute=05/namespace=shop/app=checkout/rrpairs_<digest>.json.gz
    _speedscale/byoc-layout.json        where things lie, and which workloads there are

A key is made of the uuids in its object: an upload that is tried again replaces what it may have left. An object that
will never be taken is halved, until the pair that it is refused for is alone. The manifest is brought up to date before
the cursor moves; of several forwarders each adds its own workloads to what is there.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import quote

import structlog

from speedscale_runtime.forwarder.exporter_specs import Bucket, ExporterSpec

from . import aws, layout, logjson
from .base import Handover, Item, Sent, encoded
from .batched import Unacceptable
from .cutting import Fitted
from .instants import of_pair, utc
from .layout import Workload

log = structlog.get_logger()

_PAIRS, _BYTES = 16_384, 8 * 1024 * 1024
_WORKLOADS_MAX = 10_000
_OTHER = "other"


class Place(NamedTuple):
    """Which object a pair belongs to."""

    folder: str
    cluster: str


class Line(NamedTuple):
    """A pair in an object: its uuid, its log record, whether that was cut."""

    uuid: bytes
    data: bytes
    cut: bool


class Upload(NamedTuple):
    """One object: where it belongs, and what it holds."""

    place: Place
    lines: Sequence[Line]

    @property
    def key(self) -> str:
        """The object's key: the same lines have the same."""
        digest = hashlib.sha256(self.place.cluster.encode("utf-8", "replace"))
        for line in self.lines:
            digest.update(line.uuid + b"\n")
        return f"{self.place.folder}rrpairs_{digest.hexdigest()[:32]}.json.gz"

    def data(self) -> bytes:
        """Return the object's bytes."""
        document = logjson.document(self.place.cluster, [line.data for line in self.lines])
        return gzip.compress(document, 6, mtime=0)

    def halves(self) -> list[Upload]:
        """Return two of its place."""
        half = len(self.lines) // 2
        return [self._replace(lines=self.lines[:half]), self._replace(lines=self.lines[half:])]


class S3Exporter:
    """Uploads into the bucket that the options name."""

    max_pairs_per_s = 0.0

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert isinstance(spec.options, Bucket)
        self._options, self._limit, self._timeout_s = spec.options, spec.max_record_bytes, spec.timeout_s
        self.handover = Handover(_PAIRS, _BYTES, spec.options.linger_s)
        self._thread = ThreadPoolExecutor(1, f"export-{spec.name}")
        self._client: Any = None
        self._pending: list[Upload] | None = None  # of the hand-over in hand; None between two
        self._sent = Sent(0, Counter())
        self._workloads: set[Workload] = set()  # of the hand-over in hand
        self._written: set[Workload] | None = None  # in the manifest; None until it was read

    async def send(self, items: Sequence[Item]) -> Sent:
        """Upload the items' objects; TransientError while the bucket does not take them."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._send, items)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._hang_up)
        self._thread.shutdown()

    def _send(self, items: Sequence[Item]) -> Sent:
        if self._pending is None:
            self._sent = Sent(0, Counter())
            self._pending = list(self._uploads(items))
        while self._pending:
            upload = self._pending[0]  # there until it is known what became of it, whatever is raised
            try:
                self._put(upload.key, upload.data(), "application/json", "gzip")
            except Unacceptable:
                if len(upload.lines) > 1:
                    self._pending[:1] = upload.halves()
                    continue
                self._sent.events["rejected"] += 1
            else:
                self._sent.events["cut"] += sum(line.cut for line in upload.lines)
                self._sent = Sent(self._sent.exported + len(upload.lines), self._sent.events)
            self._pending.pop(0)
        self._describe()
        sent, self._pending = self._sent, None
        return sent

    def _uploads(self, items: Sequence[Item]) -> Iterator[Upload]:
        groups: dict[Place, list[Line]] = {}
        for item, fitted in encoded(items, self._encode, self._sent.events):
            uuid = str(item.pair.doc.get("uuid")).encode("utf-8", "replace")
            groups.setdefault(self._place(item), []).append(Line(uuid, fitted.data, fitted.cut))
        return (Upload(place, lines) for place, lines in groups.items())

    def _encode(self, item: Item) -> Fitted[bytes] | None:
        return logjson.encode(item.pair, item.time_ns, self._limit)

    def _place(self, item: Item) -> Place:
        doc = item.pair.doc
        workload = Workload(*(str(doc.get(key) or "unknown")[:200] for key in ("namespace", "service")))
        if workload not in self._workloads and len(self._workloads) >= _WORKLOADS_MAX:
            workload = Workload(_OTHER, _OTHER)
        self._workloads.add(workload)
        at = utc(of_pair(item.pair, item.time_ns)).strftime(layout.TIME)
        names = [quote(name.encode("utf-8", "replace"), safe="") for name in workload]
        return Place(
            f"{self._options.prefix}{at}/{layout.WORKLOAD.format(namespace=names[0], app=names[1])}/",
            str(doc.get("cluster") or ""),
        )

    def _describe(self) -> None:
        """Bring the manifest up to date where this hand-over has workloads that it does not name."""
        if self._written is not None and self._workloads <= self._written:
            self._workloads = set()
            return
        found = layout.read(self._get(layout.KEY), self._options.prefix)
        if found is None:
            log.warning("layout_of_another_prefix", bucket=self._options.name, prefix=self._options.prefix)
            self._written = set(self._workloads)
            return
        wanted = found | self._workloads
        if wanted != found or not found:
            self._put(layout.KEY, layout.write(wanted, self._options.prefix), "application/json", "")
        self._written, self._workloads = wanted, set()

    def _put(self, key: str, data: bytes, kind: str, coding: str) -> None:
        extra = {"ContentEncoding": coding} if coding else {}
        try:
            answer = self._connected().put_object(
                Bucket=self._options.name, Key=key, Body=data, ContentType=kind, **extra
            )
        except aws.FAILURES as error:
            self._hang_up()
            raise aws.translated(error) from error
        if not answer.get("ETag"):
            self._hang_up()
            raise aws.no_answer()

    def _get(self, key: str) -> bytes:
        """Return an object's bytes; none where there is no such object."""
        try:
            return bytes(self._connected().get_object(Bucket=self._options.name, Key=key)["Body"].read())
        except aws.FAILURES as error:
            if aws.is_missing(error):
                return b""
            self._hang_up()
            raise aws.translated(error) from error

    def _connected(self) -> Any:
        if self._client is None:
            self._client = aws.client("s3", self._options.aws, self._timeout_s)
        return self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
