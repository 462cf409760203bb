"""What is answered: sequences, redaction, misses with explanations, passthrough, recording, faults, timing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from speedscale_runtime import signatures, snapshot
from speedscale_runtime.responder.config import parse
from speedscale_runtime.responder.loader import Loaded
from speedscale_runtime.responder.metrics import ResponderCollector
from speedscale_runtime.responder.rules import Rules
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair import recording as recordings
from speedscale_runtime.snapshot import Selection
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

pytestmark = pytest.mark.integration
GET = b"GET %s HTTP/1.1\r\nHost: api.example.com\r\n\r\n"


def bodies(answer: bytes) -> list[bytes]:
    """Return the bodies of answers with Content-Length, in order."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        size = int(length[1]) if length else 0
        found.append(rest[:size])
        answer = rest[size:]
    return found


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("cycle", [b"1", b"2", b"3", b"1", b"2"]),
        ("round-robin", [b"1", b"2", b"3", b"1", b"2"]),
        ("stick", [b"1", b"2", b"3", b"3", b"3"]),
    ],
)
async def test_equal_signatures_are_a_sequence(
    recording: Any, serve: Any, selection: str, expected: list[bytes]
) -> None:
    for n in (b"1", b"2", b"3"):
        recording.add(answer=n)
    running = await serve(RESPONSE_SELECTION=selection)
    assert bodies(await running.raw(GET % b"/v1/items" * 5)) == expected


async def test_calls_that_tests_caused_bear_the_replays_mark(recording: Any, serve: Any) -> None:
    recording.add(answer=b"1")
    ask = b"GET %s HTTP/1.1\r\nHost: api.example.com\r\n%s\r\n"
    mine, others = b"Baggage: user=ada\r\nbaggage: speedscale-replay=r-1;p\r\n", b"baggage: speedscale-replay=r-2\r\n"
    running = await serve(TEST_REPORT_ID="r-1", ON_MISS="fail")
    await running.raw(b"".join(ask % (path, head) for path in (b"/v1/items", b"/no") for head in (mine, others, b"")))
    lines = await running.results()
    assert [problem for line in lines for problem in check("mock-line", line)] == []
    assert [(line["verdict"], line.get("cause")) for line in lines if line["type"] == "mock"] == [
        ("MATCH", "tests"), ("MATCH", None), ("MATCH", None),
        ("NO_MATCH", "tests"), ("NO_MATCH", None), ("NO_MATCH", None),
    ]  # fmt: skip
    assert lines[-1]["byTests"] == {"MATCH": 1, "NO_MATCH": 1, "PASSTHROUGH": 0}


async def test_without_a_replays_id_nobody_says_who_caused_a_call(recording: Any, serve: Any) -> None:
    recording.add(answer=b"1")
    running = await serve()
    await running.raw(b"GET /v1/items HTTP/1.1\r\nHost: api.example.com\r\nbaggage: speedscale-replay=r-1\r\n\r\n")
    lines = await running.results()
    assert "byTests" not in lines[-1]
    assert [line for line in lines if "cause" in line] == []


async def test_a_sequence_that_ends_misses_with_the_reason(recording: Any, serve: Any) -> None:
    recording.add(answer=b"1")
    running = await serve(RESPONSE_SELECTION="miss")
    first, second = bodies(await running.raw(GET % b"/v1/items" * 2))
    assert first == b"1"
    assert json.loads(second)["error"] == "used-up"


async def test_a_random_selection_is_the_same_for_the_same_seed(recording: Any, serve: Any) -> None:
    for n in range(5):
        recording.add(answer=str(n).encode())
    runs = []
    for _ in range(2):
        running = await serve(RESPONSE_SELECTION="random", SEED="7")
        runs.append(bodies(await running.raw(GET % b"/v1/items" * 30)))
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 1


async def test_answers_keep_the_order_of_pipelined_requests_even_when_one_waits(recording: Any, serve: Any) -> None:
    recording.add(url="http://api.example.com/slow", answer=b"slow", duration=50)
    recording.add(url="http://api.example.com/fast", answer=b"fast")
    running = await serve(RESPONSE_TIMING="recorded")
    answer = await running.raw(GET % b"/slow" + GET % b"/fast" + GET % b"/slow" + GET % b"/fast")
    assert bodies(answer) == [b"slow", b"fast", b"slow", b"fast"]


