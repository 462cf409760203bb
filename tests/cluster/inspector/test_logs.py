"""Logs through a real API server: tailed, followed, redacted, held back, cut off and canceled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.inspecting import Backend, Manifest, Played
from harness.kubelet_page import KubeletPage

from speedscale_kube import Client
from speedscale_runtime.inspector import outlet

POD = "cart-0"


@pytest.fixture
def page(kube: Client, namespace: str, tmp_path: Path) -> Iterator[KubeletPage]:
    """A node with a pod, and its log."""
    made = KubeletPage(kube, tmp_path, namespace)
    made.make(POD)
    yield made
    made.remove()


@pytest.fixture
def backend(played: Played) -> Backend:
    """The other end of the channel."""
    return played.backend


def of(page: KubeletPage, **more: Any) -> Manifest:
    return {"namespace": page.namespace, "pod": POD, **more}


def line(backend: Backend, id_: str) -> str:
    answer = backend.next(id_)
    assert answer["kind"] == "item", answer
    return str(answer["item"]["line"])


def test_the_end_of_a_log_redacted(backend: Backend, page: KubeletPage) -> None:
    page.write(
        "one", "two", 'login {"password": "hunter2hunter2"} of jo.smith@example.com', "", "card 4111111111111111"
    )
    found = [item["line"] for item in backend.ask("logs", of(page, tail=4)).items]
    assert found[0] == "two"
    assert found[2] == ""
    assert not [word for word in ("hunter2", "jo.smith", "4111111111111111") if word in json.dumps(found)]
    assert found[1].startswith("login {")
    assert [i["line"] for i in backend.ask("logs", of(page, tail=1)).items] == [found[3]]


def test_what_a_line_alone_does_not_show_is_left_out(backend: Backend, page: KubeletPage) -> None:
    secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    page.write("key: -----BEGIN PRIVATE KEY-----", secret[:20], secret, "-----END PRIVATE KEY-----", "after", secret)
    found = [item["line"] for item in backend.ask("logs", of(page)).items]
    assert not [one for one in found if secret[:20] in one]
    assert found[4] == "after"


def test_a_long_line_is_cut_and_says_so(backend: Backend, page: KubeletPage) -> None:
    page.write("short", "x y " * 100_000, "last")
    short, long, last = backend.ask("logs", of(page)).items
    assert ("cut" in short, long["cut"], "cut" in last) == (False, True, False)
    assert len(long["line"]) == 16 * 1024


def test_a_log_is_followed_until_the_container_ends(backend: Backend, page: KubeletPage) -> None:
    page.write("one", "two")
    id_ = backend.begin("logs", of(page, follow=True, tail=1))
    assert line(backend, id_) == "two"
    page.write("three")
    assert line(backend, id_) == "three"
    page.end()
    end = backend.next(id_)
    assert (end["kind"], end["result"]["items"], end["result"]["resumed"]) == ("end", 2, 0)


def test_it_is_canceled_and_gives_its_slot_back(backend: Backend, page: KubeletPage, played: Played) -> None:
    page.write("one")
    id_ = backend.begin("logs", of(page, follow=True))
    assert line(backend, id_) == "one"
    backend.call(backend.send({"kind": "cancel", "id": id_}))
    last = backend.next(id_)
    assert (last["kind"], last["reason"]) == ("error", "canceled")
    assert played.inspector is not None
    Cluster.until(lambda: played.inspector._runner._slots == 16, "the thread has ended")  # type: ignore[union-attr]


def test_its_time_is_over(backend: Backend, page: KubeletPage) -> None:
    page.write("one")
    id_ = backend.begin("logs", of(page, follow=True), timeoutS=1.5)
    assert line(backend, id_) == "one"
    assert backend.next(id_)["reason"] == "timeout"


def test_a_reader_that_takes_nothing_holds_the_container_back_and_nobody_else(
    backend: Backend, page: KubeletPage
) -> None:
    page.write(*(f"line {number}" for number in range(1000)))
    id_ = backend.begin("logs", of(page, tail=1000, follow=True), window=10)
    assert [line(backend, id_) for _ in range(10)] == [f"line {number}" for number in range(10)]
    assert backend.ask("list-namespaces").result["items"] > 0
    assert backend._answers[id_].empty()
    backend.call(backend.send({"kind": "ack", "id": id_, "sequence": 4}))
    assert [line(backend, id_) for _ in range(5)] == [f"line {number}" for number in range(10, 15)]
    assert backend._answers[id_].empty()
    backend.call(backend.send({"kind": "cancel", "id": id_, "reason": "slow_reader"}))
    assert backend.next(id_)["reason"] == "slow_reader"


def test_a_slow_reader_is_cut_off_and_told(played: Played, page: KubeletPage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert played.inspector is not None
    monkeypatch.setattr(played.inspector._runner, "_slow_s", 0.3)
    page.write(*(f"line {number}" for number in range(outlet.BUFFER)))
    answer = played.backend.ask("logs", of(page, follow=True), window=5)
    assert len(answer.items) == 5
    assert answer.reason == "slow_reader"
    assert "read faster" in answer.message


def test_more_commands_than_slots_are_told_to_come_again(
    played: Played, page: KubeletPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert played.inspector is not None
    runner, backend = played.inspector._runner, played.backend
    monkeypatch.setattr(runner, "_slots", 1)
    page.write("one")
    id_ = backend.begin("logs", of(page, follow=True))
    assert line(backend, id_) == "one"
    assert backend.ask("list-namespaces").reason == "busy"
    page.end()
    assert backend.next(id_)["kind"] == "end"
    Cluster.until(lambda: runner._slots == 1, "the slot is free")
    assert backend.ask("list-namespaces").result["items"] > 0
    runner._slots = 16


def test_what_kubelet_or_server_refuse_is_quoted(backend: Backend, page: KubeletPage) -> None:
    assert backend.ask("logs", of(page, container="other")).reason == "refused_by_cluster"
    assert backend.ask("logs", {**of(page), "pod": "none"}).reason == "not_found"
