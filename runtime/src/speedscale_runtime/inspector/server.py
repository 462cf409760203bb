"""The inspector as a process: one connection to the backend, made again whenever it ends; metrics and health.

Owner of sockets, threads and the client of the cluster. It is ready from its start, whether or not the backend is
there: nothing calls the inspector, a restart would cure nothing, and a deployment tool that waits for readiness would
wait for somebody else's server. How the link stands is in `speedscale_inspector_backend_state`, `/status` and the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import orjson
import structlog
from prometheus_client import CollectorRegistry

from speedscale_kube import Client, Recorder, Stop
from speedscale_runtime.cloud import CloudClient, Target
from speedscale_runtime.telemetry import statusfile
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError
from speedscale_schemas.inspector import Reason

from . import config
from .audit import Audit
from .call import MANAGER
from .config import Settings
from .conversation import Conversation, hello
from .metrics import Link, Metrics
from .redaction import Redaction
from .running import Runner

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
IDLE_S: Final = 10.0
"""How often settings that may come late are looked at again."""
STEADY_S: Final = 60.0
"""A connection that held so long was a good one: the next try comes at once."""
_log = structlog.get_logger("speedscale_inspector")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the link stands and why."""

    link: Link
    why: str = ""


class BackOff:
    """Pauses between tries: doubling to `LONGEST_S`, each anywhere between none and the whole of it."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._next = FIRST_S

    def pause(self, at_least: float = 0.0) -> float:
        """Return seconds to wait before the next try."""
        seconds, self._next = self._next * self._draw(), min(self._next * 2, LONGEST_S)
        return max(seconds, at_least)

    def reset(self) -> None:
        """The last connection was a good one."""
        self._next = FIRST_S


class Inspector:
    """One inspector; `client` is that of the cluster, closed by who made it."""

    def __init__(self, settings: Settings, client: Client, back_off: BackOff | None = None) -> None:
        self._settings, self._client = settings, client
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self._redaction = Redaction(settings.dlp_config)
        self._redaction.check()
        self._events_stop = Stop()
        self._recorder = Recorder(
            client,
            MANAGER,
            instance=settings.pod_name,
            observe=lambda fate: self.metrics.events.labels(fate.value).inc(),
        )
        self._runner = Runner(settings, client, Audit(self._recorder), self.metrics, self._redaction)
        self._back_off = back_off or BackOff()
        self._stopping = asyncio.Event()
        self._conversation: Conversation | None = None
        self.standing = Standing(Link.CONNECTING)
        self.metrics_port = 0

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(name, self.stop)
        endpoints = Endpoints(
            self.registry,
            lambda: "",
            host=self._settings.metrics_host,
            port=self._settings.metrics_port,
            json_routes={"/status": self._status},
        )
        self.metrics_port = endpoints.start()
        events = self._recorder.start(self._events_stop)
        self._redaction.begin()
        try:
            if self._settings.status_file:
                statusfile.write(self._settings.status_file, {"pid": os.getpid(), "metricsPort": self.metrics_port})
            await self._stay_connected()
        finally:
            self._runner.close()
            self._events_stop.set()
            await asyncio.to_thread(events.join, 10.0)
            endpoints.stop()

    def stop(self) -> None:
        """End: commands in progress are told, then the connection is closed."""
        self._stopping.set()

    def _status(self) -> bytes:
        told = {"cluster": self._settings.cluster, "backend": self.standing.link.value, "why": self.standing.why}
        return orjson.dumps(told)

    async def _stay_connected(self) -> None:
        while not self._stopping.is_set():
            try:
                target = config.backend(self._settings)
            except ConfigError as error:
                self._stand(Link.MISCONFIGURED, "; ".join(error.problems))
                await self._wait(IDLE_S)
                continue
            if target is None:
                self._stand(Link.NO_BACKEND, "SPEEDSCALE_APP_URL is neither set nor in the Secret: nobody can ask")
                await self._wait(IDLE_S)
                continue
            await self._wait(await self._connect(target))

    async def _connect(self, target: Target) -> float:
        """Hold one connection; return how long to wait before the next try."""
        began = time.monotonic()
        at_least = 0.0
        try:
            await self._held(target)
            self._stand(Link.CONNECTING, "the backend closed the connection")
        except TransientError as error:
            at_least = error.retry_after_s
            self._stand(Link.UNREACHABLE, str(error))
        except PermanentError as error:
            self._stand(Link.REFUSED, f"{error}; is the key that of this backend, and of a scope for inspectors?")
        except PeerError as error:
            self._stand(Link.UNTRUSTED, str(error))
        if time.monotonic() - began >= STEADY_S:
            self._back_off.reset()
        return self._back_off.pause(at_least)

    async def _held(self, target: Target) -> None:
        self._client.forget_kinds()  # definitions may have come since
        async with CloudClient(target, MANAGER) as backend, backend.channel(self._settings.cluster) as channel:
            self._stand(Link.CONNECTED, target.url)
            conversation = Conversation(channel, self._runner, self.metrics)
            talking = asyncio.ensure_future(conversation.hold(hello(self._settings, _version())))
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait({talking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not talking.done():
                    await conversation.end(Reason.STOPPING)
                    await channel.close()
                await talking
            finally:
                stopping.cancel()
                talking.cancel()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _stand(self, link: Link, why: str) -> None:
        self.metrics.linked(link)
        self.metrics.connections.labels(link).inc()
        now = Standing(link, why)
        if now != self.standing:
            (_log.info if link is Link.CONNECTED else _log.warning)("backend_link", state=link.value, why=why)
        self.standing = now


def _version() -> str:
    try:
        return version("speedscale-runtime")
    except PackageNotFoundError:
        return "unknown"