async def test_a_delay_holds_nobody_else_up(recording: Any, serve: Any) -> None:
    recording.add(url="http://api.example.com/slow", answer=b"slow", duration=60_000)
    recording.add(url="http://api.example.com/fast", answer=b"fast")
    running = await serve(RESPONSE_TIMING="5x")
    waiting = [asyncio.create_task(running.raw(GET % b"/slow")) for _ in range(50)]
    assert bodies(await running.raw(GET % b"/fast")) == [b"fast"]
    assert not any(task.done() for task in waiting)
    await running.stop()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_miss_says_what_is_near_and_what_differs(recording: Any, serve: Any) -> None:
    recording.add("POST", "http://api.example.com/pay", b'{"amount":10,"user":{"id":"u1"}}')
    running = await serve()
    body = b'{"amount":10,"user":{"id":"u2"}}'
    head = (
        b"POST /pay HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    answer = await running.raw(head % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nX-Speedscale-Message: ")
    (told,) = (json.loads(text) for text in bodies(answer))
    (near,) = told["nearest"]
    assert near["differences"] == [{"key": "http:requestBodyJSON", "path": "user.id", "recorded": "u1", "asked": "u2"}]
    lines = await running.results()
    assert all(not check("mock-line", line) for line in lines)
    missed = next(line for line in lines if line["type"] == "mock")
    assert (missed["verdict"], missed["nearest"]) == ("NO_MATCH", [near])
    assert [line["type"] for line in lines] == ["run", "mock", "unused", "end"]
    assert lines[-1]["verdicts"] == {"MATCH": 0, "NO_MATCH": 1, "PASSTHROUGH": 0}


async def test_truncated_recordings_are_never_served(recording: Any, serve: Any) -> None:
    recording.add(answer=b"half", tags={"responsePayloadTruncated": "1000"})
    running = await serve()
    answer = await running.raw(GET % b"/v1/items")
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert json.loads(bodies(answer)[0])["error"] == "truncated"
    assert (await running.results())[-1]["reasons"] == {"truncated": 1}


@pytest.mark.parametrize(
    ("method", "status", "headers", "expected"),
    [
        ("HEAD", 200, {"Content-Length": "1234"}, b"Content-Length: 1234\r\n\r\n"),
        ("GET", 204, {}, b"Content-Type: application/json\r\n\r\n"),
        ("GET", 304, {"Etag": '"x"'}, b'Etag: "x"\r\n\r\n'),
    ],
)
async def test_answers_without_a_body(
    recording: Any, serve: Any, method: str, status: int, headers: dict[str, str], expected: bytes
) -> None:
    recording.add(method, "http://api.example.com/x", answer=b"", status=status, headers=headers)
    recording.add(url="http://api.example.com/y", answer=b"next")
    running = await serve()
    request = b"%s /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n" % method.encode()
    first, _, rest = (await running.raw(request + GET % b"/y")).partition(b"\r\n\r\n")
    assert (first + b"\r\n\r\n").endswith(expected)
    assert bodies(rest) == [b"next"]


