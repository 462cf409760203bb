"""Every operation of the API's document is asked, well and badly, and every answer is what the document says."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hdrh.histogram import HdrHistogram

from speedscale_runtime.delivery import archive
from speedscale_schemas import backend_api, frames

Pair = Callable[..., dict[str, Any]]


class Walker:
    """Asks, and holds each answer against the document."""

    def __init__(self, running: Any) -> None:
        self._url = running.url
        context = ssl.create_default_context(cafile=running.certificates.ca)
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), auto_decompress=False)
        self.good: set[str] = set()
        self.bad: set[str] = set()

    async def ask(self, name: str, status: int, key: str | None, /, *, data: Any = None, **given: Any) -> Any:
        """Ask an operation; return the answer's JSON or bytes."""
        operation = backend_api.operations()[name]
        path, query = operation.path, {}
        for parameter, value in given.items():
            parameter = parameter.rstrip("_")
            if f"{{{parameter}}}" in path:
                path = path.replace(f"{{{parameter}}}", value)
            elif parameter != "headers":
                query[parameter] = value
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **given.get("headers", {})}
        body = json.dumps(data).encode() if isinstance(data, dict) else data
        async with self.session.request(
            operation.method, self._url + path, params=query, data=body, headers=headers
        ) as response:
            answer = await response.read()
            assert response.status == status, (name, response.status, answer[:500])
            self._check(operation, response, answer)
            kind = response.content_type
        return json.loads(answer) if kind == "application/json" and answer else answer

    def _check(self, operation: backend_api.Operation, response: Any, answer: bytes) -> None:
        responses = backend_api.document()["paths"][operation.path][operation.method.lower()]["responses"]
        told = responses.get(str(response.status))
        (self.bad if told is None else self.good).add(operation.id)
        content = (told or responses["default"]).get("content")
        if content is None:
            assert answer == b"", operation.id
            return
        assert response.content_type in content, (operation.id, response.content_type)
        if response.content_type == "application/json":
            schema = content["application/json"]["schema"]
            assert backend_api.mistakes(schema, json.loads(answer), operation.id) == []


KEY = "sk-environment-0123456789"
BATCH = {frames.H_VERSION: "1", frames.H_SENDER: "walker", frames.H_EPOCH: "1", frames.H_SEQUENCE: "1"}


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    archive.pack(folder, out)
    return out.getvalue()


def results(folder: Path, document: dict[str, Any]) -> bytes:
    """Return a small run's results."""
    run = {
        "type": "run", "version": 1, "id": "run-1", "mode": "functional", "snapshot": "s", "targets": ["http://shop"],
        "startedAt": "2026-01-03T03:04:05Z", "buildTag": "b1", "seed": 1, "tests": 1, "skipped": [], "processes": 1,
        "testConfig": {"id": "standard", "rules": [], "assertionGroups": []},
    }  # fmt: skip
    line = {
        "type": "pair", "index": 0, "iteration": 0, "vuser": 0, "session": "", "endpoint": "GET /items",
        "recorded": document, "replayed": document, "scheduledMs": 0.0, "sentMs": 0.1, "latencyMs": 3.0,
        "serviceTimeMs": 2.0, "error": None,
    }  # fmt: skip
    end = {
        "type": "end", "durationMs": 100.0, "iterations": 1, "offeredRate": None, "achievedRate": 1.0, "dropped": 0,
        "cpuSeconds": 0.1, "rssBytes": 1, "learned": {}, "cancelled": False, "ok": True, "why": "", "requests": 1,
        "errors": 0,
    }  # fmt: skip
    histogram = HdrHistogram(1, 3_600_000_000, 3)
    histogram.record_value(3000)
    coded = histogram.encode().decode()
    endpoint = {
        "type": "endpoint", "endpoint": "GET /items", "method": "GET", "location": "/items", "requests": 1,
        "errors": 0, "errorCauses": {}, "statusCodes": {"200": 1}, "matched": 1, "latencyHdr": coded,
        "serviceTimeHdr": coded, "recordedLatencyHdr": coded,
    }  # fmt: skip
    folder.mkdir()
    (folder / "results.jsonl").write_text("".join(json.dumps(x) + "\n" for x in (run, line, endpoint, end)))
    (folder / "logs").mkdir()
    (folder / "logs" / "shop.log").write_text("a line\n")
    return packed(folder)


@pytest.fixture
async def walker(backend: Any) -> Any:
    walker = Walker(backend)
    yield walker
    await walker.session.close()


