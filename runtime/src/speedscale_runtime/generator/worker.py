"""One process that sends: an event loop, an engine, a part file with its pair lines; its numbers go to the parent.

Forked by `server`, which made the plan. SIGINT and SIGTERM end the run cleanly; what was measured is kept.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import resource
import signal
import ssl
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.tls.roots import client_context
from speedscale_runtime.transforms import Run, Sources, TransformSet

from .client import Dialer
from .config import Settings
from .engine import Engine
from .measure import Stats
from .plan import Plan
from .ports import Handle, Options
from .recorder import Recorder
from .redaction import Redaction
from .testconfig import TestConfig

PROGRESS = struct.Struct("<QQQ")
_CONNECT_TIMEOUT_S = 10.0
_CONNECTIONS = 8192


@dataclass(frozen=True, slots=True)
class Share:
    """What one process does. `begin` is the start on the monotonic clock, `epoch` the same in epoch seconds."""

    plan: Plan
    config: TestConfig
    settings: Settings
    transforms: TransformSet
    sources: Sources
    run_id: str
    low_data: bool
    rewrite_host: bool
    by_session: bool
    seed: int
    begin: float
    epoch: float
    process: int
    processes: int
    part: Path


class LoopTimers:
    """Timers on an event loop with the clock of the measurements (the loop's own counts milliseconds)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now: Callable[[], float] = time.perf_counter

    def at(self, when: float, callback: Callable[..., None], *arguments: Any) -> Handle:
        """Call back at `when`."""
        delay = when - self.now()
        if delay <= 0:
            return self._loop.call_soon(callback, *arguments)
        return self._loop.call_later(delay, callback, *arguments)


def run(share: Share, progress: mmap.mmap) -> dict[str, Any]:
    """Do the share and return its numbers as plain data."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(share, progress))


async def _run(share: Share, progress: mmap.mmap) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    timers = LoopTimers(loop)
    stats = Stats(len(share.plan.endpoints), share.begin)
    redaction = Redaction(share.settings.home, share.plan.dlp_rule, share.settings.dlp_key_path)
    runs = _Runs(share, redaction)
    dialer = Dialer(
        loop,
        timeout_s=min(_CONNECT_TIMEOUT_S, share.config.timeout_s),
        recording=not share.low_data or runs.reads_answers,
        max_bytes=share.settings.max_response_bytes,
        context=_contexts(share.settings),
    )
    finished = asyncio.Event()
    with share.part.open("wb", buffering=1 << 20) as out:
        recorder = Recorder(
            share.plan, stats, None if share.low_data else out, redaction, run_id=share.run_id, begin=share.begin,
            epoch=share.epoch,
        )  # fmt: skip
        engine = Engine(
            share.plan, share.config.stages, _options(share), timers=timers, dialer=dialer, sink=recorder, stats=stats,
            make_run=runs.make, process=share.process, processes=share.processes,
        )  # fmt: skip
        engine.on_finished = finished.set
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, engine.cancel)
        if share.settings.timeout_s is not None:
            timers.at(share.begin + share.settings.timeout_s, engine.cancel)
        gc.collect()
        gc.freeze()  # the plan never dies; a full collection over it would stall every request in flight
        timers.at(share.begin, engine.start)
        await _until(finished, engine, stats, progress, share.process * PROGRESS.size)
        ended = timers.now()
    exported = stats.export()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return exported | {
        "iterations": engine.iterations,
        "dropped": engine.dropped,
        "cancelled": engine.cancelled,
        "duration": max(0.0, ended - share.begin),
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss * 1024,
        "learned": runs.learned(),
        "redaction": redaction.failures,
    }


class _Runs:
    """What changes the requests of each vUser; None for all of them where nothing does."""

    def __init__(self, share: Share, redaction: Redaction) -> None:
        self._share, self._redaction = share, redaction
        self._runs: list[Run] = []
        self._made: dict[object, tuple[float, RRPair]] = {}
        self._learns = share.config.smart_replace and len(share.plan.links) > 0
        self._changes = bool(share.transforms.generator or share.transforms.generator_variables)

    @property
    def reads_answers(self) -> bool:
        """Whether live answers are needed, not only counted."""
        return self._learns or any(c.side == "response" for c in self._share.transforms.generator)

    def make(self, number: int) -> Run | None:
        """Return that of vUser `number`."""
        if not self._learns and not self._changes:
            return None
        share = self._share
        made = Run(
            share.transforms, seed=share.seed, vuser=number, sources=share.sources, links=share.plan.links,
            redact=self._redaction.field, made=self._made,
        )  # fmt: skip
        self._runs.append(made)
        return made

    def learned(self) -> dict[str, int]:
        """Return how many live values were learned, by kind."""
        learned: Counter[str] = Counter()
        for one in self._runs:
            learned.update(one.table.learned)
        return dict(learned)


def _options(share: Share) -> Options:
    vusers = max(stage.vusers for stage in share.config.stages)
    return Options(
        share.rewrite_host, share.config.timeout_s, share.by_session, max(2, min(256, _CONNECTIONS // max(1, vusers))),
        share.settings.mark(share.config),
    )  # fmt: skip


async def _until(finished: asyncio.Event, engine: Engine, stats: Stats, progress: mmap.mmap, at: int) -> None:
    parent = os.getppid()
    while not finished.is_set():
        if os.getppid() != parent:
            engine.cancel()  # nobody is left to read what is measured, or to stop this load
        try:
            await asyncio.wait_for(finished.wait(), 0.1)
        except TimeoutError:
            engine.expire()
        PROGRESS.pack_into(progress, at, stats.requests, stats.errors, engine.iterations)


def _contexts(settings: Settings) -> Callable[[], ssl.SSLContext]:
    made: list[ssl.SSLContext] = []

    def context() -> ssl.SSLContext:
        if not made:
            one = client_context(extra=Path(settings.tls_ca_file) if settings.tls_ca_file else None)
            if settings.tls_skip_verify:
                one.check_hostname = False
                one.verify_mode = ssl.CERT_NONE
            made.append(one)
        return made[0]

    return context
