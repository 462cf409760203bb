"""The HTTPS server's answers on loopback: deadlines, bounds, bugs, endings; the decisions are the real ones."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from speedscale_controller.admission import server as module
from speedscale_controller.admission.certificate import Serving
from speedscale_controller.admission.replays import TrafficKeys
from speedscale_controller.admission.server import Server, Sources
from speedscale_controller.injection import Facts, Installation, Namespace
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_schemas import x509

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
MUTATE, REPLAY, VALIDATE = module.PATHS
NAMES = {MUTATE: "mutate", REPLAY: "replay_mutate", VALIDATE: "replay_validate"}


class Bench:
    """A server with its sources, which a test may change, and a client."""

    def __init__(self) -> None:
        self.environ: dict[str, str] = {}
        self.missing: Callable[[str], str] = lambda namespace: ""
        self.facts: Callable[[str, str, str], Facts] = lambda namespace, kind, name: Facts(
            template=None,
            installation=Installation(namespace="speedscale", instance_id="i"),
            namespace=Namespace(name=namespace),
        )
        self.keys: TrafficKeys | None = None
        self.metrics = Metrics()
        sources = Sources(
            lambda: Settings.parse(self.environ),
            lambda namespace: self.missing(namespace),
            lambda namespace, kind, name: self.facts(namespace, kind, name),
            lambda namespace, snapshot: self.keys,
        )
        self.serving = Serving()
        self.server = Server(sources, self.serving, self.metrics)
        self.session: aiohttp.ClientSession
        self.url = ""

    async def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(self.url + path, data=data) as answer:
            text = await answer.text()
            return answer.status, json.loads(text)["response"] if answer.status == 200 else {"text": text}

    def counted(self, path: str, answer: str) -> float:
        labels = {"endpoint": NAMES[path], "answer": answer}
        return self.metrics.registry.get_sample_value("speedscale_operator_admission_reviews_total", labels) or 0.0


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    from datetime import UTC, datetime

    key = x509.new_key()
    validity = x509.Validity(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    return x509.root("ca", key, validity, 1), key


@asynccontextmanager
async def running(pair: tuple[bytes, bytes]) -> AsyncIterator[Bench]:
    bench = Bench()
    bench.serving.load(*pair)
    await bench.server.start("127.0.0.1", 0)
    bench.url = f"https://127.0.0.1:{bench.server.port}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as bench.session:
        yield bench
    await bench.server.close(1.0)


@pytest.fixture
async def bench(pair: tuple[bytes, bytes]) -> AsyncIterator[Bench]:
    async with running(pair) as made:
        yield made


def workload(**annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "app", "image": "a"}]}}},
    }


ASKS = workload(**{"sidecar.speedscale.com/inject": "true"})


def review(obj: object = None, **more: Any) -> dict[str, Any]:
    kind = {"group": "apps", "version": "v1", "kind": "Deployment"}
    request = {"uid": UID, "kind": kind, "namespace": "shop", "name": "web", "operation": "CREATE"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {**request, "object": ASKS if obj is None else obj, **more},
    }


def replay(spec: object, **more: Any) -> dict[str, Any]:
    obj = {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": spec,
    }
    return review(obj, kind={"group": "speedscale.com", "version": "v1", "kind": "TrafficReplay"}, **more)


GOOD = {"snapshotID": "s", "testConfigID": "standard"}


async def test_a_skip_is_allowed_with_its_reason(bench: Bench) -> None:
    """Without a bundle there is no template; `decide` says so."""
    status, response = await bench.post(MUTATE, review())
    assert (status, response["allowed"], response["uid"]) == (200, True, UID)
    assert "patch" not in response
    assert response["auditAnnotations"] == {"verdict": "skip:no_template"}
    assert all(text.startswith("speedscale") for text in response["warnings"])
    assert bench.counted(MUTATE, "skipped") == 1


@pytest.mark.parametrize(
    "more",
    [
        {"operation": "DELETE", "object": None},
        {"operation": "CONNECT"},
        {"subResource": "scale"},
        {"kind": {"group": "apps", "version": "v9", "kind": "Thing"}},
        {"kind": {"group": "example.com", "version": "v1", "kind": "Deployment"}},
        {"object": None},
        {"object": "text"},
    ],
)
async def test_what_is_not_ours_passes_untouched(more: dict[str, Any], bench: Bench) -> None:
    for path in NAMES:
        assert await bench.post(path, review(**more)) == (200, {"uid": UID, "allowed": True})
    assert bench.counted(MUTATE, "not_ours") == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"kind":"AdmissionReview"}'])
async def test_malformed(body: bytes, bench: Bench) -> None:
    for path in NAMES:
        assert (await bench.post(path, body))[0] == 400
        assert bench.counted(path, "malformed") == 1


async def test_other_paths_and_methods(bench: Bench) -> None:
    for method, path, status in (("GET", "/healthz", 200), ("POST", "/other", 404), ("GET", MUTATE, 405)):
        async with bench.session.request(method, bench.url + path) as answer:
            assert answer.status == status


async def test_an_object_that_nobody_expects_is_let_through(bench: Bench) -> None:
    for obj in ({}, {"metadata": None}, {"metadata": {"annotations": 5}}, {"spec": {"template": "x"}}, {"a": [[]]}):
        status, response = await bench.post(MUTATE, review({**obj, "x": "speedscale.com"}))
        assert (status, response["allowed"]) == (200, True), obj
        assert "patch" not in response


async def test_a_bug_lets_workloads_through_and_refuses_replays(bench: Bench) -> None:
    def broken(*_: str) -> Any:
        raise RuntimeError("a bug")

    bench.facts = broken
    _, response = await bench.post(MUTATE, review())
    assert response["allowed"]
    assert "an error in the operator" in response["warnings"][0]
    assert bench.counted(MUTATE, "failed") == 1
    bench.keys = broken  # type: ignore[assignment]
    _, response = await bench.post(VALIDATE, replay({**GOOD, "workloads": [{"ref": {"name": "x"}, "tests": ["c"]}]}))
    assert not response["allowed"]
    assert response["status"]["code"] == 503
    assert "an error in the operator" in response["status"]["message"]


async def test_a_slow_decision_is_not_waited_for(bench: Bench) -> None:
    bench.environ = {"ADMISSION_DEADLINE_S": "0.05"}
    going_on = threading.Event()

    def slow(*_: str) -> Any:
        going_on.wait(10)
        raise RuntimeError("nobody listens any more")

    bench.facts = slow
    _, response = await bench.post(MUTATE, review())
    going_on.set()
    assert response["allowed"]
    assert "took more than 0.05 s" in response["warnings"][0]
    assert bench.counted(MUTATE, "late") == 1


async def test_facts_on_their_way_are_waited_for(bench: Bench) -> None:
    asked: list[str] = []

    def missing(namespace: str) -> str:
        asked.append(namespace)
        return "namespace shop is not known yet" if len(asked) < 3 else ""

    bench.missing = missing
    _, response = await bench.post(MUTATE, review())
    assert asked == ["shop"] * 3
    assert response["auditAnnotations"] == {"verdict": "skip:no_template"}


async def test_facts_that_do_not_come_let_it_through(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FACTS_S", 0.0)
    bench.missing = lambda namespace: "no bundle was read yet"
    _, response = await bench.post(MUTATE, review())
    assert "no bundle was read yet; the operator looks at this workload again" in response["warnings"][0]
    assert bench.counted(MUTATE, "no_facts") == 1
    assert await bench.post(MUTATE, review(workload())) == (200, {"uid": UID, "allowed": True})  # it asks for nothing


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_oversized_review(chunked: bool, bench: Bench) -> None:
    bench.environ = {"ADMISSION_MAX_BYTES": "65536"}

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    big = {**ASKS, "data": "x" * 300_000}
    for path, body in ((MUTATE, review(big)), (VALIDATE, replay({**GOOD, "buildTag": "x" * 300_000}))):
        data = json.dumps(body).encode()
        async with bench.session.post(bench.url + path, data=pieces(data) if chunked else data) as answer:
            response = (await answer.json())["response"]
        assert response["uid"] == UID
        assert response["allowed"] is (path == MUTATE)
        told = response["warnings"][0] if path == MUTATE else response["status"]["message"]
        assert "more than 65536 bytes" in told
        assert bench.counted(path, "too_large") == 1


async def test_more_bytes_than_may_be_held(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_BYTES", 100)
    _, response = await bench.post(MUTATE, review())
    assert response["allowed"]
    assert "too many reviews at once" in response["warnings"][0]
    _, response = await bench.post(VALIDATE, replay(GOOD))
    assert response["status"]["code"] == 503
    assert bench.counted(MUTATE, "busy") == bench.counted(VALIDATE, "busy") == 1


async def test_replays_are_completed_and_judged(bench: Bench) -> None:
    _, response = await bench.post(REPLAY, replay(GOOD))
    assert json.loads(base64.b64decode(response["patch"])) == [
        {"op": "add", "path": "/spec/mode", "value": "full-replay"}
    ]
    assert (await bench.post(VALIDATE, replay(GOOD)))[1]["allowed"]
    _, response = await bench.post(VALIDATE, replay({**GOOD, "mode": "all"}))
    assert not response["allowed"]
    assert response["status"]["code"] == 422
    bench.keys = TrafficKeys(("a:b.example.com:80",), ())
    given = {**GOOD, "workloads": [{"ref": {"name": "x"}, "tests": ["c.example.com"]}]}
    assert "a:b.example.com:80" in (await bench.post(VALIDATE, replay(given)))[1]["status"]["message"]


async def test_many_at_once(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.post(MUTATE, review()) for _ in range(60)))
    assert {status for status, _ in answers} == {200}
    assert all(response["uid"] == UID for _, response in answers)


async def test_a_lame_duck_answers_and_closes(bench: Bench) -> None:
    bench.server.lame_duck()
    async with bench.session.post(bench.url + MUTATE, json=review()) as answer:
        assert answer.headers["Connection"] == "close"
        assert (await answer.json())["response"]["allowed"]
    assert (await bench.post(MUTATE, review()))[0] == 200  # a new connection is still taken


async def test_what_is_in_progress_is_finished(pair: tuple[bytes, bytes]) -> None:
    async with running(pair) as bench:
        reached, going_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        given = bench.facts

        def slow(namespace: str, kind: str, name: str) -> Facts:
            loop.call_soon_threadsafe(reached.set)
            going_on.wait(10)
            return given(namespace, kind, name)

        bench.facts = slow
        asked = asyncio.create_task(bench.post(MUTATE, review()))
        await reached.wait()
        closing = asyncio.create_task(bench.server.close(10.0))
        await asyncio.sleep(0)
        going_on.set()
        assert (await asked)[1]["auditAnnotations"] == {"verdict": "skip:no_template"}
        await closing
        with pytest.raises(aiohttp.ClientConnectorError):
            await bench.post(MUTATE, review())
