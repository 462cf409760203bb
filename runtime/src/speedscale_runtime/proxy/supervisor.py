"""The process that must not die: it holds the listening sockets and keeps a worker behind them.

Started by `__main__` (which replaces itself with it). Standard library only and few modules: a few megabytes.

    starting ── ready ──► serving ── worker ends ──► splicing ── back-off over ──► starting …
        └── not ready in time, or the worker ends ──► splicing

While `serving`, the worker accepts and the supervisor sleeps. While `splicing`, the supervisor accepts and passes
connections on itself (`splice`), so a dead worker fails no new connection. At a first start, connections wait in
the backlog for at most `FIRST_START_S`, so that what comes early is recorded as well. The books of a dead worker
are closed in the ledger. SIGTERM and SIGINT are passed on; our end ends the worker.

How a stop goes (`drain_until`): with `connections`, listeners close at once, and what is open gets its time. With
`application`, connections are taken for as long as the application has a socket (`presence`): the worker does and
then ends; should it die meanwhile, the supervisor does.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import selectors
import signal
import socket
import time

from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.ledger import HEARTBEAT, SLOTS, Ledger
from speedscale_runtime.telemetry import handover, statusfile
from speedscale_runtime.telemetry.lines import Lines

from .child import Child
from .destination import Address
from .presence import Quiet
from .splice import CONNECTIONS, Splicer
from .standin import StandIn

TYPE_CHECKING = False  # the typing module costs a megabyte
if TYPE_CHECKING:
    from typing import Any

FIRST_START_S = 5.0
BACKOFF_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HEALTHY_S = 60.0
HUNG_S = 15.0
START_MAX_S = 60.0
_BACKLOG = 4096

log = Lines("goproxy-supervisor")


class Supervisor:
    """State of the one supervisor of a process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.selector = selectors.DefaultSelector()
        self.ledger = Ledger.create()
        target = (settings["reverse_host"], settings["reverse_port"])
        transparent = settings["proxy_type"] == "transparent"
        self.splicer = Splicer(
            self.selector, self.ledger, None if transparent else target, settings["identity"]["pod_ip"]
        )
        self.listeners: dict[Side, list[socket.socket]] = {}
        self.child: Child | None = None
        self.ready = False
        self.accepting = False
        self.ports: dict[str, int] = {}
        self.exit_code: int | None = None
        self._standin: StandIn | None = None
        self._worker_code = 0
        self._was_ready_once = False
        self._failures = 0
        self._ready_at = 0.0
        self._spawned_at = 0.0
        self._spawn_at: float | None = None
        self._splice_at: float | None = None
        self._stopping = False
        self._stop_by: float | None = None  # None while stopping: for as long as the application is there
        self._quiet: Quiet | None = None
        self._signals_r, self._signals_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    # -- set-up

    def open(self) -> None:
        """Bind the listeners; OSError with the address in its text."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:  # a connection takes two descriptors; the worker inherits the limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        s = self.settings
        wanted: dict[Side, Address] = {Side.IN: (s["in_host"], s["in_port"]), Side.OUT: (s["out_host"], s["out_port"])}
        if s["proxy_type"] == "reverse":
            del wanted[Side.OUT]
        elif s["proxy_type"] == "forward":
            del wanted[Side.IN]
        for side, (hosts, port) in wanted.items():
            self.listeners[side] = _listen_all(hosts.split(","), port)
        self.splicer.own_ports = frozenset(self.port(side) for side in self.listeners)
        signal.set_wakeup_fd(self._signals_w, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.selector.register(self._signals_r, selectors.EVENT_READ, self._on_signal)

    def port(self, side: Side) -> int:
        """Return the port that a listener took, 0 where there is none."""
        sockets = self.listeners.get(side)
        return int(sockets[0].getsockname()[1]) if sockets else 0

    # -- the loop

    def run(self) -> int:
        """Supervise until told to stop; return the exit code."""
        self._spawn()
        self._splice_at = time.monotonic() + FIRST_START_S
        while self.exit_code is None:
            for key, mask in self.selector.select(self._wait_s()):
                if self._still_wanted(key):
                    self._call(key, mask)
            self._tick(time.monotonic())
        self._write_status(None)
        self._write("stats_file", self.ledger.snapshot())
        return self.exit_code

    def _still_wanted(self, key: selectors.SelectorKey) -> bool:
        """Whether no callback of this round took the key away (its number may be another socket's by now)."""
        try:
            return self.selector.get_key(key.fileobj).data is key.data
        except (KeyError, ValueError):
            return False

    def _call(self, key: selectors.SelectorKey, mask: int) -> None:
        """Run a callback; a fault in one connection must not end the process that must not die."""
        try:
            key.data(mask)
        except Exception as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
            log.info("fault", kind=type(error).__name__, place=place)

    def _wait_s(self) -> float:
        most = 0.1 if self._stopping else 1.0
        timers = [t for t in (self._spawn_at, self._splice_at, self._stop_by) if t is not None]
        return max(0.0, min(most, *(t - time.monotonic() for t in timers))) if timers else most

    def _tick(self, now: float) -> None:
        if self._spawn_at is not None and now >= self._spawn_at:
            self._spawn_at = None
            self._spawn()
        if self._splice_at is not None and now >= self._splice_at:
            self._splice_at = None
            self._accept(True)
        if self._stopping:
            self._tick_stopping(now)
        if self.child is not None:
            self._watch_worker(self.child, now)

    def _tick_stopping(self, now: float) -> None:
        late = self._stop_by is not None and now >= self._stop_by
        if self.child is not None:
            if late:
                self._stop_by = now + 1.0
                self.child.signal(signal.SIGKILL)
            return
        if self._quiet is not None and self._quiet.over(now):
            self._quiet = None
            self._end_listening()
            self._stop_by = now + self.settings["drain_timeout_s"]
        if late or (self._stop_by is not None and not self.splicer.active):
            self.exit_code = self._worker_code

    def _watch_worker(self, child: Child, now: float) -> None:
        """Kill a worker that does not get ready, or has stopped to turn."""
        if not self.ready:
            if now - self._spawned_at > START_MAX_S:
                log.info("worker_not_ready", seconds=START_MAX_S)
                self._spawned_at = now
                child.signal(signal.SIGKILL)
        elif now - self._ready_at > HUNG_S:
            beat = self.ledger.cells[HEARTBEAT] / 1e9
            if now - beat > HUNG_S:
                log.info("worker_hung", seconds=round(now - beat, 1))
                child.signal(signal.SIGKILL)

    # -- the worker

    def _spawn(self) -> None:
        self._end_standin()
        orders = {
            "settings": self.settings,
            "listeners": {side.value: [s.fileno() for s in found] for side, found in self.listeners.items()},
            "ledgerFd": self.ledger.fd,
            "ports": self.ports,
        }
        inherit = [sock.fileno() for found in self.listeners.values() for sock in found] + [self.ledger.fd]
        try:
            child = Child(orders, inherit)
        except OSError as error:
            log.info("worker_not_started", error=os.strerror(error.errno or 0))
            self._later()
            return
        self.child = child
        self._spawned_at = time.monotonic()
        self.ledger.cells[SLOTS["worker_starts"]] += 1
        self.selector.register(child.pidfd, selectors.EVENT_READ, self._on_exit)
        self.selector.register(child.ready_fd, selectors.EVENT_READ, self._on_report)

    def _on_report(self, mask: int) -> None:
        child = self.child
        assert child is not None
        report = child.read_report()
        self.selector.unregister(child.ready_fd)
        if report is None:
            return
        self.ready = self._was_ready_once = True
        self._ready_at = time.monotonic()
        self.ports = report
        self._splice_at = None
        self._accept(False)
        self._write_status(child.pid)
        log.info("serving", inPort=self.port(Side.IN), outPort=self.port(Side.OUT), worker=child.pid, **report)

    def _on_exit(self, mask: int) -> None:
        child = self.child
        assert child is not None
        if not self._stopping and (self._was_ready_once or self._splice_at is None):
            self._accept(True)  # first of all: nobody waits for our book-keeping
        self.selector.unregister(child.pidfd)
        with contextlib.suppress(KeyError):
            self.selector.unregister(child.ready_fd)
        code = child.reap()
        healthy = self.ready and time.monotonic() - self._ready_at > HEALTHY_S
        self.child, self.ready = None, False
        lost, cut = self.ledger.close_books()
        if self._stopping:
            self._worker_code = 0 if code == 0 else 1
            if code == 0 and self._quiet is not None:  # it saw the application go
                self._quiet = None
                self._end_listening()
                self._stop_by = time.monotonic() + self.settings["drain_timeout_s"]
            elif self._quiet is not None:
                log.info("worker_ended", code=code, pairsLost=lost, connectionsCut=cut, failures=self._failures)
                self._accept(True)  # nobody else is there to serve the application until it is gone
            return  # connections that we pass on ourselves may go on for a while
        if code == 2 and not self._was_ready_once:
            self.exit_code = 2  # it said why: the configuration does not do
            return
        log.info("worker_ended", code=code, pairsLost=lost, connectionsCut=cut, failures=self._failures)
        self._splice_at = None
        self._accept(True)
        if healthy:
            self._failures = 0
        self._later()

    def _later(self) -> None:
        delay_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._spawn_at = time.monotonic() + delay_s
        self._failures += 1
        if delay_s and self.ports:
            host = self.settings["health_host"]
            self._standin = StandIn(self.selector, self.ledger, host, set(self.ports.values()))

    def _end_standin(self) -> None:
        if self._standin is not None:
            self._standin.close()
            self._standin = None

    # -- listeners

    def _accept(self, on: bool) -> None:
        if on == self.accepting:
            return
        self.accepting = on
        for side, sockets in self.listeners.items():
            for sock in sockets:
                if on:
                    self.selector.register(sock, selectors.EVENT_READ, lambda m, s=side, k=sock: self._on_client(s, k))
                else:
                    self.selector.unregister(sock)

    def _end_listening(self) -> None:
        self._accept(False)
        for sock in [sock for sockets in self.listeners.values() for sock in sockets]:
            sock.close()
        self.listeners.clear()

    def _on_client(self, side: Side, listener: socket.socket) -> None:
        for _ in range(64):
            if len(self.splicer.active) >= CONNECTIONS:
                time.sleep(0.005)  # the rest waits in the backlog
                return
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                    time.sleep(0.01)  # nothing better to do: without a descriptor nobody can be served
                return
            self.splicer.adopt(side, client)

    # -- ending

    def _on_signal(self, mask: int) -> None:
        os.read(self._signals_r, 4096)
        if self._stopping:  # asked twice
            if self.child is not None:
                self.child.signal(signal.SIGKILL)
            self._quiet, self._stop_by = None, 0.0
            return
        self._stopping = True
        self._end_standin()
        self._spawn_at = self._splice_at = None
        settings = self.settings
        ports = self.splicer.own_ports | {settings["health_port"], settings["metrics_port"]}
        log.info("stopping", until=settings["drain_until"])
        if settings["drain_until"] == "application":
            self._quiet = Quiet(os.getuid(), ports, settings["drain_quiet_s"])
            if self.child is None:
                self._accept(True)
        else:
            self._end_listening()
            self._stop_by = time.monotonic() + settings["drain_timeout_s"] + settings["flush_timeout_s"] + 2.0
        if self.child is not None:
            self.child.signal(signal.SIGTERM)

    def _write_status(self, worker: int | None) -> None:
        """Write the status file, whole or not at all; take it away at the end."""
        path = self.settings["status_file"]
        if not path:
            return
        if worker is None:
            with contextlib.suppress(OSError):
                os.unlink(path)
            return
        status = {
            "inPort": self.port(Side.IN),
            "outPort": self.port(Side.OUT),
            "healthPort": self.ports["healthPort"],
            "metricsPort": self.ports["metricsPort"],
            "pid": os.getpid(),
            "workerPid": worker,
        }
        self._write("status_file", status)

    def _write(self, setting: str, document: dict[str, Any]) -> None:
        """Write a JSON file that a setting names, whole or not at all."""
        path = self.settings[setting]
        if not path:
            return
        try:
            statusfile.write(path, document)
        except OSError as error:
            log.info(f"{setting}_not_written", error=os.strerror(error.errno or 0))


def _listen_all(hosts: list[str], port: int) -> list[socket.socket]:
    """Listen on one port of some addresses; one of IPv6 is left out, or taken as IPv4, where the machine has none."""
    sockets: list[socket.socket] = []
    for host in hosts:
        try:
            sockets.append(_listen(host, port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) or ":" not in host:
                for sock in sockets:
                    sock.close()
                raise
            if host == "::":
                sockets.append(_listen("0.0.0.0", port))
        port = port or sockets[0].getsockname()[1]
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def main() -> int:
    """Run the supervisor with the settings that `__main__` parsed; return the exit code."""
    supervisor = Supervisor(json.loads(handover.settings("goproxy")))
    try:
        supervisor.open()
    except OSError as error:
        log.info("not_started", error=error.strerror)
        return 2
    return supervisor.run()