async def test_every_operation_answers_as_the_document_says(
    walker: Walker, make_pair: Pair, encode: Any, tmp_path: Path
) -> None:
    ask = walker.ask
    await ask("describe", 200, None)
    assert (await ask("whoami", 200, KEY))["name"] == "environment"
    await traffic(ask, make_pair, encode)
    await snapshots(ask)
    await documents(ask)
    await replays_and_reports(ask, make_pair, tmp_path)
    await clusters(walker)
    await keys(ask)
    assert {e["action"] for e in (await ask("listAudit", 200, KEY, limit="200"))["items"]} >= {
        "erasePairs", "createSnapshot", "putTestConfig", "putResults", "runCommand", "createKey", "openChannel",
    }  # fmt: skip
    first = await ask("listAudit", 200, KEY, limit="2")
    second = await ask("listAudit", 200, KEY, limit="2", cursor=first["cursor"])
    assert first["items"][-1] != second["items"][0]
    await ask("listAudit", 400, KEY, cursor="nonsense")
    closed = [o for o in backend_api.operations().values() if o.scopes is not None][:12]  # more, and we have to wait
    for operation in closed:
        values = dict.fromkeys(operation.named("path"), "x")
        assert (await ask(operation.id, 401, None, **values))["reason"] == "unauthenticated"
    assert walker.good | {"openChannel"} == set(backend_api.operations())


async def traffic(ask: Any, make_pair: Pair, encode: Any) -> None:
    payload = encode(make_pair(1), make_pair(2, direction="OUT"), make_pair(3, session="gone"))
    assert await ask("takeBatch", 200, KEY, data=payload, headers=BATCH) == {"sequence": 1}
    assert await ask("takeBatch", 200, KEY, data=payload, headers=BATCH) == {"sequence": 1, "duplicate": True}
    await ask("takeBatch", 400, KEY, data=payload, headers={**BATCH, frames.H_EPOCH: "x"})
    page = await ask("listPairs", 200, KEY, limit="2")
    assert len(page["items"]) == 2
    assert len((await ask("listPairs", 200, KEY, cursor=page["cursor"], full="true"))["items"]) == 1
    for wrong in ({"limit": "0"}, {"limit": "many"}, {"direction": "UP"}, {"nonsense": "1"}, {"start": "now"}):
        assert (await ask("listPairs", 400, KEY, **wrong))["reason"] == "invalid"
    uuid = page["items"][0]["uuid"]
    assert (await ask("getPair", 200, KEY, uuid=uuid))["location"] == "/items/1"
    assert (await ask("getPair", 404, KEY, uuid="none"))["reason"] == "not_found"
    assert (await ask("erasePairs", 200, KEY, session="gone"))["erased"] == 1
    await ask("erasePairs", 400, KEY)
    await ask("erasePairs", 400, KEY, token="everything")


async def snapshots(ask: Any) -> None:
    made = await ask("createSnapshot", 201, KEY, data={"name": "first", "services": ["shop"]})
    assert (made["tests"], made["mocks"]) == (1, 1)
    again = await ask("createSnapshot", 201, KEY, data={"name": "first", "services": ["shop"]})
    assert again == made
    assert (await ask("createSnapshot", 422, KEY, data={"services": ["nobody"]}))["reason"] == "nothing_selected"
    assert (await ask("createSnapshot", 400, KEY, data={"filter": "(x"}))["reason"] == "invalid"
    assert (await ask("createSnapshot", 400, KEY, data={"colour": "red"}))["problems"]
    assert (await ask("createSnapshot", 400, KEY, data=b"{"))["reason"] == "malformed"
    listed = (await ask("listSnapshots", 200, KEY, service="shop"))["items"]
    assert listed == [{k: v for k, v in made.items() if k != "manifest"}]
    assert (await ask("listSnapshots", 200, KEY, service="hop"))["items"] == []
    assert (await ask("getSnapshot", 200, KEY, id="latest"))["id"] == made["id"]
    await ask("getSnapshot", 404, KEY, id="none")
    tar = await ask("getArchive", 200, KEY, id=made["id"])
    assert tar == await ask("getArchive", 200, KEY, id="latest")
    await ask("getArchive", 404, KEY, id="none")
    await ask("deleteSnapshot", 204, KEY, id=made["id"])
    await ask("deleteSnapshot", 404, KEY, id=made["id"])
    kind = {"Content-Type": "application/x-tar"}
    assert (await ask("putArchive", 400, KEY, id="other", data=tar, headers=kind))["reason"] == "invalid"
    assert (await ask("putArchive", 400, KEY, id=made["id"], data=tar[:3000], headers=kind))["reason"] == "invalid"
    forged = tar.replace(b"/items/1", b"/items/9")
    assert "was changed" in str(await ask("putArchive", 400, KEY, id=made["id"], data=forged, headers=kind))
    assert (await ask("putArchive", 400, KEY, id=made["id"], data=b"tar", headers=kind))["reason"] == "invalid"
    back = await ask("putArchive", 200, KEY, id=made["id"], data=repacked(tar), headers=kind)
    assert back["sha256"] == made["sha256"]  # whoever packed it
    assert await ask("getArchive", 200, KEY, id=made["id"]) == tar


