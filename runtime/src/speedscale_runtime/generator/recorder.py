"""What happens when a request ended: it is counted, learned from, and written as a pair line.

In low-data mode without learning it is only counted: that is the hot path of a load run.
"""

from __future__ import annotations

from typing import IO, Any

import orjson

from speedscale_runtime.rrpair import RRPair

from .causes import Cause
from .client import CountingConnection, RecordingConnection
from .measure import Stats
from .plan import Plan, Test
from .redaction import Redaction
from .replayed import pair_of
from .runner import Runner


class Recorder:
    """The engine's sink. `begin` is the run's start on the engine's clock, `epoch` the same in epoch seconds."""

    def __init__(
        self, plan: Plan, stats: Stats, out: IO[bytes] | None, redaction: Redaction, *, run_id: str, begin: float,
        epoch: float,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._stats = stats
        self._out = out
        self._redaction = redaction
        self._run_id = run_id
        self._begin = begin
        self._epoch = epoch
        self._recorded: dict[int, orjson.Fragment] = {}
        self._tags = {"testReportId": run_id}

    def ended(self, runner: Runner, connection: CountingConnection | None, end: float, cause: Cause | None) -> None:
        """Count, learn, write."""
        test = runner.test
        stats = self._stats
        if cause is None and connection is not None and runner.sent is not None:
            stats.answered(
                test.endpoint,
                end,
                int((end - runner.due) * 1e6),
                int((end - runner.sent) * 1e6),
                connection.status,
                connection.status == test.recorded_status,
                test.recorded_us,
                len(runner.wire),
                connection.received,
            )
        else:
            stats.failed(test.endpoint, end, cause or Cause.PROTOCOL, test.recorded_us)
        run = runner.vuser.run
        learns = run is not None and run.wants_response(test.pair, test.index)
        if self._out is None and not learns:
            return
        live: RRPair | None = None
        if cause is None and isinstance(connection, RecordingConnection) and runner.sent is not None:
            live = self._pair(runner, connection, end, runner.sent)
            if run is not None and learns:
                live = run.response(test.pair, live, test.index)
        if self._out is not None:
            self._write(runner, live, end, cause)

    def _pair(self, runner: Runner, connection: RecordingConnection, end: float, sent: float) -> RRPair:
        test = runner.test
        key = f"{self._run_id}/{runner.vuser.number}/{runner.vuser.iteration}/{test.index}"
        return pair_of(
            test,
            runner.request,
            connection,
            at=self._epoch + sent - self._begin,
            duration_ms=round((end - sent) * 1000),
            key=key,
            tags=self._tags,
        )

    def _write(self, runner: Runner, live: RRPair | None, end: float, cause: Cause | None) -> None:
        test, sent, begin = runner.test, runner.sent, self._begin
        replayed = None if live is None else self._redaction.apply(test.pair, live).to_doc()
        line: dict[str, Any] = {
            "type": "pair",
            "index": test.index,
            "iteration": runner.vuser.iteration,
            "vuser": runner.vuser.number,
            "session": test.session,
            "endpoint": self._plan.endpoints[test.endpoint].name,
            "recorded": self._fragment(test),
            "replayed": replayed,
            "scheduledMs": _ms(runner.due - begin),
            "sentMs": None if sent is None else _ms(sent - begin),
            "latencyMs": None if replayed is None else _ms(end - runner.due),
            "serviceTimeMs": None if replayed is None or sent is None else _ms(end - sent),
            "error": None if cause is None else cause.value,
        }
        if self._out is not None:
            self._out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _fragment(self, test: Test) -> orjson.Fragment:
        known = self._recorded.get(test.index)
        if known is None:
            known = self._recorded[test.index] = orjson.Fragment(orjson.dumps(test.pair.to_doc()))
        return known


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)
