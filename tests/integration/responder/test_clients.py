"""Real clients through the proxy: curl, requests and Node, plain and TLS, CONNECT and SOCKS, and direct."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from typing import Any

import pytest
import requests

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

URL = "://api.example.com/v1/items?a=1"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_curl_gets_its_mock(recording: Any, serve: Any, scheme: str) -> None:
    recording.add(url=scheme + URL, answer=b'{"n":1}', headers={"Date": "Sat, 31 Jan 2026 12:00:00 GMT"})
    running = await serve()
    code, output = await running.curl("-i", scheme + URL)
    assert code == 0
    head, _, body = output.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 Fine")
    assert "Date: Sat, 31 Jan 2026 12:00:00 GMT" in head
    assert "Content-Length: 7" in head
    assert body == '{"n":1}'


@pytest.mark.parametrize("flag", ["--socks5-hostname", "--socks5", "--socks4a"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_curl_through_socks(recording: Any, serve: Any, flag: str, scheme: str) -> None:
    recording.add(url=f"{scheme}://localhost/x", answer=b'{"n":1}')
    running = await serve()
    address = f"127.0.0.1:{running.ports['proxyPort']}"
    assert await running.curl(flag, address, f"{scheme}://localhost/x", proxy=False) == (0, '{"n":1}')


async def test_direct_requests_plain_and_tls_on_one_port(recording: Any, serve: Any) -> None:
    recording.add(url="https" + URL, answer=b'{"n":1}')
    running = await serve()
    port = running.ports["httpPort"]
    resolve = ["--resolve", f"api.example.com:{port}:127.0.0.1"]
    for scheme in ("http", "https"):
        url = f"{scheme}://api.example.com:{port}/v1/items?a=1"
        assert await running.curl(*resolve, url, proxy=False) == (0, '{"n":1}')


async def test_requests_keeps_its_connection(recording: Any, serve: Any) -> None:
    recording.add(url="https" + URL, answer=b'{"n":1}')
    recording.add("POST", "https://api.example.com/v1/pay", b'{"a":1,"b":2}', b'{"paid":true}')
    running = await serve()
    bundle = str(running.loaded.settings.home / "certs" / "tls.crt")

    def client() -> list[Any]:
        with requests.Session() as session:
            session.trust_env = False
            session.proxies, session.verify = {"https": running.proxy}, bundle
            answers = [session.get("https" + URL, timeout=20).json() for _ in range(5)]
            answers.append(session.post("https://api.example.com/v1/pay", json={"b": 2, "a": 1}, timeout=20).json())
            return answers

    assert await asyncio.to_thread(client) == [{"n": 1}] * 5 + [{"paid": True}]
    assert running.loaded.counts.connections == 1


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
async def test_node_over_tls(recording: Any, serve: Any) -> None:
    recording.add(url="https" + URL, answer=b'{"n":1}')
    running = await serve()
    port = running.ports["httpPort"]
    program = f"""
      const https = require('https');
      https.get({{host: '127.0.0.1', port: {port}, servername: 'api.example.com', path: '/v1/items?a=1',
                 headers: {{host: 'api.example.com'}}}},
        r => r.on('data', d => process.stdout.write(d)));
    """
    trust = {"NODE_EXTRA_CA_CERTS": str(running.loaded.settings.home / "certs" / "tls.crt")}
    process = await asyncio.create_subprocess_exec(
        "node", "-e", program, env={**os.environ, **trust}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert json.loads(output) == {"n": 1}


async def test_an_upgrade_that_is_offered_is_not_taken_and_http_goes_on(recording: Any, serve: Any) -> None:
    recording.add(url="http" + URL, answer=b"1")
    running = await serve()
    offer = ["-H", "Connection: Upgrade, HTTP2-Settings", "-H", "Upgrade: h2c", "-H", "HTTP2-Settings: AAMAAABk"]
    code, output = await running.curl(*offer, "http" + URL, "http" + URL)
    assert (code, output) == (0, "11")
    assert running.loaded.counts.connections == 1


async def test_expect_continue_does_not_stall(recording: Any, serve: Any) -> None:
    recording.add("POST", "http://api.example.com/up", b'{"a":1}', b"done")
    running = await serve()
    code, output = await running.curl(
        "-H", "Expect: 100-continue", "--expect100-timeout", "15", "-w", "%{time_total}", "-d", '{"a":1}',
        "-H", "Content-Type: application/json", "http://api.example.com/up",
    )  # fmt: skip
    assert code == 0
    assert output.startswith("done")
    assert float(output.removeprefix("done")) < 14  # the client's own patience is 15 s


async def test_a_client_without_compression_gets_a_packed_mock_plain(recording: Any, serve: Any) -> None:
    recording.add(url="http" + URL, answer=b'{"n":1}', headers={"Content-Encoding": "gzip"}, tags={"decoded": "true"})
    running = await serve()
    assert await running.curl("http" + URL) == (0, '{"n":1}')
    code, output = await running.curl("-i", "--compressed", "http" + URL)
    assert code == 0
    assert "Content-Encoding: gzip" in output
    assert output.endswith('{"n":1}')


async def test_tls_errors_are_counted_and_others_go_on(recording: Any, serve: Any) -> None:
    recording.add(url="https" + URL, answer=b'{"n":1}')
    running = await serve()
    code, _ = await running.curl("--cacert", "/etc/ssl/certs/ca-certificates.crt", "https" + URL)
    assert code == 60
    assert await running.curl("https" + URL) == (0, '{"n":1}')
