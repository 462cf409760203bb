"""Snapshots and test configs of the backend, over HTTP on loopback."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from speedscale_controller.snapshots import Backend, BackendAwayError, SnapshotError, in_cluster
from speedscale_schemas.errors import PermanentError

ID = "5f3f1c1e-6a0e-5a42-9d55-0d3a3c3a6f10"


def archive(manifest: dict[str, Any], body: bytes = b"", *, without: str = "") -> bytes:
    files = {"snapshot.json": json.dumps(manifest).encode(), "action.jsonl": body, "reaction.jsonl": b"{}\n"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            if name != without:
                member = tarfile.TarInfo(f"{ID}/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


class Cloud(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.put: dict[str, Any] = {}


class _Answers(BaseHTTPRequestHandler):
    server: Cloud

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        known = self.headers.get("Authorization") == "Bearer key-of-a-test"
        status, data = self.server.answers.get(self.path, (404, b"{}")) if known else (401, b'{"reason":"who"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.put[self.path] = json.loads(body)
        status, data = self.server.answers.get(self.path, (204, b""))
        self.send_response(status)
        if data:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    server = Cloud()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def backend(cloud: Cloud, key: str = "key-of-a-test") -> Backend:
    return Backend(f"http://127.0.0.1:{cloud.server_address[1]}", key, lambda: b"")


MANIFEST = {"id": ID, "meta": {"name": "shop"}, "inTraffic": {}, "outTraffic": {}}
PATH = f"/v1/snapshots/{ID}/archive"


def test_an_archive_is_read_once_for_its_keys_and_secrets(cloud: Cloud) -> None:
    far = b"x" * ((1 << 20) - 10) + b"${{secret:login/password}}" + b"y" * 100
    cloud.answers[PATH] = (200, gzip.compress(archive(MANIFEST, far)))
    one = backend(cloud)
    found = one.find(ID, "shop")
    assert found is not None
    assert found.remote
    assert found.files == {}
    assert found.index().secrets == (("login", "password"),)  # it stands across two pieces
    assert one.find(ID, "shop") == found
    assert cloud.asked == [PATH]


def test_what_it_does_not_have_is_nothing(cloud: Cloud) -> None:
    assert backend(cloud).find(ID, "shop") is None
    assert backend(cloud).newest("shop") is None
    assert backend(cloud).ids("shop") == ()
    assert backend(cloud).test_config("mine") is None


def test_latest_and_test_configs(cloud: Cloud) -> None:
    cloud.answers["/v1/snapshots/latest"] = (200, json.dumps({"id": ID, "createdAt": "2026-01-02T03:04:05Z"}).encode())
    cloud.answers["/v1/testconfigs/mine"] = (200, b'{"id":"mine"}')
    assert backend(cloud).newest("shop") == ("2026-01-02T03:04:05Z", ID)
    assert backend(cloud).test_config("mine") == {"id": "mine"}


def test_away_is_another_thing_than_no(cloud: Cloud) -> None:
    cloud.answers[PATH] = (503, b"")
    with pytest.raises(BackendAwayError):
        backend(cloud).find(ID, "shop")
    with pytest.raises(BackendAwayError):
        Backend("http://127.0.0.1:9", "k", lambda: b"").find(ID, "shop")
    with pytest.raises(PermanentError, match="401") as told:
        backend(cloud, key="another-key").find(ID, "shop")
    assert "another-key" not in str(told.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (archive({**MANIFEST, "id": "0b9ad1c7-52a5-5a43-93c1-a6a5a8d4d6b5"}), "gave snapshot 0b9ad1c7"),
        (archive(MANIFEST, without="reaction.jsonl"), "reaction.jsonl missing"),
        (archive(MANIFEST)[:700], "no readable tar|missing"),
        (b"x" * 2000, "no readable tar"),
    ],
)
def test_a_broken_archive_is_told(cloud: Cloud, data: bytes, said: str) -> None:
    cloud.answers[PATH] = (200, data)
    with pytest.raises(SnapshotError, match=said):
        backend(cloud).find(ID, "shop")


def test_how_a_replay_ended_is_told(cloud: Cloud) -> None:
    entry = {"state": "Error", "reason": "no snapshot s1"}
    backend(cloud).put_replay("uid-1", entry)
    assert cloud.put == {"/v1/replays/uid-1": entry}
    cloud.answers["/v1/replays/uid-1"] = (400, b'{"detail":"state: what is that?"}')
    with pytest.raises(PermanentError, match=r"400: .*what is that"):
        backend(cloud).put_replay("uid-1", entry)
    cloud.answers["/v1/replays/uid-1"] = (503, b"{}")
    with pytest.raises(BackendAwayError):
        backend(cloud).put_replay("uid-1", entry)


def test_which_backend_is_our_own() -> None:
    assert in_cluster("https://speedscale-cloud.speedscale.svc", "speedscale")
    assert in_cluster("speedscale-cloud.speedscale.svc:443", "speedscale")
    assert not in_cluster("https://app.example.com", "speedscale")
    assert not in_cluster("https://speedscale-cloud.other.svc", "speedscale")
