"""Carrying commands out: judged, in a thread of a bounded pool, bounded in time, ended early when nobody wants them.

Called by `conversation`, one task a command. Invariants: each command gets exactly one end or error; every one is
audited and counted; a thread that outlives its command (the cluster does not answer) keeps its slot until it ends, so
there are never more threads than slots.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import structlog

from speedscale_kube import Client
from speedscale_schemas import inspector as contract
from speedscale_schemas.inspector import SLOW_READER_S, Reason, Refusal

from . import gate, refusals
from .audit import Audit
from .call import Call, Full
from .commands import TABLE
from .config import Settings
from .metrics import Metrics
from .outlet import Closed, Outlet
from .redaction import Redaction

Send = Callable[[dict[str, Any]], Awaitable[None]]
_log = structlog.get_logger("speedscale_inspector")
_ENDED: Final[Mapping[Reason, str]] = {
    Reason.TIMEOUT: "its time is over",
    Reason.CANCELED: "it was canceled",
    Reason.SLOW_READER: "its reader was too slow",
    Reason.STOPPING: "the inspector is being stopped; ask again in a moment",
    Reason.DISCONNECTED: "the connection to the backend ended",
}


@dataclass
class Running:
    """A command under way, as the conversation knows it. `reason` is set when it is ended early."""

    message: Mapping[str, Any]
    call: Call | None = None
    reason: Reason | None = None

    def acked(self, sequence: int) -> None:
        """The reader took items up to this one."""
        if self.call is not None:
            self.call.outlet.acked(sequence)

    def end(self, reason: Reason) -> None:
        """End it early; the first reason counts."""
        if self.reason is None:
            self.reason = reason
        if self.call is not None:
            self.call.stop.set()
            self.call.outlet.close()

    def refusal(self) -> Refusal | None:
        """Return what is told where it was ended early."""
        if self.reason is None:
            return None
        told = _ENDED.get(self.reason, self.reason.value)
        if self.call is not None and contract.COMMANDS[self.call.name].changes:
            told += "; what was asked for may have been done all the same: look before you repeat it"
        return Refusal(self.reason, told)


class Runner:
    """Runs commands of one inspector; `slow_s` is how long a stream waits for its reader."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        audit: Audit,
        metrics: Metrics,
        redaction: Redaction,
        *,
        slow_s: float = SLOW_READER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._client, self._audit, self._metrics = settings, client, audit, metrics
        self._redaction, self._slow_s, self._clock = redaction, slow_s, clock
        self._pool = ThreadPoolExecutor(settings.max_commands, thread_name_prefix="command")
        self._slots = settings.max_commands

    def close(self) -> None:
        """Let threads end by themselves; those that wait for the cluster do within its patience."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, running: Running, send: Send) -> None:
        """Carry a `run` message out and send what comes of it; errors of `send` are the caller's."""
        began, id_ = self._clock(), str(running.message["id"])
        self._metrics.running.inc()
        sequence = 0
        refusal: Refusal | None = None
        result: dict[str, Any] = {}
        try:
            call = running.call = self._call(running.message)
            work = self._start(running, call)
            while (item := await call.outlet.take()) is not None:
                await send({"kind": "item", "id": id_, "sequence": sequence, "item": item})
                sequence += 1
            refusal = running.refusal()
            if refusal is None:  # else its thread ends when it can
                result = await work
        except Refusal as found:
            refusal = found
        finally:
            self._metrics.running.dec()
            self._note(running, refusal or running.refusal(), sequence, self._clock() - began)
        if refusal is None:
            await send({"kind": "end", "id": id_, "sequence": sequence, "result": result})
        else:
            told = {"reason": refusal.reason.value, "message": refusal.message[:4096]}
            more = {"missing": refusal.missing} if refusal.missing else {}
            await send({"kind": "error", "id": id_, "sequence": sequence, **told, **more})

    def _call(self, message: Mapping[str, Any]) -> Call:
        """Return what is to be carried out; Refusal where it must not be."""
        name, actor = str(message["command"]), message["actor"]
        contract.command(name)
        arguments = contract.arguments(name, message.get("arguments", {}))
        gate.check(self._settings, actor.get("labels", {}), arguments)
        if self._slots <= 0:
            told = f"{self._settings.max_commands} commands are in progress (INSPECTOR_MAX_COMMANDS); ask again later"
            raise Refusal(Reason.BUSY, told)
        return Call(
            name=name,
            arguments=arguments,
            actor=str(actor["name"]),
            client=self._client,
            settings=self._settings,
            redaction=self._redaction,
            outlet=Outlet(asyncio.get_running_loop(), message.get("window"), slow_s=self._slow_s),
        )

    def _start(self, running: Running, call: Call) -> asyncio.Future[dict[str, Any]]:
        loop, known = asyncio.get_running_loop(), contract.COMMANDS[call.name]
        limit = min(float(running.message.get("timeoutS", known.timeout_s)), known.most_s)
        timer = loop.call_later(limit, running.end, Reason.TIMEOUT)
        self._slots -= 1
        work = loop.run_in_executor(self._pool, _work, call)

        def ended(done: asyncio.Future[dict[str, Any]]) -> None:
            self._slots += 1
            timer.cancel()
            if not done.cancelled():
                done.exception()  # nobody may be waiting for it any more
            if running.reason is not None and call.changed:
                self._audit.late(call.actor, call.name, call.changed)

        work.add_done_callback(ended)
        return work

    def _note(self, running: Running, refusal: Refusal | None, items: int, seconds: float) -> None:
        name, call = str(running.message["command"]), running.call
        changed = () if call is None or running.reason is not None else call.changed
        self._metrics.ended(name, refusal.reason if refusal else None, seconds, items)
        self._audit.record(
            actor=str(running.message["actor"]["name"]),
            command=name,
            arguments=running.message.get("arguments", {}),
            refusal=refusal,
            changed=changed,
            items=items,
            seconds=seconds,
        )


def _work(call: Call) -> dict[str, Any]:
    """Carry a command out, in a thread; whatever happens is the result or a Refusal."""
    try:
        result: dict[str, Any] = {}
        with contextlib.suppress(Full):
            result = TABLE[call.name](call)
        call.refuse_if_blind()
        return {**result, "items": call.items, "notes": call.notes, "missing": call.lacking}
    except Closed:
        raise Refusal(Reason.CANCELED, _ENDED[Reason.CANCELED]) from None
    except Exception as error:
        found = refusals.refusal(error)
        if found is None:
            _log.exception("command_failed", command=call.name)
            raise Refusal(Reason.INTERNAL, "a fault of the inspector; its log says more") from error
        raise found from None
    finally:
        call.outlet.finish()
