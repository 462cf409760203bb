"""The supervisor with children that only pretend: what probes say, who is started when, what is counted."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from speedscale_controller.manager.child import LIFELINE, SILENT_S, SOCKET, START_S, Child
from speedscale_controller.manager.restarts import Cause
from speedscale_controller.manager.supervisor import CHECK_S, TURNS_S, Supervisor
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_controller.telemetry.health import PLAIN, Page, Server
from speedscale_controller.telemetry.labels import Process
from speedscale_controller.telemetry.status import Check, Status


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """A child as the supervisor sees it."""

    def __init__(self, role: Process, status: Status | None = None) -> None:
        self.role, self.told = role, status
        self.running = self.hopeless = False
        self.due_at = 0.0
        self.cause: Cause | None = None
        self.calls: list[Any] = []

    def start(self) -> None:
        self.running = True
        self.calls.append("start")

    def ended(self) -> Cause | None:
        cause, self.cause = self.cause, None
        self.running = self.running and cause is None
        return cause

    def check(self) -> None:
        self.calls.append("check")

    def status(self) -> Status | None:
        return self.told

    def page(self, what: str) -> Page | None:
        return Page(200, PLAIN, b"# TYPE a gauge\na 1\n") if self.told else None

    def signal(self, number: signal.Signals) -> None:
        self.calls.append(number)

    def gone(self) -> bool:
        return True


WELL = Status((Check("certificate", True),))


@pytest.fixture
def parts() -> tuple[Supervisor, Fake, Fake, Clock, Metrics]:
    clock, metrics = Clock(), Metrics()
    admission, controller = (
        Fake(Process.ADMISSION, WELL),
        Fake(Process.CONTROLLER, Status(notes=("the controller leads",))),
    )
    settings = Settings.parse({"SHUTDOWN_GRACE_S": "0", "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": "0"})
    supervisor = Supervisor(settings, (admission, controller), metrics, clock=clock)  # type: ignore[arg-type]
    return supervisor, admission, controller, clock, metrics


def test_ready_is_what_admission_says(parts: Any) -> None:
    supervisor, admission, controller, _, _ = parts
    assert supervisor.readyz() == Page(200, PLAIN, b"[+] certificate\n[i] the controller leads\nready\n")
    controller.told = None
    assert supervisor.readyz().status == 200
    assert b"process controller does not answer" in supervisor.readyz().body
    admission.told = None
    assert supervisor.readyz().status == 503
    admission.told = Status((Check("CA bundles", False, "none"),))
    assert b"[-] CA bundles: none" in supervisor.readyz().body


def test_notes_of_both_are_told_once(parts: Any) -> None:
    supervisor, admission, controller, _, _ = parts
    admission.told = Status((), ("refused",))
    controller.told = Status((), ("refused",))
    assert supervisor.readyz().body.count(b"refused") == 1


def test_who_is_due_is_started_and_ends_are_counted(parts: Any) -> None:
    supervisor, admission, controller, clock, metrics = parts
    supervisor.turn()
    assert admission.calls == controller.calls == ["start"]
    admission.cause, admission.due_at = Cause.KILLED, clock.now + 5
    supervisor.turn()
    assert admission.calls == ["start"]
    clock.now += 5
    supervisor.turn()
    assert admission.calls[:2] == ["start", "start"] or admission.calls == ["start", "start", "check"]
    labels = {"of": "admission", "cause": "killed"}
    assert metrics.registry.get_sample_value("speedscale_operator_process_restarts_total", labels) == 1


def test_children_are_checked_now_and_then(parts: Any) -> None:
    supervisor, admission, _, clock, _ = parts
    for _ in range(4):
        supervisor.turn()
        clock.now += CHECK_S / 2
    assert admission.calls.count("check") == 1


def test_alive_while_the_loop_turns_and_restarting_helps(parts: Any) -> None:
    supervisor, admission, _, clock, _ = parts
    supervisor.turn()
    assert supervisor.healthz().status == 200
    clock.now += TURNS_S + 1
    assert b"has not looked at its processes" in supervisor.healthz().body
    supervisor.turn()
    admission.hopeless = True
    assert supervisor.healthz() == Page(500, PLAIN, b"admission hangs, also when it is started anew\n")


def test_metrics_of_all_three(parts: Any) -> None:
    text = parts[0].metrics_page().body.decode()
    assert 'a{process="admission"} 1.0' in text
    assert 'a{process="controller"} 1.0' in text
    assert 'process="supervisor"' in text


def test_the_end_begins_with_not_ready(parts: Any) -> None:
    supervisor, admission, controller, _, _ = parts
    supervisor.end()
    assert supervisor.readyz().status == 503
    assert supervisor.healthz().status == 200
    supervisor.run()
    assert admission.calls == controller.calls == [signal.SIGTERM]


def test_who_does_not_answer_is_killed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    child = Child(Process.ADMISSION, tmp_path, {}, clock)
    monkeypatch.setattr("speedscale_controller.manager.child.sys.executable", "/bin/sh")
    child.start()  # `sh -m …` ends at once: what counts here is how it is judged
    sent: list[signal.Signals] = []
    monkeypatch.setattr(child, "signal", sent.append)
    clock.now += START_S - 1
    child.check()
    assert sent == []
    clock.now += 2
    child.check()
    assert sent == [signal.SIGKILL]
    while child.ended() is None:
        os.sched_yield()
    assert not child.running
    assert child.due_at > clock.now


def test_one_that_says_it_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    child = Child(Process.CONTROLLER, tmp_path, {}, clock)
    told = [Status(stuck="watch replays hangs")]
    server = Server(child.socket, {"/status": lambda: told[0].page()})
    server.start()
    sent: list[signal.Signals] = []
    monkeypatch.setattr(child, "signal", sent.append)
    monkeypatch.setattr("speedscale_controller.manager.child.sys.executable", "/bin/true")
    child.start()
    try:
        child.check()
        assert sent == [signal.SIGKILL]
        told[0] = WELL
        clock.now += SILENT_S * 10
        child.check()
        assert len(sent) == 1
        assert child.status() == WELL
    finally:
        server.stop()
        while not child.gone():
            os.sched_yield()


def test_a_child_knows_its_socket_and_its_lifeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script"
    lines = ("#!/bin/sh", f'echo "${SOCKET}" > told', f'cat "/dev/fd/${LIFELINE}"', "echo closed >> told")
    script.write_text("\n".join((*lines[:1], f"cd {tmp_path}", *lines[1:], "")))
    script.chmod(0o755)
    monkeypatch.setattr("speedscale_controller.manager.child.sys.executable", str(script))
    child = Child(Process.ADMISSION, tmp_path, os.environ, Clock())
    child.start()
    assert child.running
    assert child._lifeline is not None
    os.close(child._lifeline)  # as when the supervisor dies
    child._lifeline = None
    while not child.gone():
        os.sched_yield()
    assert (tmp_path / "told").read_text().splitlines() == [child.socket, "closed"]
