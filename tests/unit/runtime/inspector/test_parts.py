"""Parts of the inspector without a cluster: who may ask, what is told of errors, settings, redaction, back-pressure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from speedscale_kube.errors import ConflictError, ForbiddenError, NotFoundError, UnreachableError
from speedscale_kube.logs import Line
from speedscale_runtime.inspector import config, gate, redaction, refusals
from speedscale_runtime.inspector.commands import TABLE, tailing
from speedscale_runtime.inspector.outlet import Closed, Outlet
from speedscale_runtime.inspector.redaction import Redaction
from speedscale_runtime.inspector.server import LONGEST_S, BackOff
from speedscale_schemas.errors import ConfigError, PermanentError
from speedscale_schemas.inspector import COMMANDS, Reason, Refusal


def settings(**environ: str) -> config.Settings:
    return config.parse(environ)


def test_every_command_of_the_table_is_carried_out() -> None:
    assert set(TABLE) == set(COMMANDS)


@pytest.mark.parametrize(
    ("labels", "allowed"),
    [({}, False), ({"env": "prod"}, False), ({"env": "test"}, True), ({"env": "test", "x": "y"}, True)],
)
def test_labels_of_the_caller(labels: dict[str, str], allowed: bool) -> None:
    found = settings(ACCESS_LABELS='{"env":"test"}')
    if allowed:
        gate.check(found, labels, {})
        return
    with pytest.raises(Refusal, match="env=test") as refused:
        gate.check(found, labels, {})
    assert refused.value.reason is Reason.ACCESS_LABELS


def test_namespaces() -> None:
    found = settings(NAMESPACE_SELECTOR="shop,speedscale")
    gate.check(found, {}, {"namespace": "shop"})
    with pytest.raises(Refusal) as refused:
        gate.check(found, {}, {"namespace": "bank"})
    assert refused.value.reason is Reason.NAMESPACE_NOT_WATCHED
    assert gate.spaces(found, {}) == ("shop", "speedscale")
    assert gate.spaces(found, {"namespace": "shop"}) == ("shop",)
    assert gate.spaces(settings(), {}) == ("",)


RBAC = (
    'deployments.apps "cart" is forbidden: User "system:serviceaccount:speedscale:speedscale-inspector" cannot patch '
    'resource "deployments" in API group "apps" in the namespace "shop" (PATCH /apis/apps/v1/…)'
)


def test_a_lacking_right_is_named() -> None:
    found = refusals.refusal(ForbiddenError("Forbidden", RBAC))
    assert found is not None
    assert (found.reason, found.missing) == (
        Reason.FORBIDDEN,
        {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "shop"},
    )
    assert "may not patch deployments.apps in namespace shop" in found.message
    nodes = 'nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope'
    told = refusals.refusal(ForbiddenError("Forbidden", nodes))
    assert told is not None
    assert "may not list nodes in the whole cluster" in told.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ForbiddenError("Forbidden", 'admission webhook "x" denied the request'), Reason.REFUSED_BY_CLUSTER),
        (NotFoundError("NotFound", "pods none"), Reason.NOT_FOUND),
        (ConflictError("Conflict: changed", 0.0), Reason.CONFLICT),
        (UnreachableError("no answer", 5.0), Reason.CLUSTER_UNAVAILABLE),
        (PermanentError("TLS", "certificate"), Reason.REFUSED_BY_CLUSTER),
        (ConfigError(["a", "b"]), Reason.INVALID_ARGUMENTS),
        (Refusal(Reason.BUSY, "later"), Reason.BUSY),
    ],
)
def test_errors_have_a_reason(error: Exception, reason: Reason) -> None:
    found = refusals.refusal(error)
    assert found is not None
    assert found.reason is reason


def test_a_bug_has_none() -> None:
    assert refusals.refusal(KeyError("x")) is None


def test_address_and_key_may_come_late(tmp_path: Path) -> None:
    found = settings(BACKEND_SECRET_DIR=str(tmp_path))
    assert config.backend(found) is None
    (tmp_path / "SPEEDSCALE_APP_URL").write_text("app.example.com\n")
    with pytest.raises(ConfigError, match="SPEEDSCALE_API_KEY"):
        config.backend(found)
    (tmp_path / "SPEEDSCALE_API_KEY").write_text("k-1\n")
    target = config.backend(found)
    assert target is not None
    assert (target.url, target.key) == ("https://app.example.com", "k-1")
    (tmp_path / "SPEEDSCALE_API_KEY").write_text("k-2\n")
    assert config.backend(found) != target
    of_values = settings(BACKEND_SECRET_DIR=str(tmp_path), SPEEDSCALE_APP_URL="https://other.example.com")
    other = config.backend(of_values)
    assert other is not None
    assert other.url == "https://other.example.com"
    assert "k-2" not in repr(other)


def test_the_key_is_in_no_representation() -> None:
    assert "sk-secret" not in repr(settings(SPEEDSCALE_API_KEY="sk-secret"))


def test_pauses_double_to_a_bound_and_start_again() -> None:
    back_off = BackOff(lambda: 1.0)
    assert [back_off.pause() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, LONGEST_S]
    back_off.reset()
    assert back_off.pause(at_least=7.0) == 7.0
    assert BackOff(lambda: 0.0).pause() == 0.0


# Redaction


def test_rules_are_compiled_once_and_before_the_first_command(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compile_rule(*given: Any) -> Any:
        compiled.append(given)
        return SimpleNamespace(redact_text=lambda data: (data, 0))

    monkeypatch.setattr(redaction, "compile_rule", compile_rule)
    one = Redaction("standard")
    one.begin().join(30.0)
    assert len(compiled) == 1
    assert one.clean(b"a") == b"a"
    assert len(compiled) == 1


def test_off_means_as_it_is() -> None:
    lines = Redaction("").lines()
    assert lines.shown(b"jo@example.com -----BEGIN X-----") == ("jo@example.com -----BEGIN X-----", False)


def test_a_piece_of_a_long_line_is_not_shown_to_its_edge() -> None:
    text, cut = Redaction("").lines().shown(b"x" * 2000, whole=False)
    assert (len(text), cut) == (976, True)


# Back-pressure


async def test_items_go_in_order_and_the_thread_waits_for_a_slow_reader() -> None:
    outlet = Outlet(asyncio.get_running_loop(), 3, slow_s=30)
    put: list[int] = []

    def work() -> None:
        for number in range(10):
            outlet.put({"n": number})
            put.append(number)
        outlet.finish()

    thread = threading.Thread(target=work)
    thread.start()
    taken = []
    while (item := await outlet.take()) is not None:
        taken.append(item["n"])
        assert len(put) <= len(taken) + 3
        outlet.acked(len(taken) - 1)
    thread.join()
    assert taken == list(range(10))


async def test_a_reader_that_takes_nothing_is_told_of() -> None:
    outlet = Outlet(asyncio.get_running_loop(), None, slow_s=0.01, buffer=2)

    def work() -> None:
        for number in range(3):
            outlet.put({"n": number})

    with pytest.raises(Refusal) as refused:
        await asyncio.to_thread(work)
    assert refused.value.reason is Reason.SLOW_READER


async def test_an_ack_of_what_was_never_sent_opens_no_window() -> None:
    outlet = Outlet(asyncio.get_running_loop(), 1, slow_s=0.01)
    outlet.acked(1000)
    outlet.put({})
    with pytest.raises(Refusal):
        await asyncio.to_thread(outlet.put, {})


async def test_closing_wakes_the_thread_and_forgets_what_waits() -> None:
    outlet = Outlet(asyncio.get_running_loop(), 1, slow_s=30)
    outlet.put({})
    waiting = asyncio.ensure_future(asyncio.to_thread(outlet.put, {}))
    outlet.close()
    with pytest.raises(Closed):
        await waiting
    assert await outlet.take() is None


# A log over several connections


class Streams:
    """A client whose log breaks off: each connection gives lines, then an error or the end."""

    def __init__(self, *connections: list[bytes | Exception]) -> None:
        self._connections = list(connections)
        self.asked: list[dict[str, Any]] = []

    def follow_log(self, pod: object, **asked: Any) -> Streams:
        self.asked.append(asked)
        self._now = self._connections.pop(0)
        return self

    def __enter__(self) -> Streams:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def __iter__(self) -> Iterator[Line]:
        for one in self._now:
            if isinstance(one, Exception):
                raise one
            yield Line(one, True)


class FakeStop:
    def waking(self, wake: object) -> Any:
        import contextlib

        return contextlib.nullcontext()

    def wait(self, seconds: float) -> bool:
        return False


class FakeCall:
    """What `logs` uses of a Call."""

    def __init__(self, client: Streams) -> None:
        self.client = client
        self.arguments = {"namespace": "shop", "pod": "cart", "previous": False, "follow": True, "tail": 5}
        self.redaction = Redaction("")
        self.stop = FakeStop()
        self.lines: list[str] = []

    def emit(self, item: dict[str, Any]) -> None:
        self.lines.append(item["line"])


def test_a_log_that_breaks_off_goes_on_without_repeating_lines() -> None:
    broken = UnreachableError("broke off", 0.0)
    a, b, c, d = (b"2026-01-01T00:00:0" + rest for rest in (b"1.1Z a", b"1.2Z b", b"1.2Z c", b"2Z d"))
    client = Streams([a, b, b, broken], [a, b, b, c, broken], [b, b, c, d])
    call = FakeCall(client)
    assert tailing.logs(call) == {"cut": 0, "resumed": 2}  # type: ignore[arg-type]
    assert call.lines == ["a", "b", "b", "c", "d"]
    assert [(one["lines"], one["since"]) for one in client.asked] == [
        (5, ""),
        (None, "2026-01-01T00:00:01.2Z"),
        (None, "2026-01-01T00:00:01.2Z"),
    ]
