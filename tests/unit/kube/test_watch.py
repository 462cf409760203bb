"""A watch's bytes: any cut of them gives the same events; what is no event, or a refusal, is told apart."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from speedscale_kube import Client, load
from speedscale_kube.errors import ForbiddenError, GoneError, ServerError, ThrottledError, UnreachableError
from speedscale_kube.watch import EVENT_BYTES, Change, Watch
from speedscale_schemas.errors import PeerError


def event(kind: str, name: str, version: int, **more: Any) -> bytes:
    metadata = {"name": name, "resourceVersion": str(version), "annotations": more}
    return json.dumps({"type": kind, "object": {"metadata": metadata}}, ensure_ascii=False).encode() + b"\n"


def status(code: int, reason: str) -> bytes:
    body = {"kind": "Status", "code": code, "reason": reason, "message": "no"}
    return json.dumps({"type": "ERROR", "object": body}).encode() + b"\n"


EVENTS = [event("ADDED", "a", 1, clé="é€😀"), event("BOOKMARK", "", 5), event("DELETED", "a", 7)]
BODY = b"".join(EVENTS)
READ = [(Change.ADDED, "1"), (Change.BOOKMARK, "5"), (Change.DELETED, "7")]


def reading(chunks: list[bytes], end: Exception | None = None) -> Watch:
    """A watch on an answer that gives these chunks."""

    def read_chunked(size: int) -> Iterator[bytes]:
        yield from chunks
        if end is not None:
            raise end

    raw = SimpleNamespace(chunked=True, read_chunked=read_chunked, shutdown=lambda: None)
    return Watch(SimpleNamespace(raw=raw, close=lambda: None), "WATCH /it")  # type: ignore[arg-type]


def opened(client: Client) -> Watch:
    return client.watch("v1", "ConfigMap", "shop", resource_version="1", timeout_s=250, labels="app=it")


@given(st.lists(st.integers(0, len(BODY))))
def test_any_cut_of_the_bytes_gives_the_same_events(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(BODY)]
    chunks = [BODY[a:b] for a, b in itertools.pairwise(places)]
    found = list(reading(chunks))
    assert [(e.type, e.resource_version) for e in found] == READ
    assert found[0].object["metadata"]["annotations"] == {"clé": "é€😀"}


@given(st.integers(0, len(BODY)))
def test_what_the_end_cut_off_is_dropped(end: int) -> None:
    found = [(e.type, e.resource_version) for e in reading([BODY[:end]])]
    whole = BODY[:end].count(b"\n")
    assert found == READ[:whole]


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until the end"])
def test_it_is_asked_for_as_the_api_wants_and_read_to_its_end(chunked: bool, server: Any, client: Client) -> None:
    server.script = lambda request: server.streams(BODY[:40], BODY[40:41], BODY[41:], chunked=chunked)
    with opened(client) as watch:
        assert [(e.type, e.resource_version) for e in watch] == READ
    request = server.requests[-1]
    assert (request.path, request.headers["accept-encoding"]) == ("/api/v1/namespaces/shop/configmaps", "identity")
    assert request.params == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "250",
        "resourceVersion": "1",
        "labelSelector": "app=it",
    }


def test_an_event_of_a_megabyte_arrives_whole(server: Any, client: Client) -> None:
    big = event("ADDED", "big", 2, data="é" * 600_000)
    server.script = lambda request: server.streams(big[:700_001], big[700_001:] + EVENTS[2])
    with opened(client) as watch:
        first, second = watch
    assert (first.object["metadata"]["annotations"]["data"], second.type) == ("é" * 600_000, Change.DELETED)


def test_a_connection_that_breaks_is_told_from_one_that_ends(server: Any, client: Client) -> None:
    server.script = lambda request: server.streams(EVENTS[0], EVENTS[1][:10], cut=True)
    seen: list[Any] = []
    with opened(client) as watch, pytest.raises(UnreachableError, match="broke off"):
        seen.extend(watch)
    assert [e.type for e in seen] == [Change.ADDED]


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    chunk = b"x" * (1024 * 1024)
    given_out = 0

    def endless() -> Iterator[bytes]:
        nonlocal given_out
        while True:
            given_out += len(chunk)
            yield chunk

    raw = SimpleNamespace(chunked=True, read_chunked=lambda size: endless())
    with pytest.raises(PeerError, match=f"more than {EVENT_BYTES} bytes"):
        list(Watch(SimpleNamespace(raw=raw), "WATCH /it"))  # type: ignore[arg-type]
    assert given_out <= EVENT_BYTES + 2 * len(chunk)


def test_many_events_may_be_more_than_one_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedscale_kube.watch.EVENT_BYTES", 2 * len(EVENTS[0]))
    assert len(list(reading([BODY, BODY, BODY, BODY]))) == 12


@pytest.mark.parametrize(
    "line",
    [b"<html>\n", b"[]\n", b'{"type": "ADDED"}\n', b'{"type": "MOVED", "object": {"metadata": {}}}\n',
     b'{"type": "ADDED", "object": {"metadata": 1}}\n', b'{"type": "ERROR", "object": []}\n', b"\xff\n"],
)  # fmt: skip
def test_a_line_that_is_no_event_is_the_peers_fault(line: bytes) -> None:
    with pytest.raises(PeerError, match="no watch event"):
        list(reading([line]))


def test_empty_lines_are_nothing() -> None:
    assert len(list(reading([b"\n \n" + EVENTS[0] + b"\r\n"]))) == 1


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [(410, "Expired", GoneError), (403, "Forbidden", ForbiddenError), (500, "InternalError", ServerError),
     (504, "Timeout", ThrottledError)],
)  # fmt: skip
def test_a_refusal_comes_as_an_answer_or_as_an_event(
    code: int, reason: str, expected: type[Exception], server: Any, client: Client
) -> None:
    server.refuse(code, reason)
    with pytest.raises(expected, match="no"):
        opened(client)
    with pytest.raises(expected, match="no"):
        list(reading([EVENTS[0], status(code, reason)]))


def test_an_answer_that_is_no_watch_is_the_peers_fault(server: Any, client: Client) -> None:
    server.always(status=204, raw=b"")
    with pytest.raises(PeerError, match="answered with 204"):
        opened(client)


def test_a_401_renews_the_token_once(server: Any, kubeconfig: Any, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def script(request: Any) -> Any:
        if request.headers["authorization"] == "Bearer new":
            return server.streams(BODY)
        token.write_text("new")
        return server.refusal(401, "Unauthorized", "no")

    with Client(load(kubeconfig(server.url, tokenFile=str(token)), environ={})) as client:
        server.script = script
        with client.patient(5).watch("v1", "Namespace", resource_version="1", timeout_s=250) as watch:
            assert len(list(watch)) == 3


def test_closing_from_another_thread_ends_a_reader_that_waits(server: Any, client: Client) -> None:
    release = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield EVENTS[0]
        release.wait(30)

    server.script = lambda request: server.streams(chunks=chunks())
    waiting, found = threading.Event(), []

    def read(watch: Watch) -> None:
        with watch:
            for one in watch:
                found.append(one)
                waiting.set()

    watch = opened(client)
    reader = threading.Thread(target=read, args=(watch,))
    reader.start()
    assert waiting.wait(30)
    watch.close()
    reader.join(30)
    release.set()
    assert (len(found), reader.is_alive()) == (1, False)
    watch.close()  # once more does nothing


def test_what_breaks_after_it_was_closed_is_no_error() -> None:
    watch = reading([EVENTS[0]], ProtocolError("closed"))
    seen = []
    for one in watch:
        seen.append(one)
        watch.close()
    assert len(seen) == 1
