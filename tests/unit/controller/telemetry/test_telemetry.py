"""Logs whose level changes, metrics with enum labels, two processes on one page, probes over TCP and Unix sockets."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import structlog
from prometheus_client import generate_latest

from speedscale_controller.telemetry import Metrics, configure, labels, set_level
from speedscale_controller.telemetry.health import PLAIN, Page, Server, ask
from speedscale_controller.telemetry.merging import merge
from speedscale_controller.telemetry.status import Check, Status, readiness


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_the_level_changes_while_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    configure("admission", "info")
    log = structlog.get_logger("speedscale_controller")
    log.debug("unheard")
    set_level("debug")
    log.debug("heard", key=1)
    set_level("nonsense")
    log.debug("unheard")
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["key"], line["process"], line["level"]) == ("heard", 1, "admission", "debug")


def test_names_of_metrics() -> None:
    metrics = Metrics()
    names = {family.name for family in metrics.registry.collect()}
    assert len(names) > 30
    assert all(re.fullmatch(r"speedscale_operator(_[a-z]+){1,6}", name) for name in names), sorted(names)
    assert all(family.documentation.endswith(".") for family in metrics.registry.collect())


def test_two_sets_of_metrics_live_side_by_side() -> None:
    one, other = Metrics(), Metrics()
    one.leader.set(1)
    assert other.registry.get_sample_value("speedscale_operator_leader_state") == 0
    assert one.registry.get_sample_value("speedscale_operator_leader_state") == 1


def test_labels_have_bounds() -> None:
    assert labels.kind("Deployment") == "Deployment"
    assert labels.kind("SomethingOfAUser") == "other"
    assert labels.component("nettap") == "nettap"
    assert labels.component("") == "other"
    enums = [enum for enum in vars(labels).values() if isinstance(enum, type) and issubclass(enum, StrEnum)]
    assert len(enums) > 4


def test_both_processes_on_one_page() -> None:
    metrics = Metrics()
    metrics.reconciles.labels("workloads", "done").inc(3)
    metrics.admission_bytes.observe(5000)
    page = generate_latest(metrics.registry).decode()
    merged = merge({"admission": page, "controller": page, "broken": "no {page"}).decode()
    name = "speedscale_operator_reconcile_results_total"
    for process in ("admission", "controller"):
        assert f'{name}{{outcome="done",process="{process}",reconciler="workloads"}} 3.0' in merged
    assert merged.count(f"# TYPE {name} counter") == 1
    assert merged.count("# TYPE speedscale_operator_admission_review_bytes histogram") == 1
    assert "_created" not in merged
    assert "broken" not in merged


def test_merging_nothing_is_nothing() -> None:
    assert merge({}) == b""


def _routes() -> dict[str, object]:
    def fails() -> Page:
        raise RuntimeError("a bug")

    return {"/good": lambda: Page(200, PLAIN, b"good\n"), "/fails": fails}


def test_pages_over_tcp() -> None:
    server = Server(("127.0.0.1", 0), _routes())  # type: ignore[arg-type]
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{url}/good?x=1") as answer:
            assert answer.read() == b"good\n"
        for path, code in (("/nowhere", 404), ("/fails", 500)):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(url + path)
            assert caught.value.code == code
            caught.value.close()
        with pytest.raises(OSError):
            Server(("127.0.0.1", server.port), {})
    finally:
        server.stop()


def test_everywhere_means_both_families() -> None:
    server = Server(("", 0), _routes())  # type: ignore[arg-type]
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5):
            pass
    finally:
        server.stop()


def test_pages_over_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with pytest.raises(OSError):
        ask(path, "/good")
    server = Server(path, _routes())  # type: ignore[arg-type]
    server.start()
    try:
        assert ask(path, "/good") == Page(200, PLAIN, b"good\n")
        assert ask(path, "/fails").status == 500
    finally:
        server.stop()
    assert not Path(path).exists()


def test_a_status_is_read_as_it_was_told() -> None:
    status = Status((Check("certificate", False, "none yet"),), ("a note",), "hangs", {"webhook": 9443})
    assert Status.read(status.page().body) == status
    for nonsense in (b"", b"[]", b'{"checks": [1]}', b'{"checks": [], "notes": 5, "stuck": "", "ports": {"a": "b"}}'):
        with pytest.raises(ValueError):
            Status.read(nonsense)


def test_readiness() -> None:
    page = readiness([Check("a", True), Check("b", False, "why")], ["by the way"])
    assert (page.status, page.body) == (503, b"[+] a\n[-] b: why\n[i] by the way\nnot ready\n")
    assert readiness([Check("a", True)], ()).status == 200