async def test_chunked_recordings_come_chunked_but_not_for_http_1_0(recording: Any, serve: Any) -> None:
    recording.add(answer=b"hello", headers={"Transfer-Encoding": "chunked"})
    running = await serve()
    assert (await running.raw(GET % b"/v1/items")).endswith(
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    old = await running.raw(b"GET /v1/items HTTP/1.0\r\nHost: api.example.com\r\n\r\n")
    assert b"chunked" not in old
    assert old.endswith(b"Connection: close\r\nContent-Length: 5\r\n\r\nhello")


def joined(root: Path, pattern: str) -> bytes:
    """Return the bytes of all files of a name under a folder."""
    return b"".join(path.read_bytes() for path in sorted(root.rglob(pattern)))


SECRET = "jane.roe@corp.example"


def redacted(rules: Rules) -> Callable[[RRPair], RRPair]:
    """Return what the forwarder does to a pair: the rule `standard`, under the key that the responder has."""
    return rules.get("standard").whole


async def test_a_redacted_mock_answers_a_live_request_with_the_real_value(
    recording: Any, serve: Any, rules: Rules, tmp_path: Path
) -> None:
    body = json.dumps({"email": SECRET, "n": 1}).encode()
    recording.add(
        "POST", f"http://api.example.com/users?email={SECRET.replace('@', '%40')}", body, b'{"id":1}',
        sent={"Content-Type": "application/json"}, change=redacted(rules),
    )  # fmt: skip
    assert SECRET.encode() not in joined(recording.root, "*.json")
    running = await serve()
    request = (
        f"POST /users?email={SECRET.replace('@', '%40')} HTTP/1.1\r\nHost: api.example.com\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    assert bodies(await running.raw(request * 2)) == [b'{"id":1}'] * 2
    other = request.replace(b'"n": 1', b'"n": 2')
    (told,) = bodies(await running.raw(other))
    (difference,) = json.loads(told)["nearest"][0]["differences"]
    assert (difference["path"], difference["recorded"], difference["asked"]) == ("n", "1", "2")
    await running.stop()
    written = joined(tmp_path, "mocks.jsonl")
    assert SECRET.encode() not in written
    assert b"MATCH" in written


async def test_unredacted_recordings_leave_no_personal_data_in_the_results(recording: Any, serve: Any) -> None:
    recording.add(url=f"http://api.example.com/users/{SECRET}")
    recording.add(url=f"http://api.example.com/others?mail={SECRET}")
    running = await serve()
    assert bodies(await running.raw(GET % f"/users/{SECRET}".encode())) == [b'{"ok":true}']
    await running.raw(GET % f"/others?mail=x{SECRET}".encode())
    assert SECRET not in json.dumps(await running.results())


@pytest.fixture
async def origin() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A real destination on loopback; the requests that it saw."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                seen.append(head + body)
                text = b'{"mail":"%s"}' % SECRET.encode()
                writer.write(
                    b"HTTP/1.1 201 Made\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], seen
    server.close()
    await server.wait_closed()


async def test_get_passes_through_and_post_does_not(recording: Any, serve: Any, origin: Any) -> None:
    port, seen = origin
    recording.add()
    running = await serve(ON_MISS="safe")
    code, output = await running.curl("-i", f"http://127.0.0.1:{port}/live")
    assert code == 0
    assert output.startswith("HTTP/1.1 201 Made")
    assert "X-Speedscale-Cache-Passthrough: true" in output
    assert output.endswith(SECRET + '"}')
    code, output = await running.curl("-i", "-d", "a=1", f"http://127.0.0.1:{port}/live")
    assert output.startswith("HTTP/1.1 404")
    assert len(seen) == 1
    lines = await running.results()
    assert lines[-1]["verdicts"] == {"MATCH": 0, "NO_MATCH": 1, "PASSTHROUGH": 1}


async def test_fail_asks_nobody(recording: Any, serve: Any, origin: Any) -> None:
    port, seen = origin
    recording.add()
    running = await serve(ON_MISS="fail")
    _, output = await running.curl("-i", f"http://127.0.0.1:{port}/live")
    assert output.startswith("HTTP/1.1 404")
    assert not seen


async def test_direct_requests_have_nowhere_to_pass_to(recording: Any, serve: Any) -> None:
    recording.add()
    running = await serve(ON_MISS="passthrough")
    assert (await running.raw(GET % b"/unknown")).startswith(b"HTTP/1.1 404")


async def test_a_destination_that_is_gone_is_explained(recording: Any, serve: Any, origin: Any) -> None:
    recording.add()
    running = await serve(ON_MISS="safe")
    probe = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    _, output = await running.curl("-i", f"http://127.0.0.1:{port}/live")
    assert output.startswith("HTTP/1.1 502")
    assert "passthrough-failed" in output


async def test_we_never_pass_through_to_ourselves(recording: Any, serve: Any) -> None:
    recording.add()
    running = await serve(ON_MISS="passthrough")
    _, output = await running.curl("-i", f"http://127.0.0.1:{running.ports['proxyPort']}/live")
    assert output.startswith("HTTP/1.1 404")


async def test_record_adds_the_pair_redacted_and_serves_it_next_time(recording: Any, serve: Any, origin: Any) -> None:
    port, seen = origin
    recording.add()
    running = await serve(ON_MISS="record")
    arguments = ["-H", "Content-Type: application/json", "-d", json.dumps({"email": SECRET})]
    url = f"http://127.0.0.1:{port}/new"
    first = await running.curl(*arguments, url)
    second = await running.curl(*arguments, url)
    assert first[0] == second[0] == 0
    assert SECRET in first[1]
    assert "REDACTED-EMAIL-" in second[1]
    assert len(seen) == 1
    await running.stop()
    written = sorted(recording.root.rglob("*.md"))
    assert len(written) == 1
    assert SECRET not in written[0].read_text()
    (pair,) = (entry.pair for entry in recordings.read(written[0]))
    assert pair is not None
    assert pair.doc["dlpRule"] == "standard"
    again = await serve(ON_MISS="fail")
    assert "REDACTED-EMAIL-" in (await again.curl(*arguments, url))[1]


async def test_a_snapshot_is_not_recorded_into(recording: Any, tmp_path: Path) -> None:
    recording.add()
    made = snapshot.create(recordings.read(recording.root), Selection(), tmp_path / "snapshots")
    environ = {"SNAPSHOT_ID": str(made.path), "SPEEDSCALE_HOME": str(tmp_path / "home"), "ON_MISS": "record"}
    with pytest.raises(ConfigError, match="immutable"):
        Loaded(parse(environ))


@pytest.mark.parametrize(
    ("fault", "check_answer"),
    [
        ("items:rate=1/1", lambda a: a.startswith(b"HTTP/1.1 503")),
        ("items:status=418", lambda a: a.startswith(b"HTTP/1.1 418")),
        ("items:body=corrupt", lambda a: len(bodies(a)[0]) == 11 and b'{"ok":true}' not in a),
        ("items:body=truncate:3", lambda a: a.endswith(b'Content-Length: 11\r\n\r\n{"o')),
        ("items:connection=drop", lambda a: a == b""),
        ("/nothing:status=418", lambda a: a.endswith(b'{"ok":true}')),
    ],
)
async def test_faults(recording: Any, serve: Any, fault: str, check_answer: Any) -> None:
    recording.add()
    running = await serve(FAULTS=fault)
    assert check_answer(await running.raw(GET % b"/v1/items"))


@pytest.mark.parametrize("how", ["refuse", "reset"])
async def test_connections_that_are_reset(recording: Any, serve: Any, how: str) -> None:
    recording.add()
    running = await serve(FAULTS=f"items:connection={how}")
    with pytest.raises(ConnectionError):
        await running.raw(GET % b"/v1/items")


async def test_faults_are_periodic_marked_and_out_of_the_match_rate(recording: Any, serve: Any) -> None:
    recording.add()
    running = await serve(FAULTS="items:rate=1/3")
    answer = await running.raw(GET % b"/v1/items" * 6)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"503", b"200", b"200"] * 2
    lines = await running.results()
    assert [line.get("fault") for line in lines if line["type"] == "mock"] == ["rate=1/3", None, None] * 2
    assert (lines[-1]["faults"], lines[-1]["matchPct"]) == ({"rate=1/3": 2}, 100.0)


async def test_responder_chains_change_requests_and_answers(recording: Any, serve: Any, tmp_path: Path) -> None:
    recording.add(url="http://api.example.com/v1/items?stamp=1", answer=b'{"at":"recorded","n":1}')
    chains = {
        "id": "t",
        "responder": [
            {"extractor": {"type": "http_queryparam", "config": {"name": "stamp"}},
             "transforms": [{"type": "constant", "config": {"new": "fixed"}}]},
            {"extractor": {"type": "res_body"},
             "transforms": [{"type": "json_path", "config": {"path": "at"}},
                            {"type": "constant", "config": {"new": "served"}}]},
        ],
    }  # fmt: skip
    path = tmp_path / "set.json"
    path.write_text(json.dumps(chains))
    running = await serve(TRANSFORM_SET=str(path))
    (body,) = bodies(await running.raw(GET % b"/v1/items?stamp=999"))
    assert json.loads(body) == {"at": "served", "n": 1}


async def test_the_test_configs_chains_make_requests_alike_that_differ_each_time(recording: Any, serve: Any) -> None:
    sent = '{"alerts":[{"name":"a","at":"%s"},{"name":"b","at":"%s"}],"from":"pod-%s"}'
    recording.add(method="POST", body=(sent % ("12:00", "12:01", "x7")).encode(), answer=b"taken")
    chains = [
        {
            "extractor": {"type": "req_body"},
            "transforms": [
                {"type": "json_path", "config": {"path": path}},
                {"type": "constant", "config": {"new": "any"}},
            ],
        }
        for path in ("alerts[0].at", "alerts[1].at", "from")
    ]
    ask = sent % ("15:30", "15:31", "q2")
    post = f"POST /v1/items HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {len(ask)}\r\n\r\n{ask}".encode()
    running = await serve(TEST_CONFIG=json.dumps({"id": "t", "transforms": {"responder": chains}}))
    other = post.replace(b'"name":"a"', b'"name":"z"')
    answers = await running.raw(post + other)
    assert bodies(answers)[0] == b"taken"
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404"], "what no chain speaks of still counts"


async def test_selectors_mock_less(recording: Any, serve: Any) -> None:
    recording.add(url="http://api.example.com/a", answer=b"a")
    recording.add(url="http://other.example.com/b", answer=b"b")
    running = await serve(MOCKS="host:api.example.com")
    assert running.loaded.mocks.answers == 1


async def test_lines_are_bounded_and_counts_exact(recording: Any, serve: Any) -> None:
    recording.add()
    running = await serve(RESULT_LINES_MAX="2")
    await running.raw(GET % b"/v1/items" * 5)
    lines = await running.results()
    assert sum(line["type"] == "mock" for line in lines) == 2
    assert (lines[-1]["requests"], lines[-1]["linesLeftOut"]) == (5, 3)


async def test_each_session_goes_through_a_sequence_on_its_own(recording: Any, serve: Any) -> None:
    for n in (b"1", b"2"):
        recording.add(answer=n)
    running = await serve()
    ask = b"GET /v1/items HTTP/1.1\r\nHost: api.example.com\r\n%s\r\n"
    a, b = ask % b"Authorization: Bearer a\r\n", ask % b"Cookie: theme=x; sessionid=b\r\n"
    assert bodies(await running.raw(a + b + a + b + GET % b"/v1/items")) == [b"1", b"1", b"2", b"2", b"1"]


async def test_a_rule_that_fails_shows_and_writes_nothing_of_the_request(
    recording: Any, serve: Any, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.add()

    def fail(pair: RRPair) -> RRPair:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(rules.get("standard"), "request", fail)
    running = await serve()
    answer = await running.raw(GET % f"/users/{SECRET}".encode() + GET % b"/v1/items")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert SECRET.encode() not in answer
    assert running.loaded.counts.redaction_failures == 1
    lines = [line for line in await running.results() if line["type"] == "mock"]
    assert [(line["verdict"], line.get("reason")) for line in lines] == [("NO_MATCH", "unreadable")]


async def test_other_protocols_are_counted_not_forgotten(recording: Any, serve: Any) -> None:
    recording.add()

    def as_postgres(pair: RRPair) -> RRPair:
        del pair.doc["http"]
        pair.doc.update(l7protocol="postgres", postgres={"request": {"query": {"query": "SELECT 1"}}})
        return pair

    recording.add(change=as_postgres)
    running = await serve()
    assert running.loaded.mocks.unservable == {"protocol": 1}
    assert (await running.results())[0]["unservable"] == {"protocol": 1}


async def test_an_answer_that_breaks_off_is_not_recorded(recording: Any, serve: Any) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    recording.add()
    running = await serve(ON_MISS="record")
    port = server.sockets[0].getsockname()[1]
    code, _ = await running.curl(f"http://127.0.0.1:{port}/x")
    assert code == 18  # curl: partial file
    server.close()
    await server.wait_closed()
    assert running.loaded.counts.recorded == 0
    assert not joined(recording.root, "*.md")


async def test_an_answer_without_a_length_ends_with_its_connection(recording: Any, serve: Any) -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall of it")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(old, "127.0.0.1", 0)
    recording.add()
    running = await serve(ON_MISS="safe")
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    assert await running.curl(url, url) == (0, "all of itall of it")
    server.close()
    await server.wait_closed()


async def test_metrics_say_what_happened(recording: Any, serve: Any) -> None:
    recording.add()
    recording.add(url="http://api.example.com/cut", tags={"responsePayloadTruncated": "9"})
    running = await serve()
    await running.raw(GET % b"/v1/items" + GET % b"/cut" + b"NONSENSE\r\n\r\n")
    loaded = running.loaded
    registry = CollectorRegistry()
    ResponderCollector(registry, loaded.counts, loaded.mocks, loaded.results, loaded.matcher)
    value = registry.get_sample_value
    assert value("speedscale_responder_requests_total", {"verdict": "MATCH"}) == 1
    assert value("speedscale_responder_unanswered_total", {"reason": "truncated"}) == 1
    assert value("speedscale_responder_broken_total", {"reason": "http"}) == 1
    assert value("speedscale_responder_unservable_mocks", {"reason": "truncated"}) == 1
    assert value("speedscale_responder_connections_total") == 1


async def test_a_set_that_came_with_the_recording_applies(recording: Any, serve: Any) -> None:
    recording.add(url="http://api.example.com/v1/items?stamp=1")
    chain = {
        "extractor": {"type": "http_queryparam", "config": {"name": "stamp"}},
        "transforms": [{"type": "constant", "config": {"new": "fixed"}}],
    }
    metadata = recording.root / ".metadata"
    metadata.mkdir()
    document = {"id": "x", "tokenizerConfig": {"id": "t", "responder": [chain]}}
    (metadata / "snapshot.json").write_text(json.dumps(document))
    running = await serve()
    assert bodies(await running.raw(GET % b"/v1/items?stamp=999")) == [b'{"ok":true}']


async def test_store_sig_tells_apart_what_the_request_alone_does_not(
    recording: Any, serve: Any, tmp_path: Path
) -> None:
    recording.add(sent={"X-Tenant": "a"}, answer=b"a")
    recording.add(sent={"X-Tenant": "b"}, answer=b"b")
    chain = {
        "extractor": {"type": "http_req_header", "config": {"name": "X-Tenant"}},
        "transforms": [{"type": "store_sig", "config": {"key": "tenant"}}],
    }
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"id": "t", "responder": [chain]}))
    running = await serve(TRANSFORM_SET=str(path))
    ask = b"GET /v1/items HTTP/1.1\r\nHost: api.example.com\r\nX-Tenant: %s\r\n\r\n"
    answer = await running.raw(ask % b"b" + ask % b"a" + ask % b"b" + ask % b"c")
    assert bodies(answer)[:3] == [b"b", b"a", b"b"]
    (difference,) = json.loads(bodies(answer)[3])["nearest"][0]["differences"]
    assert (difference["key"], difference["asked"]) == ("tenant", "c")


