"""One run: read snapshot and config, fork the processes that send, merge what they measured into the results file.

The only owner of files. Called by `__main__` and, as a child process, by `speedctl replay`.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import resource
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry

from speedscale_runtime import filters, snapshot
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.snapshot.traffic import key_of
from speedscale_runtime.telemetry import statusfile
from speedscale_runtime.telemetry.endpoints import Endpoints as MetricsEndpoints
from speedscale_runtime.transforms import Sources, TransformSet, compile_set
from speedscale_schemas import snapshot_keys
from speedscale_schemas.errors import ConfigError

from . import readiness, testconfig, worker
from .config import Settings
from .endpoints import Endpoints
from .measure import endpoint_lines, interval_lines
from .metrics import Metrics
from .plan import build
from .summing import end_line, run_line
from .targets import parse_overrides
from .testconfig import TestConfig

_log = structlog.get_logger()
_POLL_S = 0.1
_PROGRESS_S = 0.5
_LEAD_S = 0.05


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended; the `end` line of the results."""

    id: str
    results: Path
    requests: int
    errors: int
    ok: bool
    why: str
    cancelled: bool


def run(settings: Settings) -> Summary:
    """Run once and write the results file; ConfigError, before anything is sent, when something is wrong with it."""
    config = _config(settings)
    run_id = settings.report_id or str(uuid.uuid4())
    path, source = _snapshot(settings)
    transforms = _transforms(config, source)
    plan = build(
        _tests(settings, source),
        parse_overrides(settings.custom_urls),
        endpoints=Endpoints(config.document.get("endpoint_regexes", ())),
        rewrite_host=_rewrite(settings, config),
        smart_replace=config.smart_replace,
        mark=settings.mark(config),
    )
    if not plan.sessions:
        why = "; ".join(f"{s['pairs']} x {s['reason']}" for s in plan.skipped) or "it has no test (direction IN)"
        raise ConfigError([f"{path}: nothing to replay: {why}"])
    if settings.readiness_url:
        readiness.wait(settings.readiness_url, settings.readiness_timeout_s)
    low_data = config.low_data if settings.low_data is None else settings.low_data
    processes = _processes(settings, config, low_data=low_data)
    settings.results_file.parent.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter() + _LEAD_S
    share = worker.Share(
        plan=plan,
        config=config,
        settings=settings,
        transforms=transforms,
        sources=Sources(_roots(path, settings), os.environ),
        run_id=run_id,
        low_data=low_data,
        rewrite_host=_rewrite(settings, config),
        by_session=bool(config.document.get("generator", {}).get("bySession", False)),
        seed=config.seed if settings.seed is None else settings.seed,
        begin=begin,
        epoch=time.time() + _LEAD_S,
        process=0,
        processes=processes,
        part=settings.results_file,
    )
    head = run_line(share, source.id, str(source.manifest.get("meta", {}).get("name", "")))
    _log.info("generator.start", run=run_id, tests=plan.tests, targets=plan.targets, processes=processes)
    summary = _Parent(share).run(head)
    _log.info("generator.end", run=run_id, requests=summary.requests, errors=summary.errors, ok=summary.ok)
    return summary


