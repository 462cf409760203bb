"""The demo's two Java programs as processes, with settings as in their pods, and a CA that no JVM knows."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from speedscale_schemas import truststore, x509

DEMO = Path(__file__).parents[3] / "runtime" / "images" / "java-demo"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def need(program: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


def builder() -> ModuleType:
    """Return the module that makes the jars, which lies beside their sources and in no package."""
    spec = importlib.util.spec_from_file_location("java_demo_build", DEMO / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("javac")
    out = tmp_path_factory.mktemp("jars")
    builder().build(out)
    return out


class Pki:
    """A CA of this test's own, a certificate of it for localhost, and a Java trust store with it."""

    def __init__(self, folder: Path) -> None:
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        validity = x509.Validity(now - datetime.timedelta(hours=1), now + datetime.timedelta(days=1))
        root_key, leaf_key = x509.new_key(), x509.new_key()
        root = x509.root("Payments CA", root_key, validity, serial=1)
        leaf = x509.Issuer(root, root_key).leaf(["localhost"], leaf_key, validity, serial=2)
        self.ca, self.chain, self.key = folder / "ca.pem", folder / "tls.crt", folder / "tls.key"
        self.jks = folder / "cacerts.jks"
        self.ca.write_bytes(root)
        self.chain.write_bytes(leaf + root)
        self.key.write_bytes(leaf_key)
        self.jks.write_bytes(truststore.java_trust_store({"ours": truststore.pem_to_der(root)}, now))

    @property
    def served(self) -> dict[str, str]:
        return {"TLS_CERT_FILE": str(self.chain), "TLS_KEY_FILE": str(self.key)}


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def environment(**variables: object) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k.lower() not in PROXY_VARIABLES and k != "JAVA_TOOL_OPTIONS"}
    return {**clean, **{k: str(v) for k, v in variables.items()}}


class Program:
    """A Java program with the flags of its image; what it prints goes to a file."""

    def __init__(self, jar: Path, log: Path, variables: dict[str, str]) -> None:
        self.log = log
        command = [need("java"), f"@{DEMO / 'java.options'}", "-jar", str(jar)]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, env=variables, stdout=out, stderr=subprocess.STDOUT)

    @property
    def lines(self) -> str:
        return self.log.read_text()

    def until(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Return the first match in what it printed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            if found := re.search(pattern, self.lines):
                return found
            assert not ended, f"it ended with {self.process.returncode}:\n{self.lines}"
            time.sleep(0.02)
        raise AssertionError(f"not seen: {pattern}\n{self.lines}")

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(timeout=seconds)

    def ask_to_end(self) -> None:
        self.process.send_signal(signal.SIGTERM)


class Shop(Program):
    """A server that listens."""

    @property
    def port(self) -> int:
        return int(self.until(r"listening .*port=(\d+)").group(1))

    def ask(
        self, method: str, path: str, body: object = None, *, port: int = 0, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        url = f"http://localhost:{port or self.port}{path}"
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(url, data=data, method=method, headers=kind)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        return status, json.loads(raw) if raw else None


Start = Callable[..., Program]


@pytest.fixture
def programs(jars: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start `server` or `client` with these variables."""
    started: list[Program] = []

    def start(name: str, **variables: object) -> Program:
        kind = Shop if name == "server" else Program
        defaults = {"PORT": "0", "DRAIN_SECONDS": "0"} if name == "server" else {"REQUESTS_PER_MINUTE": "60000"}
        log = tmp_path / f"{name}-{len(started)}.log"
        made = kind(jars / f"{name}.jar", log, environment(**{**defaults, **variables}))
        started.append(made)
        return made

    yield start
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()


def counts(client: Program) -> dict[str, Any]:
    """Return what a client that ended has counted."""
    found: dict[str, Any] = json.loads(client.lines.strip().splitlines()[-1])
    return found


SPEEDCTL = (sys.executable, "-m", "speedscale_runtime.cli.root")
