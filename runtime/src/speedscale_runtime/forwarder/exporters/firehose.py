"""The exporter `firehose`: Amazon Data Firehose, one record a pair: a line of JSON.

Source: Firehose API reference, PutRecordBatch: at most 500 records and 4 MiB a call, 1,000 KiB a record; a call that
succeeds may have refused some records (FailedPutCount), which are sent again, alone. A batch is counted as it
travels, in base64, so that it is within the limit however that is meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Firehose

from . import aws, jsonlines
from .base import Item
from .batched import Batched, Encoded, Outcome

_RECORD_FIELDS_BYTES = 16  # {"Data":""} and a comma


class FirehoseExporter(Batched[bytes]):
    """Puts into the delivery stream that the options name."""

    max_records = 500
    max_bytes = 4 * 1024 * 1024 - 4096

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert isinstance(spec.options, Firehose)
        super().__init__()
        self._options, self._limit, self._timeout_s = spec.options, spec.max_record_bytes, spec.timeout_s
        self._thread = ThreadPoolExecutor(1, f"export-{spec.name}")
        self._client: Any = None

    def encode(self, item: Item) -> Encoded[bytes] | None:
        """Return the pair as a line of JSON."""
        fitted = jsonlines.encode(item.pair, self._limit, b"\n")
        if fitted is None:
            return None
        return Encoded(fitted.data, (fitted.size + 2) // 3 * 4 + _RECORD_FIELDS_BYTES, fitted.cut)

    async def post(self, group: Sequence[Encoded[bytes]]) -> Outcome[bytes]:
        """Put one batch; the records that Firehose did not take are wanted again."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._put, group)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._hang_up)
        self._thread.shutdown()

    def _put(self, group: Sequence[Encoded[bytes]]) -> Outcome[bytes]:
        if self._client is None:
            self._client = aws.client("firehose", self._options.aws, self._timeout_s)
        try:
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._options.stream, Records=[{"Data": encoded.data} for encoded in group]
            )
        except aws.FAILURES as error:
            self._hang_up()
            raise aws.translated(error) from error
        results = answer.get("RequestResponses") or ()
        if len(results) != len(group):  # what arrived cannot be told: all again, duplicates have a uuid
            self._hang_up()
            raise aws.no_answer()
        failed = [(e, r["ErrorCode"]) for e, r in zip(group, results, strict=True) if r.get("ErrorCode")]
        return Outcome(again=[e for e, _ in failed], reason=f"AWS: {failed[0][1]}"[:100]) if failed else Outcome()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
