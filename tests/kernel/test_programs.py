"""Programs as they are: what HTTP servers and clients sent and received in the clear is what was captured."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import nettap_build
import pytest
from tap import DEADLINE_S, PROGRAMS, Tap

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel

SENT, RECEIVED = wire.Direction.SENT, wire.Direction.RECEIVED
SIZES = (0, 10, 3000, 200_000)


def body(size: int) -> bytes:
    return bytes(i % 251 for i in range(size))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def connect(port: int) -> socket.socket:
    """Connect to a server that is starting."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        except OSError:
            assert time.monotonic() < end, "nobody listens"
            os.sched_yield()


def talk(port: int, paths: Sequence[str]) -> tuple[int, bytes, bytes]:
    """Ask for these on one connection; return its port at this end, and what was said both ways."""
    with connect(port) as link:
        local, said, heard = link.getsockname()[1], b"", b""
        for number, path in enumerate(paths):
            last = "Connection: close\r\n" if number == len(paths) - 1 else ""
            request = f"GET {path} HTTP/1.1\r\nHost: shop\r\n{last}\r\n".encode()
            link.sendall(request)
            said += request
            at = len(heard)
            while not (found := heard.find(b"\r\n\r\n", at)) >= 0:
                heard += (data := link.recv(1 << 16))
                assert data
            head = heard[at:found].lower()
            length = int(head.partition(b"content-length:")[2].split()[0]) if b"content-length:" in head else None
            while length is not None and len(heard) < found + 4 + length:
                heard += (data := link.recv(1 << 16))
                assert data
        link.shutdown(socket.SHUT_WR)
        while data := link.recv(1 << 16):
            heard += data
    return local, said, heard


@pytest.fixture(scope="session")
def go_program() -> Iterator[Path]:
    """Return the built program in Go; kept in the cache for as long as it is the same."""
    if not shutil.which("go"):
        pytest.skip("Go is not installed")
    source = PROGRAMS / "web.go"
    made = nettap_build.cache() / f"nettap-web-{source.stat().st_mtime_ns}"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "build", "-o", str(made), str(source)], check=True)
    yield made
    made.unlink(missing_ok=True)


def server(how: str, port: int, tmp_path: Path, request: pytest.FixtureRequest) -> list[str]:
    """Return the command of a server that listens on the port."""
    if how.startswith("nginx"):
        return nginx(how.partition("-")[2], port, tmp_path)
    if how == "node":
        return [need("node"), str(PROGRAMS / "web.js"), "serve", str(port)]
    if how == "go":
        return [str(request.getfixturevalue("go_program")), "serve", str(port)]
    return [sys.executable, str(PROGRAMS / "web.py"), how, str(port)]


def need(program: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed: make tools")
    return found


def nginx(sendfile: str, port: int, folder: Path) -> list[str]:
    for size in SIZES:
        (folder / str(size)).write_bytes(body(size))
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(
        f"daemon off; user root; worker_processes 1; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
        f"http {{ access_log off; sendfile {sendfile}; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;\n"
        f"fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    return [need("nginx"), "-c", str(folder / "nginx.conf")]


@pytest.mark.parametrize("how", ["sync", "asyncio", "node", "go", "nginx-off", "nginx-on"])
def test_servers(tap: Tap, tmp_path: Path, how: str, request: pytest.FixtureRequest) -> None:
    port = free_port()
    with tap.start(server(how, port, tmp_path, request)) as process:
        connect(port).close()
        local, said, heard = talk(port, [f"/{size}" for size in SIZES])
        tap.until(lambda: all(one.ends for d in (SENT, RECEIVED) for one in tap.of(port, local, d)))
        tap.until(lambda: tap.of(port, local, SENT) and tap.of(port, local, SENT)[0].length == len(heard))
        process.terminate()
        process.wait(DEADLINE_S)
    (received,), (sent,) = tap.of(port, local, RECEIVED), tap.of(port, local, SENT)
    assert (received.data, received.gaps) == (said, [])
    assert received.first.role == wire.Role.SERVER
    if how == "nginx-on":
        assert sum(length for _, length, _ in sent.gaps) == sent.lost(wire.Gap.SENDFILE) == sum(SIZES)
        for at, data in sent.pieces:
            assert heard[at : at + len(data)] == data
    else:
        assert (sent.data, sent.gaps) == (heard, [])


@pytest.mark.parametrize("how", ["curl", "node", "go", "python"])
def test_clients(tap: Tap, how: str, request: pytest.FixtureRequest) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n" + body(200_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}/some/path"
        commands = {
            "curl": lambda: [need("curl"), "-s", "-o", "/dev/null", url],
            "node": lambda: [need("node"), str(PROGRAMS / "web.js"), "ask", url],
            "go": lambda: [str(request.getfixturevalue("go_program")), "ask", url],
            "python": lambda: [sys.executable, "-c", f"import urllib.request as u; u.urlopen({url!r}).read()"],
        }
        with tap.start(commands[how]()) as process:
            listener.settimeout(DEADLINE_S)
            link, (_, local) = listener.accept()
            with link:
                heard = b""
                while b"\r\n\r\n" not in heard:
                    heard += link.recv(1 << 16)
                link.sendall(answer)
            assert process.wait(DEADLINE_S) == 0
    tap.until(lambda: [one for one in tap.of(local, port, RECEIVED) if one.ends and one.length == len(answer)])
    (received,), (sent,) = tap.of(local, port, RECEIVED), tap.of(local, port, SENT)
    assert (received.data, received.gaps) == (answer, [])
    assert (sent.data, sent.gaps) == (heard, [])
    assert sent.first.role == wire.Role.CLIENT