def repacked(tar: bytes) -> bytes:
    """Return the same files as another tool packs them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(tar)) as source, tarfile.open(fileobj=out, mode="w") as target:
        for member in reversed(source.getmembers()):
            data = source.extractfile(member)
            member.name, member.mtime, member.uname = f"some-folder/{member.name}", 1_700_000_000, "somebody"
            target.addfile(member, data)
    return out.getvalue()


async def documents(ask: Any) -> None:
    listed = (await ask("listTestConfigs", 200, KEY))["items"]
    assert {"id": "standard", "builtin": True, "updatedAt": None} in listed
    standard = await ask("getTestConfig", 200, KEY, id="standard")
    await ask("putTestConfig", 204, KEY, id="mine", data={**standard, "id": "mine"})
    assert (await ask("getTestConfig", 200, KEY, id="mine"))["id"] == "mine"
    answer = await ask("putTestConfig", 400, KEY, id="mine", data={"id": 7})
    assert any("id" in problem for problem in answer["problems"])
    await ask("getTestConfig", 404, KEY, id="none")
    await ask("deleteTestConfig", 204, KEY, id="mine")
    assert (await ask("deleteTestConfig", 409, KEY, id="standard"))["reason"] == "conflict"
    for kind in ("filter", "dlp", "transform"):
        await ask("listRules", 200, KEY, kind=kind)
    rule = await ask("getRule", 200, KEY, kind="filter", id="standard")
    await ask("putRule", 204, KEY, kind="filter", id="mine", data=rule)
    await ask("putRule", 400, KEY, kind="dlp", id="mine", data={"nonsense": 1})
    await ask("getRule", 404, KEY, kind="transform", id="none")
    await ask("getRule", 400, KEY, kind="colour", id="standard")
    await ask("listRules", 400, KEY, kind="colour")
    await ask("deleteRule", 204, KEY, kind="filter", id="mine")
    await ask("deleteRule", 404, KEY, kind="filter", id="mine")


async def replays_and_reports(ask: Any, make_pair: Pair, tmp_path: Path) -> None:
    await ask("putReplay", 204, KEY, id="r1", data={"state": "Testing", "namespace": "web", "cluster": "prod"})
    await ask("putReplay", 204, KEY, id="r1", data={"state": "Passed", "report": "rep"})
    shown = await ask("getReplay", 200, KEY, id="r1")
    assert (shown["state"], shown["namespace"], shown["report"]) == ("Passed", "web", "rep")
    await ask("putReplay", 400, KEY, id="r1", data={"state": "Sleeping"})
    await ask("getReplay", 404, KEY, id="none")
    assert [r["id"] for r in (await ask("listReplays", 200, KEY, namespace="web"))["items"]] == ["r1"]
    await ask("listReplays", 400, KEY, colour="red")
    data = results(tmp_path / "results", make_pair(1))
    kind = {"Content-Type": "application/zstd"}
    made = await ask("putResults", 200, KEY, id="rep", replay="r1", namespace="web", data=data, headers=kind)
    assert (made["state"], made["summary"]["requests"], made["buildTag"]) == ("Passed", 1, "b1")
    assert {f["name"] for f in made["files"]} == {"results.jsonl", "logs/shop.log"}
    again = await ask("putResults", 200, KEY, id="rep", replay="r1", data=data, headers=kind)
    assert again["createdAt"] == made["createdAt"]
    assert (await ask("putResults", 400, KEY, id="rep2", data=b"zstd", headers=kind))["reason"] == "invalid"
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "results.jsonl").write_text("{}\n")
    await ask("putResults", 400, KEY, id="rep2", data=packed(tmp_path / "empty"), headers=kind)
    assert [r["id"] for r in (await ask("listReports", 200, KEY, replay="r1", state="Passed"))["items"]] == ["rep"]
    await ask("listReports", 400, KEY, limit="-1")
    assert (await ask("getReport", 200, KEY, id="rep"))["status"] == "Passed"
    for form, begin in (("html", b"<!"), ("junit", b"<?xml"), ("markdown", b"#")):
        page = await ask("getReport", 200, KEY, id="latest", format=form)
        assert page.startswith(begin)
        assert page == await ask("getReport", 200, KEY, id="rep", format=form)
    await ask("getReport", 400, KEY, id="rep", format="pdf")
    await ask("getReport", 404, KEY, id="none")
    assert await ask("getReportFile", 200, KEY, id="rep", name="logs/shop.log") == b"a line\n"
    await ask("getReportFile", 404, KEY, id="rep", name="other")
    await ask("getReportFile", 400, KEY, id="rep", name="..%2f..%2fcloud.sqlite")
    await ask("deleteReport", 204, KEY, id="rep")
    await ask("deleteReport", 404, KEY, id="rep")


async def clusters(walker: Walker) -> None:
    ask = walker.ask
    assert (await ask("listClusters", 200, KEY))["items"] == []
    await ask("getCluster", 404, KEY, name="prod")
    answer = await ask("runCommand", 503, KEY, name="prod", data={"command": "list-pods"})
    assert answer["reason"] == "not_connected"
    await ask("runCommand", 404, KEY, name="prod", data={"command": "explode"})
    url = f"{walker._url}/v1/clusters/prod/channel"
    async with walker.session.ws_connect(url, headers={"Authorization": f"Bearer {KEY}"}) as socket:
        await socket.send_json(
            {"kind": "hello", "protocol": 1, "cluster": "prod", "version": "1", "commands": ["list-pods"]}
        )

        async def inspector() -> None:
            run = await socket.receive_json()
            assert run["actor"] == {"name": "environment", "labels": {}}
            for number in range(2):
                item = {"kind": "item", "id": run["id"], "sequence": number, "item": {"name": f"pod-{number}"}}
                await socket.send_json(item)
            await socket.send_json({"kind": "end", "id": run["id"], "sequence": 2, "result": {"items": 2}})

        async with asyncio.timeout(90):
            while (await ask("listClusters", 200, KEY))["items"] == []:
                await asyncio.sleep(0.01)
            body = {"command": "list-pods", "arguments": {"namespace": "web"}}
            both = await asyncio.gather(inspector(), ask("runCommand", 200, KEY, name="prod", data=body))
            assert both[1] == {"items": [{"name": "pod-0"}, {"name": "pod-1"}], "result": {"items": 2}}
            accept = {"Accept": "application/x-ndjson"}
            both = await asyncio.gather(
                inspector(), ask("runCommand", 200, KEY, name="prod", data=body, headers=accept)
            )
            assert [json.loads(line)["kind"] for line in both[1].splitlines()] == ["item", "item", "end"]
        assert (await ask("getCluster", 200, KEY, name="prod"))["connected"]
    async with asyncio.timeout(90):
        while (await ask("getCluster", 200, KEY, name="prod"))["connected"]:
            await asyncio.sleep(0.01)


async def keys(ask: Any) -> None:
    made = await ask("createKey", 201, KEY, data={"name": "ci", "scopes": ["read"], "labels": {"env": "test"}})
    await ask("createKey", 400, KEY, data={"name": "ci", "scopes": ["everything"]})
    assert [k["name"] for k in (await ask("listKeys", 200, KEY))["items"]] == ["environment", "ci"]
    given = made["key"]
    assert (await ask("whoami", 200, given))["labels"] == {"env": "test"}
    for name, values in (("createKey", {}), ("listAudit", {}), ("listKeys", {}), ("putReplay", {"id": "x"})):
        assert (await ask(name, 403, given, **values))["reason"] == "forbidden"
    body = {"command": "sidecar-add", "arguments": {"workload": "deployment/shop", "namespace": "web"}}
    assert (await ask("runCommand", 403, given, name="prod", data=body))["reason"] == "scope"
    await ask("deleteKey", 204, KEY, id=made["id"])
    await ask("deleteKey", 404, KEY, id=made["id"])
    await ask("whoami", 401, given)
    assert (await ask("deleteKey", 409, KEY, id="environment"))["reason"] == "conflict"


async def test_an_address_with_wrong_keys_has_to_wait_and_what_is_no_operation_says_so(walker: Walker) -> None:
    async with walker.session.get(f"{walker._url}/v2/nothing") as response:
        assert (response.status, (await response.json())["reason"]) == (404, "no_such_operation")
    for _ in range(1000):
        headers = {"Authorization": "Bearer sk-wrong-wrong-wrong-wrong"}
        async with walker.session.get(f"{walker._url}/v1/whoami", headers=headers) as response:
            if response.status == 429:
                assert (await response.json())["reason"] == "throttled"
                assert response.headers["Retry-After"] == "30"
                return
            assert response.status == 401
    pytest.fail("never asked to wait")


async def test_a_body_over_its_bound_is_refused_with_or_without_a_length(walker: Walker) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    for data in (io.BytesIO(b"x" * 2_000_000), endless()):
        answer = await walker.ask("putTestConfig", 413, KEY, id="large", data=data)
        assert answer["reason"] == "too_large"