class _Parent:
    """Forks, watches and merges."""

    def __init__(self, share: worker.Share) -> None:
        self._share = share
        self._progress = mmap.mmap(-1, worker.PROGRESS.size * share.processes)
        self._children: list[tuple[ForkProcess, Connection, Path]] = []
        self._total = share.plan.tests * sum(s.vusers * s.iterations for s in share.config.stages if s.rate is None)
        registry = CollectorRegistry()
        self._metrics = Metrics(registry)
        self._registry = registry

    def run(self, head: dict[str, Any]) -> Summary:
        """Do the run; the results file appears whole, or not at all."""
        old = {n: signal.signal(n, self._pass_on) for n in (signal.SIGINT, signal.SIGTERM)}
        served: MetricsEndpoints | None = None
        try:
            self._fork()
            settings = self._share.settings
            if settings.metrics_port is not None:
                served = MetricsEndpoints(
                    self._registry, lambda: "", host=settings.metrics_host, port=settings.metrics_port
                )
                served.start()
            parts, lost = self._collect()
            return self._write(head, parts, lost)
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
            if served is not None:
                served.stop()
            for child, _, part in self._children:
                if child.is_alive():
                    child.kill()
                child.join()
                part.unlink(missing_ok=True)

    def _fork(self) -> None:
        context = multiprocessing.get_context("fork")
        results = self._share.settings.results_file
        for number in range(self._share.processes):
            here, there = context.Pipe(duplex=False)
            part = results.with_name(f"{results.name}.part{number}")
            share = replace(self._share, process=number, part=part)
            child = context.Process(target=_child, args=(share, self._progress, there), daemon=False)
            child.start()
            there.close()
            self._children.append((child, here, part))

    def _collect(self) -> tuple[list[dict[str, Any]], int]:
        parts: dict[int, dict[str, Any]] = {}
        lost = 0
        open_ = {number: pipe for number, (_, pipe, _) in enumerate(self._children)}
        written = 0.0
        self._metrics.running.set(1)
        while open_:
            for number, pipe in list(open_.items()):
                try:
                    if pipe.poll(_POLL_S / len(open_)):
                        parts[number] = pipe.recv()
                        del open_[number]
                except EOFError:
                    lost += 1
                    del open_[number]
            if time.monotonic() - written >= _PROGRESS_S or not open_:
                written = time.monotonic()
                self._report_progress()
        self._metrics.running.set(0)
        return [parts[number] for number in sorted(parts)], lost

    def _report_progress(self) -> None:
        counts = [
            worker.PROGRESS.unpack_from(self._progress, i * worker.PROGRESS.size) for i in range(len(self._children))
        ]
        requests, errors, iterations = (sum(c[i] for c in counts) for i in range(3))
        self._metrics.update(requests, errors, iterations)
        path = self._share.settings.progress_file
        if path is not None:
            seconds = max(0.0, time.perf_counter() - self._share.begin)
            state = {"requests": requests, "errors": errors, "iterations": iterations, "seconds": round(seconds, 1)}
            state |= {
                "totalRequests": self._total,
                "totalSeconds": sum(s.duration_s for s in self._share.config.stages),
            }
            statusfile.write(path, state)

    def _pass_on(self, number: int, _: object) -> None:
        for child, _, _ in self._children:
            if child.pid and child.is_alive():
                os.kill(child.pid, signal.SIGTERM)

    def _write(self, head: dict[str, Any], parts: list[dict[str, Any]], lost: int) -> Summary:
        results = self._share.settings.results_file
        end = end_line(self._share, parts, lost)
        temporary = results.with_name(results.name + ".new")
        with temporary.open("wb") as out:
            out.write(orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE))
            for _, _, part in self._children:
                if part.exists():
                    with part.open("rb") as source:
                        shutil.copyfileobj(source, out, 1 << 20)
            for line in [*endpoint_lines(self._share.plan.endpoints, parts), *interval_lines(parts), end]:
                out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        temporary.replace(results)
        return Summary(
            self._share.run_id, results, end["requests"], end["errors"], end["ok"], end["why"], end["cancelled"]
        )


def _child(share: worker.Share, progress: mmap.mmap, pipe: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # until the loop has its own handlers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pipe.send(worker.run(share, progress))
    pipe.close()


def _config(settings: Settings) -> TestConfig:
    if settings.test_config is not None:
        return testconfig.read(settings.test_config, "TEST_CONFIG")
    document = testconfig.load(settings.test_config_id, settings.home)
    return testconfig.read(document, f"test config {settings.test_config_id}")


def _snapshot(settings: Settings) -> tuple[Path, snapshot.Snapshot]:
    stored = settings.snapshot_dir / settings.snapshot
    path = stored if stored.exists() else snapshot.resolve(settings.snapshot, settings.home)
    return path, snapshot.open(path)


def _tests(settings: Settings, source: snapshot.Snapshot) -> Iterator[RRPair]:
    """Yield the tests that TESTS selects, all without it; ConfigError for a selector that names none."""
    if not settings.tests:
        yield from source.tests()
        return
    keys = (key_of(pair) for pair in source.tests())
    known = sorted({str(key) for key in keys if key.host})  # one without a host cannot be sent, nor named
    chosen = set(snapshot_keys.select(known, settings.tests))
    yield from (pair for pair in source.tests() if str(key_of(pair)) in chosen)


def _transforms(config: TestConfig, source: snapshot.Snapshot) -> TransformSet:
    """Return the chains of the snapshot, then those of the config."""
    made = []
    for name, document in (
        ("snapshot", source.manifest.get("tokenizerConfig")),
        (f"test config {config.id}", config.document.get("transforms")),
    ):
        if document:
            made.append(compile_set(document, compile_filter=filters.compile_rule, source=name))
    if not made:
        return TransformSet("")
    chains = tuple(chain for one in made for chain in one.generator)
    return TransformSet(
        id=made[-1].id,
        generator=tuple(sorted(chains, key=lambda chain: chain.signs)),
        generator_variables=tuple(variable for one in made for variable in one.generator_variables),
    )


def _roots(path: Path, settings: Settings) -> list[Path]:
    near = path if path.is_dir() else path.parent
    return [near, near.parent, settings.home]


def _rewrite(settings: Settings, config: TestConfig) -> bool:
    return config.rewrite_host if settings.rewrite_host is None else settings.rewrite_host


def _processes(settings: Settings, config: TestConfig, *, low_data: bool) -> int:
    wanted = settings.processes or config.processes
    vusers = max(stage.vusers for stage in config.stages)
    if not wanted:
        wanted = len(os.sched_getaffinity(0)) if low_data and vusers > 1 else 1
    return max(1, min(wanted, vusers))
