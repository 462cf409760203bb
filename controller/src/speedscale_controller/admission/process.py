"""The admission process: watches, certificate, server, and what it tells the supervisor. Started by the manager.

Order of a start: settings, watches, the certificate (made by the leading controller, perhaps of another pod; until it
is there nothing listens), then the server. Order of an end (SIGTERM): connections are closed after their answers, for
`shutdown_grace_s` new ones are still taken, because API servers learn late that this pod is no endpoint any more; idle
ones are closed on the way; then what is in progress is finished.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import http.client
import random
import signal
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
import uvloop
from prometheus_client import generate_latest

from speedscale_controller.reconciling.live import BUNDLE, SETTINGS, LiveBundle, LiveSettings
from speedscale_controller.reconciling.watches import Watches
from speedscale_controller.telemetry import Metrics, configure
from speedscale_controller.telemetry.health import Page
from speedscale_controller.telemetry.health import Server as Health
from speedscale_controller.telemetry.labels import Process
from speedscale_controller.telemetry.merging import CONTENT_TYPE
from speedscale_controller.telemetry.status import Check, Status
from speedscale_kube import Client, load
from speedscale_kube.stop import Stop
from speedscale_schemas.errors import ConfigError

from .certificate import Pair, Serving, believed, utc_now
from .facts import SECRET, Known, start_observing, trust
from .keys import SNAPSHOTS, SnapshotKeys
from .server import Server, Sources

DRAIN_S = 5.0
PROBE_S = 1.5
_log = structlog.get_logger("speedscale_controller")


class Admission:
    """One admission process. `socket_path` is where the supervisor asks; `sleep` waits out the grace."""

    def __init__(
        self,
        environ: Mapping[str, str],
        client: Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """ConfigError for settings that make no sense."""
        self._client, self._clock, self._sleep = client, clock, sleep
        self.metrics = Metrics()
        self._settings = LiveSettings(environ, self.metrics)
        self._settings.read(client)
        self._watches = Watches(client, self._settings.current, self.metrics, clock=clock)
        self._settings.follow(self._watches.add(SETTINGS))
        self._bundle = LiveBundle(self._watches.add(BUNDLE), self.metrics)
        self._known = Known(self._watches, self._settings, self._bundle)
        self._keys = SnapshotKeys(self._watches.add(SNAPSHOTS), self._settings.current.namespace)
        self._serving = Serving()
        self._authority = self._believed = b""  # what our own probe trusts; the newest CA alone
        self._refused = ""  # why the newest certificate is not served
        self.server = Server(
            Sources(lambda: self._settings.current, self._known.missing, self._known.facts, self._keys),
            self._serving,
            self.metrics,
            clock=clock,
            sleep=sleep,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._ending = asyncio.Event()

    async def run(self, socket_path: str) -> None:
        """Serve until SIGTERM or SIGINT, then end in good order."""
        self._loop = loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        stop = Stop()
        health = Health(socket_path, {"/status": self._status, "/metrics": self._metrics_page})
        health.start()
        try:
            self._known.certificates.add_handler(lambda key, old, new: self._certificate(new))
            self._watches.start(stop)
            self._bundle.start(stop)
            threading.Thread(target=self._settle, args=(stop,), name="settle", daemon=True).start()
            interval = lambda: self._settings.current.facts_interval_s  # noqa: E731
            start_observing(self._known, self._client, stop, interval, random.random)
            if await self._first_certificate():
                settings = self._settings.current
                await self.server.start(settings.webhook_host, settings.webhook_port)
                await self._ending.wait()
                await self._end(settings.shutdown_grace_s)
        finally:
            stop.set()
            health.stop()

    def end(self) -> None:
        """Begin to end; from the loop's thread."""
        self._ending.set()

    def _settle(self, stop: Stop) -> None:
        """Once everything is read, read the bundle: where there is no ConfigMap of it, nothing else would say so."""
        if self._watches.wait_settled(stop):
            self._bundle.refresh()

    async def _first_certificate(self) -> bool:
        """Wait for a certificate; False when the end comes first."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._arrived, self._ending)]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()
        return not self._ending.is_set()

    async def _end(self, grace_s: float) -> None:
        _log.info("admission_ending", grace_s=grace_s)
        self.server.lame_duck()
        await self._sleep(grace_s / 2)
        self.server.close_idle()
        await self._sleep(grace_s / 2)
        await self.server.close(DRAIN_S)
        _log.info("admission_ended")

    def _certificate(self, pair: Pair | None) -> None:
        """Take a changed Secret (in the reflector's thread) to the thread that makes handshakes."""
        if pair is None:
            _log.warning("certificate_gone", secret=SECRET, kept=self._serving.loaded)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._load, pair)

    def _load(self, pair: Pair) -> None:
        try:
            chain, key, authority = (
                base64.b64decode(text, validate=True) for text in (pair.chain, pair.key, pair.authority)
            )
            self._authority = authority + b"\n" + self._believed  # a probe on its way may meet either certificate
            self._serving.load(chain, key)
        except (ValueError, binascii.Error) as error:
            self._authority = self._believed
            self._refused = f"Secret {SECRET}: {error}"
            self.metrics.certificate_loads.labels("refused").inc()
            _log.warning("certificate_refused", secret=SECRET, error=str(error), kept=self._serving.loaded)
            return
        self._authority, self._believed, self._refused = authority + b"\n" + self._believed, authority, ""
        self.metrics.certificate_loads.labels("good").inc()
        ends = self._serving.not_after
        if ends is not None:
            self.metrics.certificate_expiry.set(ends.timestamp())
            _log.info("certificate_loaded", not_after=ends.isoformat())
        self._arrived.set()

    # What the supervisor asks, in threads of the health server

    def _metrics_page(self) -> Page:
        self._watches.measure()
        return Page(200, CONTENT_TYPE, generate_latest(self.metrics.registry))

    def _status(self) -> Page:
        stuck = self.server.stuck() or ", ".join(f"watch {name} hangs" for name in self._watches.stuck())
        return Status(tuple(self._checks()), tuple(self._notes()), stuck, {"webhook": self.server.port}).page()

    def _checks(self) -> list[Check]:
        if self._ending.is_set():
            return [Check("admission", False, "is ending")]
        certificate = self._certificate_check()
        untrusted = trust(lambda bundle: believed(self._serving.chain, bundle, utc_now()), self._known)
        waiting = self._watches.unsettled()
        problem = "" if self._bundle.current else "; ".join(self._bundle.problems) or "was not read yet"
        answers = self._probe() if certificate.ok else "waits for the certificate"
        return [
            certificate,
            Check("CA bundles", certificate.ok and not untrusted, untrusted),
            Check("facts", not waiting, f"being read: {', '.join(waiting)}" if waiting else ""),
            Check("identity", not self._known.nobody(), self._known.nobody()),
            Check("bundle", not problem, problem),
            Check("admission answers", not answers, answers),
        ]

    def _certificate_check(self) -> Check:
        ends = self._serving.not_after
        if ends is None:
            return Check("certificate", False, self._refused or f"Secret {SECRET} has none yet")
        if ends < utc_now():
            return Check(
                "certificate", False, f"ended at {ends:%F %T} UTC" + f"; {self._refused}" * bool(self._refused)
            )
        return Check("certificate", True, self._refused)

    def _notes(self) -> list[str]:
        composed = self._settings.composed
        notes = [text for _, text in composed.problems]
        if self._settings.pending:
            notes.append(f"changed settings wait for a restart: {', '.join(self._settings.pending)}")
        if self._bundle.current is not None:
            notes += [f"bundle not taken: {problem}" for problem in self._bundle.problems]
        notes += [f"cannot watch {t.kind} ({t.state.value}): {t.reason}" for t in self._watches.troubles()]
        return notes

    def _probe(self) -> str:
        """Ask ourselves over TLS, believing our CA only; return what went wrong."""
        try:
            context = ssl.create_default_context(cadata=self._authority.decode() if self._authority.strip() else None)
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if not self._authority.strip():  # a Secret without ca.crt; the CA bundles are checked besides
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            settings = self._settings.current
            host = settings.webhook_host or "localhost"
            name = f"speedscale-operator.{settings.namespace}.svc"
            with (
                socket.create_connection((host, self.server.port), timeout=PROBE_S) as raw,
                context.wrap_socket(raw, server_hostname=name) as tls,
            ):
                tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = http.client.HTTPResponse(tls)
                answer.begin()
                return "" if answer.status == 200 else f"status {answer.status}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"


def main(environ: Mapping[str, str], socket_path: str) -> int:
    """Run the process; its exit code: 0 a clean end, 2 settings or cluster that make no sense."""
    configure(Process.ADMISSION.value, environ.get("LOG_LEVEL", "info"))
    try:
        client = Client(load(environ=environ), agent="speedscale-operator-admission")
        with client, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(environ, client, socket_path))
    except ConfigError as error:
        _log.error("settings_invalid", problems=error.problems)
        return 2
    return 0


async def _serve(environ: Mapping[str, str], client: Client, socket_path: str) -> None:
    # settings are read by blocking calls: nothing is served yet
    await Admission(environ, client).run(socket_path)