async def test_a_rule_of_an_exporter_on_top_of_the_forwarders_is_followed(
    recording: Any, serve: Any, rules: Rules, home: Path
) -> None:
    folder = home / "data" / "dlp"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    chain = {
        "filters": {"filters": [{"include": True, "operator": "CONTAINS", "detectedLocation": "/"}]},
        "extractor": {"type": "req_body"},
        "transforms": [{"type": "json_path", "config": {"path": "project"}}, {"type": "dlp_field"}],
    }
    (folder / "projects.json").write_text(json.dumps({"id": "projects", "transforms": [chain]}))

    def both(pair: RRPair) -> RRPair:
        return rules.get("projects").whole(rules.get("standard").whole(pair))

    body = json.dumps({"email": SECRET, "project": "Manhattan"}).encode()
    sent = {"Content-Type": "application/json"}
    recording.add("POST", "http://api.example.com/p", body, b"found", sent=sent, change=both)
    assert b"Manhattan" not in joined(recording.root, "*.json")
    running = await serve()
    head = b"POST /p HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    assert bodies(await running.raw(head % len(body) + body)) == [b"found"]


async def test_recordings_that_sign_xml_as_a_document_match(recording: Any, serve: Any) -> None:
    def sign(pair: RRPair) -> RRPair:
        keep = {"http:host": b"api.example.com", "http:method": b"POST", "http:url": b"/x", "http:queryparams": b""}
        pair.doc["signature"] = signatures.to_document({**keep, "http:requestBodyXML": b"<a><b>1</b></a>"})
        return pair

    recording.add("POST", "http://api.example.com/x", b"<a><b>1</b></a>", b"found", change=sign, annotate=False)
    running = await serve()
    body = b"<a>\n  <b>1</b>\n</a>"
    head = b"POST /x HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
    assert bodies(await running.raw(head % len(body) + body)) == [b"found"]
