"""Exported mappings, served by a real WireMock, answer as was recorded."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime import interchange
from speedscale_runtime.interchange.call import HOP_BY_HOP, Call, Origin, pair_of

pytestmark = pytest.mark.integration

ARTIFACT = "org.wiremock:wiremock-standalone:3.13.1"
ROOT = Path(__file__).parents[3]


def _jar(folder: Path) -> Path | None:
    """Return WireMock's jar: a cached one, or what Maven can get; None when there is neither."""
    local = Path.home() / ".m2/repository/org/wiremock/wiremock-standalone"
    for jars in ((ROOT / ".cache").glob("wiremock*.jar"), local.glob("*/wiremock-standalone-*.jar")):
        found = sorted(jars)
        if found:
            return found[-1]
    if shutil.which("mvn") is None or os.environ.get("SPEEDSCALE_OFFLINE"):
        return None
    command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
    try:
        got = subprocess.run(command, capture_output=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return None
    found = sorted(folder.glob("wiremock*.jar"))
    return found[-1] if got.returncode == 0 and found else None


@pytest.fixture(scope="module")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    found = _jar(tmp_path_factory.mktemp("jar"))
    if found is None:
        pytest.skip(f"neither .cache/wiremock*.jar nor Maven with {ARTIFACT}")
    return found


def repeated(base: str) -> list[Call]:
    """Return one request with three answers in order, and two that differ in body and query alone."""
    json_type = (("Content-Type", "application/json"),)
    return [
        *(Call("GET", f"{base}/queue", status=code, response_body=b"%d" % code) for code in (202, 202, 200)),
        Call("POST", f"{base}/same", json_type, b'{"a": 1, "b": [1, 2]}', 200, response_body=b"first"),
        Call("POST", f"{base}/same", json_type, b'{"a": 2, "b": [1, 2]}', 200, response_body=b"second"),
        Call("GET", f"{base}/same?x=1&x=2", status=200, response_body=b"x12"),
        Call("GET", f"{base}/same", status=200, response_body=b"plain"),
    ]


@pytest.fixture
def served(jar: Path, awkward_calls: Any, tmp_path: Path) -> Iterator[tuple[list[Call], int]]:
    """Export, start WireMock over the export, stop it afterwards."""
    # Jetty, which serves WireMock, refuses paths with coded slashes and dots before any mapping is asked.
    given = [c for c in awkward_calls("http://shop:8080") if "%2F" not in c.url and "/../" not in c.url]
    given += repeated("http://shop:8080")
    out = interchange.dump("wiremock", [pair_of(call, Origin("test"), i) for i, call in enumerate(given)])
    assert out.problems == ()
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "mappings.json").write_bytes(out.files["mappings.json"])
    command = ["java", "-Xmx256m", "-jar", str(jar), "--port", "0", "--root-dir", str(tmp_path), "--disable-banner"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            port = re.match(r"port:\s+(\d+)", line)
            if port:
                break
        else:
            pytest.fail("WireMock did not start: " + "".join(said)[-2000:])
        yield given, int(port[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(port: int, call: Call) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(
            call.method, call.url.partition("shop:8080")[2], skip_host=True, skip_accept_encoding=True
        )
        connection.putheader("Host", "shop:8080")
        for name, value in call.headers:
            connection.putheader(name, value)
        if call.body:
            connection.putheader("Content-Length", str(len(call.body)))
        connection.endheaders(call.body or None)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def test_wiremock_answers_as_was_recorded(served: tuple[list[Call], int]) -> None:
    given, port = served
    for call in given:
        status, headers, body = ask(port, call)
        assert (call.url, status, body) == (call.url, call.status, call.response_body)
        for name, value in call.response_headers:
            if name.lower() not in HOP_BY_HOP:
                assert (name, value) in headers
    again = [ask(port, given[-7])[0] for _ in range(3)]
    assert again == [202, 202, 200]  # the scenario has begun again
