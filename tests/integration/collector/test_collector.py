"""The collector over the wire: who may do what, what is durable, what comes out, and what becomes of a bad upload."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from playing_collector import END, RUN, Backend, Identity, Process, packed, results

from speedscale_runtime import snapshot
from speedscale_runtime.collector import fetch
from speedscale_runtime.generator import config, uploading
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.snapshot import Selection
from speedscale_schemas.validation import check

pytestmark = pytest.mark.integration
Start = Callable[..., Process]


def test_results_of_two_pods_become_one_report(collector: Start) -> None:
    one = collector()
    for index, status in ((0, 200), (1, 500)):
        answer = one.call("PUT", f"/v1/results/generator/{index}", data=packed({"results.jsonl": results(status)}))
        assert answer.status_code == 204, answer.text
    found = one.analyse(generators=2, responders=0)
    summary = found["summary"]
    assert not list(check("replay-summary", summary))
    assert (summary["requests"], summary["matched"], summary["state"]) == (2, 1, "Missed Goals")
    assert summary["latency"]["p50"] > 0  # of both histograms together
    assert (found["report"], found["url"], found["stored"]) == ("r1", "", [])


def test_who_may_do_what(collector: Start) -> None:
    one = collector()
    body = packed({"results.jsonl": results()})
    assert one.call("PUT", "/v1/results/generator/0", "other", data=body).status_code == 403
    assert one.call("PUT", "/v1/results/generator/0", "speedscale", data=body).status_code == 403
    assert one.call("PUT", "/v1/results/generator/0", "x" * 43, data=body).status_code == 403
    assert one.call("POST", "/v1/analyse", "shop", json={}).status_code == 403
    assert one.call("GET", "/v1/snapshot", "shop").status_code == 404
    assert 'refused_calls_total{reason="forbidden"} 4.0' in one.metrics()


def test_what_was_acknowledged_outlives_a_kill(collector: Start) -> None:
    one = collector()
    assert one.call("PUT", "/v1/results/generator/0", data=packed({"results.jsonl": results()})).status_code == 204
    one.kill()
    one.start()
    assert one.analyse(generators=1, responders=0)["summary"]["requests"] == 1


def test_a_missing_pod_s_results_are_said_and_there_is_no_verdict(collector: Start) -> None:
    one = collector()
    one.call("PUT", "/v1/results/generator/0", data=packed({"results.jsonl": results()}))
    found = one.analyse(generators=2, responders=1)
    assert found["summary"] is None
    assert "generator 1 has brought no results" in found["notes"]
    assert "1 of 1 responder pods has brought no results" in found["notes"]


def evil(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.type, member.size, member.linkname = kind, len(data) if kind == tarfile.REGTYPE else 0, "/etc/passwd"
        tar.addfile(member, io.BytesIO(data))
    return zstandard.ZstdCompressor().compress(out.getvalue())


BAD = {
    "above": evil("../out"),
    "absolute": evil("/tmp/out"),
    "hidden above": evil("a/../../out"),
    "a link": evil("results.jsonl", tarfile.SYMTYPE),
    "a hard link": evil("results.jsonl", tarfile.LNKTYPE),
    "a device": evil("results.jsonl", tarfile.CHRTYPE),
    "no zstd": b"PK\x03\x04 nothing of the kind",
    "no tar": zstandard.ZstdCompressor().compress(b"x" * 4096),
    "breaks off": zstandard.ZstdCompressor().compress(
        zstandard.ZstdDecompressor().decompress(evil("f", data=b"x" * 4096))[:1024]
    ),
    "half of it": evil("results.jsonl", data=bytes(range(256)) * 64)[:-40],
}


@pytest.mark.parametrize("what", BAD)
def test_bad_archives_are_refused_and_leave_what_was_there(collector: Start, tmp_path: Path, what: str) -> None:
    one = collector()
    one.call("PUT", "/v1/results/generator/0", data=packed({"results.jsonl": results()}))
    answer = one.call("PUT", "/v1/results/generator/0", data=BAD[what])
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_archive"), answer.text
    assert one.analyse(generators=1, responders=0)["summary"]["requests"] == 1
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "results" / "incoming").iterdir()) == []


def test_too_much_is_refused_packed_and_unpacked(collector: Start) -> None:
    one = collector(UPLOAD_MAX_BYTES="4096", RESULTS_MAX_BYTES="100000")
    import os

    big = packed({"results.jsonl": os.urandom(8192)})
    assert one.call("PUT", "/v1/results/generator/0", data=big).status_code == 413
    bomb = packed({"results.jsonl": b"\0" * 1_000_000})
    assert len(bomb) < 4096
    assert one.call("PUT", "/v1/results/generator/0", data=bomb).status_code == 413
    chunked = one.call("PUT", "/v1/results/generator/0", data=iter([big]))
    assert chunked.status_code == 413
    assert one.call("PUT", "/v1/results/generator/x", data=b"").status_code == 400
    assert one.call("PUT", "/v1/results/other/0", data=b"").status_code == 404


@pytest.mark.parametrize("by_file", [False, True])
def test_the_report_goes_to_the_backend_with_everything_beside_it(
    collector: Start, backend: Backend, tmp_path: Path, by_file: bool
) -> None:
    (tmp_path / "key").write_text("key-of-a-test\n", encoding="utf-8")
    key = {"SPEEDSCALE_API_KEY_FILE": str(tmp_path / "key")} if by_file else {"SPEEDSCALE_API_KEY": "key-of-a-test"}
    one = collector(SPEEDSCALE_APP_URL=backend.url, **key)
    one.call("PUT", "/v1/results/generator/0", data=packed({"results.jsonl": results()}))
    mocks = [{"type": "run", "version": 1}, {"type": "mock", "verdict": "MATCH", "command": "GET"}]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in mocks)
    one.call("PUT", "/v1/results/responder/speedscale-responder-yucca-1", data=packed({"mocks.jsonl": text}))
    found = one.analyse(generators=1, responders=1)
    assert found["stored"] == ["backend"]
    assert found["url"] == f"{backend.url}/v1/reports/r1?format=html"
    stored = backend.put["/v1/reports/r1/results"]
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompressobj().decompress(stored))) as tar:
        names = tar.getnames()
    assert {"results.jsonl", "mocks.jsonl"} <= set(names)
    entry = json.loads(backend.put["/v1/replays/uid-1"])
    assert (entry["state"], entry["report"], entry["name"]) == ("Passed", "r1", "yucca")
    assert "key-of-a-test" not in one.log.read_text()


def test_a_backend_that_is_away_costs_the_link_only(collector: Start) -> None:
    one = collector(SPEEDSCALE_APP_URL="http://127.0.0.1:9", SPEEDSCALE_API_KEY="key-of-a-test")
    one.call("PUT", "/v1/results/generator/0", data=packed({"results.jsonl": results()}))
    found = one.analyse(generators=1, responders=0)
    assert found["summary"]["state"] == "Passed"
    assert (found["url"], found["stored"]) == ("", [])
    assert any("the backend took no report" in note for note in found["notes"])


def test_mocks_alone_have_a_report(collector: Start) -> None:
    one = collector(SNAPSHOT_ID="s1")
    text = json.dumps(
        {"type": "mock", "verdict": "NO_MATCH", "command": "GET", "host": "pay", "location": "/"}
    ).encode()
    one.call("PUT", "/v1/results/responder/a", data=packed({"mocks.jsonl": text + b"\n"}))
    found = one.analyse(generators=0, responders=1, started="2026-01-03T03:04:05Z")
    assert (found["summary"]["state"], found["summary"]["requests"]) == ("Passed", 0)


def archive_of(made: snapshot.Snapshot) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(made.path.iterdir()):
            tar.add(path, path.name)
    return out.getvalue()


@pytest.fixture
def made(tmp_path: Path) -> snapshot.Snapshot:
    doc: dict[str, Any] = {
        "msgType": "rrpair", "ts": "2026-01-02T03:04:05Z", "l7protocol": "http", "direction": "IN", "duration": 1,
        "uuid": "AAECAwQFBgcICQoLDA0ODw==", "service": "shop", "command": "GET", "location": "/a", "status": "200",
        "http": {"req": {"url": "/a", "uri": "/a", "method": "GET", "host": "shop:80",
                         "headers": {"Host": ["shop:80"]}},
                 "res": {"statusCode": 200, "headers": {}}},
    }  # fmt: skip
    return snapshot.create([RRPair.from_doc(doc)], Selection(), tmp_path / "made")


def fetching(one: Process, folder: Path, id_: str, **more: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    identity = one.identity.folder
    return {
        "COLLECTOR_URL": one.url,
        "COLLECTOR_CA_FILE": str(identity / "ca.crt"),
        "COLLECTOR_TOKEN_FILE": str(identity / "token-shop"),
        "SNAPSHOT_DIR": str(folder),
        "SNAPSHOT_ID": f"{id_}.tar",
        "TERMINATION_LOG": str(folder / "last-word"),
        **more,
    }


def test_a_snapshot_of_the_backend_reaches_a_pod_whole(
    collector: Start, backend: Backend, made: snapshot.Snapshot, tmp_path: Path
) -> None:
    backend.archives[made.id] = archive_of(made)
    backend.away = True
    place = {"SPEEDSCALE_APP_URL": backend.url, "SPEEDSCALE_API_KEY": "key-of-a-test"}
    one = collector(SNAPSHOT_SOURCE="backend", SNAPSHOT_ID=made.id, **place)
    waiting = one.call("GET", "/v1/snapshot")
    assert waiting.status_code == 503
    assert int(waiting.headers["Retry-After"]) > 0
    backend.away = False
    folder = tmp_path / "snapshots"
    assert fetch.main(fetching(one, folder, made.id)) == 0
    found = snapshot.open(folder / f"{made.id}.tar")
    found.verify()
    assert (found.id, len(list(found.tests()))) == (made.id, 1)
    assert fetch.main(fetching(one, folder, made.id)) == 0  # again, as a restarted pod does


def test_a_snapshot_that_is_not_what_its_id_says_is_given_to_nobody(
    collector: Start, backend: Backend, made: snapshot.Snapshot, tmp_path: Path
) -> None:
    for line in made.path.glob("action.jsonl"):
        line.write_bytes(line.read_bytes().replace(b'"/a"', b'"/b"'))
    backend.archives[made.id] = archive_of(made)
    place = {"SPEEDSCALE_APP_URL": backend.url, "SPEEDSCALE_API_KEY": "key-of-a-test"}
    one = collector(SNAPSHOT_SOURCE="backend", SNAPSHOT_ID=made.id, **place)
    folder = tmp_path / "snapshots"
    assert fetch.main(fetching(one, folder, made.id)) == 1
    word = (folder / "last-word").read_text()
    assert "it was changed" in word
    assert made.id in word
    assert list(folder.glob("*.tar")) == []


def test_a_snapshot_that_the_backend_does_not_have_is_said_at_once(
    collector: Start, backend: Backend, tmp_path: Path
) -> None:
    place = {"SPEEDSCALE_APP_URL": backend.url, "SPEEDSCALE_API_KEY": "key-of-a-test"}
    one = collector(SNAPSHOT_SOURCE="backend", SNAPSHOT_ID="gone", **place)
    folder = tmp_path / "snapshots"
    assert fetch.main(fetching(one, folder, "gone")) == 1
    assert "no snapshot gone" in (folder / "last-word").read_text()


def generator(one: Process, folder: Path, **more: str) -> config.Settings:
    identity = one.identity.folder
    return config.from_environ(
        {
            "SNAPSHOT_ID": "s1",
            "RESULTS_FILE": str(folder / "results.jsonl"),
            "COLLECTOR_URL": one.url,
            "COLLECTOR_CA_FILE": str(identity / "ca.crt"),
            "COLLECTOR_TOKEN_FILE": str(identity / "token-shop"),
            "COLLECTOR_TIMEOUT_S": "10",
            **more,
        }
    )


def test_the_generator_brings_its_folder(collector: Start, tmp_path: Path) -> None:
    one = collector()
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "results.jsonl").write_bytes(results())
    (folder / "results.jsonl.part0").write_bytes(b"half")
    assert uploading.upload(generator(one, folder, JOB_COMPLETION_INDEX="3"))
    part = tmp_path / "results" / "parts" / "generator-3"
    assert [path.name for path in part.iterdir()] == ["results.jsonl"]
    assert (part / "results.jsonl").read_bytes() == results()


def test_an_upload_that_fails_is_told_and_ends(collector: Start, tmp_path: Path, identity: Identity) -> None:
    one = collector()
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "results.jsonl").write_bytes(results())
    (identity.folder / "token-shop").unlink()
    assert not uploading.upload(generator(one, folder, COLLECTOR_TIMEOUT_S="0.1"))
    assert uploading.upload(generator(one, folder, COLLECTOR_URL=""))


def test_a_pair_of_lines_is_what_a_results_file_holds() -> None:
    assert not list(check("result-line", RUN))
    assert not list(check("result-line", END))
