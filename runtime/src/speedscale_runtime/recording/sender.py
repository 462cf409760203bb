"""Bring batches to the forwarder, one at a time, each until it is acknowledged.

Runs as one task of the worker. A batch keeps its bytes and its sequence number over all attempts, so that the
forwarder recognises what it already has: {sender, epoch, sequence} names it. One batch is under way at any time,
so acknowledgements come in order. Waiting is bounded by `RETRY_MAX_S`; traffic is never told to wait.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Protocol

import structlog

from speedscale_runtime.delivery.pauses import retry_after
from speedscale_schemas import frames

from .causes import Drop, Send
from .forwarder_client import Answer, CredentialsMissing
from .ledger import SENT, SLOTS, Ledger
from .outbox import Batch, Outbox

RETRY_MIN_S = 0.1
RETRY_MAX_S = 30.0
UNAUTHORIZED_S = 5.0
CREDENTIALS_S = 1.0  # a look at a file costs nobody anything
_RETRIES = SLOTS["batch_retries"]

log = structlog.get_logger()


class Client(Protocol):
    """What the sender needs of `forwarder_client.ForwarderClient`."""

    async def post(self, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        """Send and return the answer; OSError or TimeoutError."""
        ...


class Sender:
    """The one sender of a worker."""

    def __init__(
        self,
        outbox: Outbox,
        client: Client,
        ledger: Ledger,
        *,
        sender_id: str,
        epoch: int,
        linger_s: float,
        compression: str,
        token: Callable[[], str],
    ) -> None:
        """`epoch` grows from one process to the next; `token()` returns the bearer token now, "" for none.

        It raises CredentialsMissing while there should be one and is none.
        """
        self._outbox = outbox
        self._client = client
        self._cells = ledger.cells
        self._sender_id = sender_id
        self._epoch = epoch
        self._linger_s = linger_s
        self._compression = compression
        self._token = token
        self._sequence = 0
        self._data = asyncio.Event()
        self._full = asyncio.Event()
        self._closing = asyncio.Event()
        self._last_failure: str = ""
        self.under_way: Batch | None = None
        outbox.on_data = self._on_data

    def _on_data(self) -> None:
        self._data.set()
        if self._outbox.batch_ready:
            self._full.set()

    async def run(self) -> None:
        """Send until `finish` was called and nothing is left."""
        while True:
            if self._outbox.empty:
                if self._closing.is_set():
                    return
                self._data.clear()
                await self._either(self._data, None)
                continue
            if not self._outbox.batch_ready and not self._closing.is_set():
                self._full.clear()
                await self._either(self._full, self._linger_s)
            batch = await self._outbox.take()
            if batch is None:
                continue  # the spill had nothing readable left
            self.under_way = batch
            cause = await self._deliver(batch)
            self.under_way = None
            self._outbox.settle(batch, cause)

    def finish(self) -> None:
        """Send what is there without lingering, then end `run`."""
        self._closing.set()
        self._data.set()
        self._full.set()

    def abandon(self, cause: Drop) -> int:
        """Count what was not sent (after `run` was cancelled) and return how many pairs that were."""
        count = 0
        if self.under_way is not None:
            count = self.under_way.pairs
            self._outbox.settle(self.under_way, cause)
            self.under_way = None
        return count + self._outbox.abandon(cause)

    async def _deliver(self, batch: Batch) -> Drop | None:
        """Return None when acknowledged, else why the batch is given up."""
        self._sequence += 1
        headers, body = await self._prepare(batch)
        failures = 0
        while True:
            outcome, retry_s, why = await self._attempt(headers, body)
            self._cells[SENT[outcome]] += 1
            self._report(outcome, why)
            if outcome is Send.ACKNOWLEDGED:
                return None
            if outcome is Send.REJECTED:
                return Drop.FORWARDER_REJECTED
            failures += 1
            self._cells[_RETRIES] += 1
            wait_s = retry_s if retry_s is not None else RETRY_MIN_S * 2 ** min(failures - 1, 10)
            await asyncio.sleep(min(max(wait_s, RETRY_MIN_S), RETRY_MAX_S))

    async def _attempt(self, headers: list[tuple[str, str]], body: bytes) -> tuple[Send, float | None, str]:
        try:
            token = self._token()
            sent = [*headers, ("Authorization", f"Bearer {token}")] if token else headers
            answer = await self._client.post(frames.BATCH_PATH, sent, body)
        except CredentialsMissing as error:
            return Send.NO_CREDENTIALS, CREDENTIALS_S, str(error)
        except (OSError, TimeoutError) as error:
            return Send.FAILED, None, type(error).__name__
        return self._judge(answer)

    def _judge(self, answer: Answer) -> tuple[Send, float | None, str]:
        """Turn an answer into what to do: outcome, seconds to wait (None: back off), reason for people."""
        status = answer.status
        if status == 200:
            if _field(answer.body, "sequence") == self._sequence:
                return Send.ACKNOWLEDGED, None, ""
            return Send.FAILED, None, "acknowledged another sequence"
        why = f"{status} {str(_field(answer.body, 'reason') or '')[:200]}".strip()
        if status in (429, 503):
            return Send.SLOWED_DOWN, retry_after(answer.headers.get("retry-after")) or None, why
        if status in (401, 403):
            return Send.UNAUTHORIZED, UNAUTHORIZED_S, why
        if status in (400, 413, 415, 422):
            return Send.REJECTED, None, why
        return Send.FAILED, None, why

    async def _prepare(self, batch: Batch) -> tuple[list[tuple[str, str]], bytes]:
        headers = [
            ("Content-Type", frames.BATCH_CONTENT_TYPE),
            (frames.H_VERSION, frames.BATCH_VERSION),
            (frames.H_SENDER, self._sender_id),
            (frames.H_EPOCH, str(self._epoch)),
            (frames.H_SEQUENCE, str(self._sequence)),
        ]
        if self._compression != "zstd":
            return headers, batch.body
        body = await asyncio.get_running_loop().run_in_executor(None, _compress, batch.body)
        return [*headers, ("Content-Encoding", "zstd")], body

    def _report(self, outcome: Send, why: str) -> None:
        """Log when things turn bad or good, not at each attempt."""
        now = "" if outcome is Send.ACKNOWLEDGED else f"{outcome} {why}"
        if outcome is Send.REJECTED:
            log.error("batch_rejected", reason=why)
        elif now and now != self._last_failure:
            log.warning("forwarder_unavailable", outcome=outcome.value, reason=why)
        elif not now and self._last_failure:
            log.info("forwarder_available")
        self._last_failure = now

    async def _either(self, event: asyncio.Event, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass


def _compress(body: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress(body)


def _field(body: bytes, name: str) -> object:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document.get(name) if isinstance(document, dict) else None
