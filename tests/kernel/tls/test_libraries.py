"""Programs with TLS in their own ways, as clients and as servers: plaintext is whole, and on the right socket."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import peers
import pytest
from built import compiled, go
from plaintext import BY_MEMORY, SURE, check, wait_attached
from tap import DEADLINE_S, Tap

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel
PROGRAMS = Path(__file__).parent / "programs"
SIZES = (0, 1, 5000, 16384, 16385, 400_000)
TEXTS = tuple(map(str, SIZES))
GO = frozenset({wire.Certainty.BY_NESTED, wire.Certainty.BY_SESSION, wire.Certainty.BY_SET_FD})
GO_FORMS = ("plain", "stripped", "pie", "cgo")

Certainties = Collection[wire.Certainty]
PYTHON = [sys.executable, str(PROGRAMS / "server.py")]


def run_client(
    tap: Tap,
    server: peers.Server,
    command: list[Any],
    connections: int = 1,
    source: wire.Source = wire.Source.OPENSSL,
    certainty: Certainties = SURE,
) -> None:
    with tap.start(command) as process:
        wait_attached(tap, process, source)
        out, _ = process.communicate("go\n", timeout=DEADLINE_S)
        assert process.returncode == 0, out
    assert len(server.talks) == connections
    for port, talk in server.talks.items():
        check(tap, port, server.port, talk, certainty, source)


def run_server(
    tap: Tap,
    command: list[Any],
    source: wire.Source = wire.Source.OPENSSL,
    certainty: Certainties = SURE,
) -> None:
    with tap.start(command) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        wait_attached(tap, process, source)
        talks = [peers.ask(port, list(SIZES)) for _ in range(3)]
        for remote, talk in talks:
            check(tap, port, remote, talk, certainty, source)


def need(program: str) -> str:
    found = shutil.which(program, path="/usr/sbin:/usr/local/go/bin:/usr/bin:/bin:/usr/local/bin")
    if not found:
        pytest.skip(f"{program} is not installed: make tools")
    return found


def test_asyncio_server(tap: Tap, certificate: Path) -> None:
    run_server(tap, [*PYTHON, certificate], certainty=BY_MEMORY)


def test_node_client(tap: Tap, server: peers.Server) -> None:
    run_client(tap, server, [need("node"), PROGRAMS / "client.js", server.port, 3, *SIZES], 3, certainty=BY_MEMORY)


def test_node_server(tap: Tap, certificate: Path) -> None:
    run_server(tap, [need("node"), PROGRAMS / "server.js", certificate], certainty=BY_MEMORY)


@pytest.mark.parametrize("linked", ["shared", "static", "static-pie", "1.1"])
def test_openssl_in_c(tap: Tap, server: peers.Server, linked: str) -> None:
    run_client(tap, server, [compiled(PROGRAMS / "client.c", linked), server.port, *SIZES])


def test_boringssl_client(tap: Tap, server: peers.Server) -> None:
    program = compiled(PROGRAMS / "client.c", "boringssl")
    run_client(tap, server, [program, server.port, *SIZES], source=wire.Source.BORINGSSL)


@pytest.mark.parametrize(("linked", "source"), [("boringssl", wire.Source.BORINGSSL), ("shared", wire.Source.OPENSSL)])
def test_server_in_c(tap: Tap, certificate: Path, linked: str, source: wire.Source) -> None:
    run_server(tap, [compiled(PROGRAMS / "server.c", linked), certificate], source)


@pytest.mark.parametrize("form", GO_FORMS)
def test_go_client(tap: Tap, server: peers.Server, form: str) -> None:
    program = go(PROGRAMS / "go", form)
    run_client(tap, server, [program, "client", server.port, 4, *SIZES], 4, wire.Source.GO_TLS, GO)


@pytest.mark.parametrize("form", ["stripped", "cgo"])
def test_go_server(tap: Tap, certificate: Path, form: str) -> None:
    run_server(tap, [go(PROGRAMS / "go", form), "server", certificate], wire.Source.GO_TLS, GO)


def test_curl_that_comes_and_goes(tap: Tap, server: peers.Server) -> None:
    """Each curl lives for a moment; the library's probes are there from the first one on."""
    with tap.start([compiled(PROGRAMS / "client.c", "shared"), server.port]) as holder:
        wait_attached(tap, holder, wire.Source.OPENSSL)
        for size in TEXTS[1:]:
            tap.run([need("curl"), "-sk", "-o", "/dev/null", f"https://127.0.0.1:{server.port}/{size}"])
    assert len(server.talks) == len(TEXTS) - 1
    for port, talk in server.talks.items():
        check(tap, port, server.port, talk, SURE)


def nginx_settings(folder: Path, certificate: Path, sendfile: str, port: int) -> Path:
    (folder / "files").mkdir()
    for size in SIZES:
        (folder / "files" / str(size)).write_bytes(peers.body(size))
    settings = folder / "nginx.conf"
    settings.write_text(
        f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
        events {{ worker_connections 64; }}
        http {{ access_log off; sendfile {sendfile}; client_body_temp_path {folder}/body; proxy_temp_path {folder}/a;
        fastcgi_temp_path {folder}/b; uwsgi_temp_path {folder}/c; scgi_temp_path {folder}/d; root {folder}/files;
        server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}; }}
        }}"""
    )
    return settings


@pytest.mark.parametrize("sendfile", ["on", "off"])
def test_nginx(tap: Tap, tmp_path: Path, certificate: Path, sendfile: str) -> None:
    port = peers.free_port()
    settings = nginx_settings(tmp_path, certificate, sendfile, port)
    with tap.start([need("nginx"), "-c", settings, "-p", tmp_path]) as process:
        wait_attached(tap, process, wire.Source.OPENSSL)
        remote, talk = peers.ask(port, list(SIZES), peers.wait_connect(port), "GET")
        check(tap, port, remote, talk, SURE)
