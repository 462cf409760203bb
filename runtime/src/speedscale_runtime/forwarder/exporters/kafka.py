"""The exporter `kafka`: one message a pair, a line of JSON, acknowledged by all replicas in sync.

Key: the session, else the uuid, so that a session stays in order in one partition. Header `uuid`: what doubles are told
by after a restart; within a process the producer is idempotent. A quota is kept: as long as the broker asks, we wait.
Kafka knows no HTTP proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
    UnknownError,
)

from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Kafka
from speedscale_schemas.errors import TransientError

from . import jsonlines, trust
from .base import Item
from .batched import Batched, Encoded, Outcome, Unacceptable
from .kafka_answers import INVALID_RECORD, Answers

_ENVELOPE_BYTES = 2048  # key, headers and the batch around a message
_HOPELESS = (MessageSizeTooLargeError, RecordTooLargeError, RecordListTooLargeError, InvalidTimestampError)
_SHORT_S = 1.0  # a longer wait is the runner's, who says what for
logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it says in prose, `lastError` says in a word
logging.getLogger("aiokafka").propagate = False


class Message(NamedTuple):
    """What a pair becomes."""

    key: bytes
    value: bytes
    uuid: bytes


class KafkaExporter(Batched[Message]):
    """Produces to the topic that the options name."""

    max_records = 500
    max_bytes = 1024 * 1024

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert isinstance(spec.options, Kafka)
        super().__init__()
        self._options, self._limit, self._timeout_s = spec.options, spec.max_record_bytes, spec.timeout_s
        self._producer: Any = None
        self._answers = Answers()

    def encode(self, item: Item) -> Encoded[Message] | None:
        """Return the pair as a message."""
        fitted = jsonlines.encode(item.pair, self._limit)
        if fitted is None:
            return None
        uuid = _bytes(item.pair.doc.get("uuid"))
        message = Message(_bytes(item.pair.doc.get("session")) or uuid, fitted.data, uuid)
        return Encoded(message, fitted.size + len(message.key) + len(uuid), fitted.cut)

    async def post(self, group: Sequence[Encoded[Message]]) -> Outcome[Message]:
        """Produce a group and wait until all of it is acknowledged; what is not is wanted again."""
        await self._keep_quiet()
        self._answers.begin()
        futures: list[asyncio.Future[Any]] = []
        problem: BaseException | None = None
        try:
            async with asyncio.timeout(self._timeout_s * 2):
                producer = await self._started()
                for encoded in group:
                    future = await self._send(producer, encoded.data)
                    future.add_done_callback(_looked_at)
                    futures.append(future)  # what was sent counts, also where a later one cannot be
                await asyncio.wait(futures)
        except (KafkaError, TimeoutError, OSError) as error:
            problem = error
        failed = [(e, error) for e, error in zip(group, _errors(futures, len(group), problem), strict=True) if error]
        if not failed:
            return Outcome()
        await self.close()  # a producer that lost a message has lost its sequence as well
        if all(self._is_hopeless(error) for _, error in failed) and len(failed) == len(group):
            raise Unacceptable
        return Outcome(again=[e for e, _ in failed], reason=self._reason(failed[0][1]))

    async def _keep_quiet(self) -> None:
        wait = self._answers.quiet_s()
        if wait > _SHORT_S:
            raise TransientError("Kafka: throttled by a quota", wait)
        await asyncio.sleep(wait)

    def _is_hopeless(self, error: BaseException) -> bool:
        return isinstance(error, _HOPELESS) or (type(error) is UnknownError and self._answers.said(INVALID_RECORD))

    def _reason(self, error: BaseException) -> str:
        """Return the broker's word where it said one: what the library raises is often that it took too long."""
        return f"Kafka: {self._answers.last_error() or type(error).__name__}"

    async def close(self) -> None:
        """Close the connections; what was produced and not acknowledged is not waited for."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if producer._sender.sender_task is not None:  # it would be waited for, and it tries again for ever
            producer._sender.sender_task.cancel()
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(self._timeout_s):
                await producer.stop()

    async def _started(self) -> Any:
        if self._producer is None:
            producer = self._make()
            self._producer = producer  # so that one that does not start is closed
            self._answers.listen(producer.client)
            await producer.start()
        return self._producer

    async def _send(self, producer: Any, message: Message) -> Any:
        return await producer.send(
            self._options.topic, value=message.value, key=message.key, headers=[("uuid", message.uuid)]
        )

    def _make(self) -> Any:
        o = self._options
        protocol = ("SASL_" if o.sasl_mechanism else "") + ("SSL" if o.use_tls else "PLAINTEXT")
        login = {}
        if o.sasl_mechanism:
            login = {
                "sasl_mechanism": o.sasl_mechanism,
                "sasl_plain_username": _secret(o.sasl_path, "username"),
                "sasl_plain_password": _secret(o.sasl_path, "password"),
            }
        return AIOKafkaProducer(
            bootstrap_servers=list(o.brokers),
            client_id="speedscale-forwarder",
            acks="all",
            enable_idempotence=True,
            compression_type=None if o.compression == "none" else o.compression,
            max_batch_size=256 * 1024,
            max_request_size=self._limit + _ENVELOPE_BYTES,
            request_timeout_ms=int(self._timeout_s * 1000),
            security_protocol=protocol,
            ssl_context=trust.context(o.tls) if o.use_tls else None,
            **login,
        )


def _looked_at(future: asyncio.Future[Any]) -> None:
    """Take notice of an error, so that nobody else tells of one that comes after the producer was given up."""
    if not future.cancelled():
        future.exception()


def _errors(
    futures: Sequence[asyncio.Future[Any]], count: int, problem: BaseException | None
) -> list[BaseException | None]:
    """Return for each of `count` messages what befell it, None where it was acknowledged."""
    missing = problem or TimeoutError()
    found = [f.exception() if f.done() and not f.cancelled() else missing for f in futures]
    return found + [missing] * (count - len(found))


def _bytes(value: object) -> bytes:
    return str(value or "").encode("utf-8", "replace")


def _secret(folder: str, name: str) -> str:
    try:
        return (Path(folder) / name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TransientError(f"sasl_path: {name}: {type(error).__name__}", 0.0) from error
