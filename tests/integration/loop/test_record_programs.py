"""`speedctl record -- CMD` with programs that are not ours, over HTTP and HTTPS through the proxy and the CA."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.integration

PYTHON_REQUESTS = """
import requests, sys
for base in sys.argv[1:]:
    answer = requests.post(base + "/py?a=1", json={"email": "buyer@example.com"}, timeout=20)
    assert answer.json()["path"] == "/py?a=1", answer.text
"""
NODE_FETCH = """
for (const base of process.argv.slice(1)) {
  const answer = await fetch(base + "/node?a=1", {method: "POST", body: JSON.stringify({email: "buyer@example.com"}),
    headers: {"content-type": "application/json"}});
  const body = await answer.json();
  if (body.path !== "/node?a=1") throw new Error(JSON.stringify(body));
}
"""
JAVA_CLIENT = """
import java.net.*; import java.net.http.*; import java.time.Duration;
public class Client {
  public static void main(String[] bases) throws Exception {
    for (String base : bases) {
      var connection = (HttpURLConnection) new URL(base + "/java?a=1").openConnection();
      connection.setRequestMethod("POST"); connection.setDoOutput(true);
      connection.setRequestProperty("Content-Type", "application/json");
      connection.getOutputStream().write("{\\"email\\": \\"buyer@example.com\\"}".getBytes());
      if (connection.getResponseCode() != 200) throw new Exception("status " + connection.getResponseCode());
      connection.getInputStream().readAllBytes();
    }
  }
}
"""


def need(program: str) -> str:
    """The program from the virtual environment (it has a Node of its own), else from PATH; skip without it."""
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


def commands(kind: str, tmp_path: Path) -> list[str]:
    """The client's command; the bases of the two origins are appended."""
    if kind == "requests":
        return [sys.executable, "-c", PYTHON_REQUESTS]
    if kind == "node":
        return [need("node"), "--input-type=module", "-e", NODE_FETCH, "--"]
    if kind == "java":
        source = tmp_path / "Client.java"
        source.write_text(JAVA_CLIENT)
        return [need("java"), str(source)]
    script = tmp_path / "client.sh"
    script.write_text(
        'for base in "$@"; do curl -sS --fail-with-body -m 20 -H "Content-Type: application/json" '
        '-d \'{"email": "buyer@example.com"}\' "$base/curl?a=1" || exit 1; done\n'
    )
    need("curl")
    return ["sh", str(script)]


@pytest.mark.parametrize("kind", ["curl", "requests", "node", "java"])
def test_a_program_s_calls_are_recorded_over_http_and_https(
    kind: str, tmp_path: Path, origins, speedctl: Callable
) -> None:
    command = [*commands(kind, tmp_path), origins.http, origins.https]
    out = tmp_path / "recording"
    session = speedctl(
        *("record", "--app-port", "1", "--proxy-in-port", "0", "--proxy-out-port", "0", "--out", str(out)),
        *("--", *command),
        SSL_CERT_FILE=str(origins.ca),
    )
    code, summary, err = session.end(interrupt=False)
    assert code == 0, err
    assert summary["recorded"] == 2, (summary, err)
    assert summary["dropped"] == summary["lost"] == {}
    pairs = [entry.pair for entry in recording.read(out)]
    assert len(pairs) == 2
    assert all(pair is not None for pair in pairs)
    docs = [pair.doc for pair in pairs if pair is not None]
    assert sorted(doc["l7protocol"] for doc in docs) == ["http", "https"]
    assert {doc["direction"] for doc in docs} == {"OUT"}
    for pair in pairs:
        assert pair is not None
        assert pair.doc["command"] == "POST"
        asked = json.loads(pair.request_body or b"")
        assert asked["email"].startswith("REDACTED-EMAIL-")
        answered = json.loads(pair.response_body or b"")
        assert answered["path"].endswith("?a=1")
        assert asked["email"] in answered["got"], "one value, one token, on both sides"
    stored = b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
    assert b"buyer@example.com" not in stored


def test_the_command_s_exit_code_is_passed_on(tmp_path: Path, speedctl: Callable) -> None:
    session = speedctl(
        *("record", "--app-port", "1", "--proxy-in-port", "0", "--proxy-out-port", "0"),
        *("--out", str(tmp_path / "r"), "--", "sh", "-c", "exit 7"),
    )
    code, summary, _ = session.end(interrupt=False)
    assert code == 7
    assert summary["recorded"] == 0


def test_a_command_that_does_not_exist_is_named(tmp_path: Path, speedctl: Callable) -> None:
    session = speedctl(
        *("record", "--proxy-in-port", "0", "--proxy-out-port", "0"),
        *("--out", str(tmp_path / "r"), "--", "no-such-program-here"),
    )
    code, _, err = session.end(interrupt=False)
    assert code == 2
    assert "cannot start 'no-such-program-here'" in err


def test_inbound_through_nginx_until_ctrl_c(tmp_path: Path, speedctl: Callable) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        pytest.skip("nginx is not installed")
    site = tmp_path / "site"
    site.mkdir()
    (site / "page.html").write_text("<p>write to buyer@example.com</p>")
    socket_port = _free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log stderr; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; gzip on; gzip_types text/html; gzip_min_length 1;\n"
        f" client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;\n"
        f" uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;\n"
        f" server {{ listen 127.0.0.1:{socket_port}; root {site}; }} }}\n"
    )
    site.chmod(0o755)
    out = tmp_path / "recording"
    session = speedctl(
        *("record", "--app-port", str(socket_port), "--proxy-in-port", "0", "--proxy-out-port", "0"),
        *("--out", str(out), "--", nginx, "-c", str(config), "-e", "stderr", "-g", "user root;"),
    )
    base = f"http://127.0.0.1:{session.ready()['inPort']}"
    import requests

    for _ in range(100):
        try:
            requests.get(base + "/page.html", timeout=5)
            break
        except requests.ConnectionError:
            continue
    zipped = requests.get(base + "/page.html", headers={"Accept-Encoding": "gzip"}, timeout=5)
    assert zipped.text == "<p>write to buyer@example.com</p>"
    assert requests.head(base + "/page.html", timeout=5).status_code == 200
    assert requests.get(base + "/none", timeout=5).status_code == 404
    code, summary, err = session.end()
    assert code == 0, err
    assert summary["recorded"] >= 4
    pairs = [e.pair for e in recording.read(out) if e.pair is not None]
    assert {p.doc["direction"] for p in pairs} == {"IN"}
    assert {p.doc["status"] for p in pairs} >= {"200", "404"}
    from speedscale_runtime.rrpair.decoding import decoded

    bodies = b"".join(
        decoded(p.response_body or b"", (p.http_response or {}).get("headers", {}))
        for p in pairs
        if p.doc["command"] != "HEAD"
    )
    assert b"REDACTED-EMAIL-" in bodies
    assert b"buyer@example.com" not in bodies


def _free_port() -> int:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
