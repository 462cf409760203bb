"""Real servers for the forwarder's exporters, each a process on loopback in a folder of its own.

    with Collector(folder) as server:
        server.http, server.grpc        # where it listens
        server.uuids()                  # of the pairs that arrived, repeated ones repeated

Used by the tests of the exporters and by `python -m bench.forwarder_kills`; Kafka is in `kafka_server`. `missing()`
says why a server cannot run here; with CI=true what can be built or fetched is built or fetched first. Ports are free
ones; `stop` and `start` keep the port, so that an outage is one.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import go_tools

S = TypeVar("S", bound="Server")
START_S = 120.0
BUCKET = "traffic"
STREAM = "rrpairs"
API_KEY = "sk-loopback-0123456789"
_AS_RECORDED = str.maketrans("-_", "+/")  # the backend names pairs as they may stand in a path
KEYS = {"AWS_ACCESS_KEY_ID": "loopback", "AWS_SECRET_ACCESS_KEY": "loopback-secret", "AWS_REGION": "us-east-1"}


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Server(ABC):
    """A process in `folder` that is ready once its port takes connections and `ready` says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.prepare()

    @classmethod
    def missing(cls) -> str:
        """Return why it cannot run here, an empty string where it can."""
        try:
            cls.find(build=os.environ.get("CI", "").lower() == "true")
        except go_tools.ToolMissing as error:
            return str(error).partition("\n")[0]
        return ""

    @classmethod
    @abstractmethod
    def find(cls, build: bool) -> Path:
        """Return the program, or the folder of what it is made of; ToolMissing where it is not there."""

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Write what the server needs before its first start."""

    @abstractmethod
    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """Return how it is started, and what is set in its environment."""

    def ready(self) -> None:  # noqa: B027 - most are ready once they listen
        """Make ready what a client expects; called after each start."""

    @abstractmethod
    def uuids(self) -> list[str]:
        """Return the uuids of the pairs that arrived."""

    def start(self: S) -> S:
        """Start it and wait until it listens."""
        command, environment = self.command()
        log = self.folder / "log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out)
        deadline = time.monotonic() + START_S
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{type(self).__name__} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        self.ready()
        return self

    def stop(self) -> None:
        """Kill it; what it has not yet written down is its own affair."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self: S) -> S:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Collector(Server):
    """An OpenTelemetry Collector with OTLP receivers and a file exporter; `tls` names (certificate, key) to serve."""

    tls: tuple[Path, Path] | None = None

    @classmethod
    def find(cls, build: bool) -> Path:
        return _program("otelcol", build)

    def prepare(self) -> None:
        self.grpc_port = free_port()
        self.out = self.folder / "logs.json"

    @property
    def http(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def grpc(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.grpc_port}"

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        tls = {"tls": {"cert_file": str(self.tls[0]), "key_file": str(self.tls[1])}} if self.tls else {}
        protocols = {
            "http": {"endpoint": f"127.0.0.1:{self.port}", **tls},
            "grpc": {"endpoint": f"127.0.0.1:{self.grpc_port}", **tls},
        }
        out = {"path": str(self.out), "append": True, "flush_interval": "100ms"}
        document = {
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {"file": out},
            "service": {
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
                "pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["file"]}},
            },
        }
        config = self.folder / "config.yaml"
        config.write_text(json.dumps(document))
        return [str(self.find(False)), "--config", f"file:{config}"], {}

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield log records as the Collector wrote them down."""
        for line in self.out.read_bytes().splitlines() if self.out.exists() else ():
            try:
                document = json.loads(line)
            except ValueError:
                continue  # it was killed in the middle of a line
            yield from log_records(document)

    def uuids(self) -> list[str]:
        return [uuid_of(record) for record in self.records()]


class S3Server(Server):
    """versitygw over a folder, with one bucket."""

    @classmethod
    def find(cls, build: bool) -> Path:
        return _program("versitygw", build)

    def prepare(self) -> None:
        self.store = self.folder / "store"
        self.store.mkdir()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        keys = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}
        command = [str(self.find(False)), "--port", f"127.0.0.1:{self.port}", "posix", "--sidecar", str(self._meta())]
        return [*command, str(self.store)], keys

    def ready(self) -> None:
        make_bucket(self.url)

    def uuids(self) -> list[str]:
        return [uuid_of(record) for document in objects(self.url) for record in log_records(document)]

    def _meta(self) -> Path:
        folder = self.folder / "meta"  # file systems of containers often have no extended attributes
        folder.mkdir(exist_ok=True)
        return folder


class Aws(Server):
    """moto: Amazon Data Firehose with a stream that delivers into a bucket, and S3."""

    @classmethod
    def find(cls, build: bool) -> Path:
        return Path(sys.executable)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)], {}

    def ready(self) -> None:
        make_bucket(self.url)
        target = {"BucketARN": f"arn:aws:s3:::{BUCKET}", "RoleARN": "arn:aws:iam::123456789012:role/firehose"}
        client("firehose", self.url).create_delivery_stream(
            DeliveryStreamName=STREAM, ExtendedS3DestinationConfiguration=target
        )

    def lines(self) -> list[dict[str, Any]]:
        """Return what the stream delivered, a document a pair."""
        found = []
        s3 = client("s3", self.url)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for entry in page.get("Contents", ()):
                body = s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                found += [json.loads(line) for line in body.splitlines() if line]
        return found

    def uuids(self) -> list[str]:
        return [str(line["uuid"]) for line in self.lines()]


class Backend(Server):
    """`speedscale-cloud`, without TLS on loopback."""

    @classmethod
    def find(cls, build: bool) -> Path:
        return Path(sys.executable)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        settings = {
            "CLOUD_HOST": "127.0.0.1",
            "CLOUD_PORT": str(self.port),
            "METRICS_HTTP_PORT": "0",
            "DATA_DIR": str(self.folder / "data"),
            "SPEEDSCALE_API_KEY": API_KEY,
        }
        return [sys.executable, "-m", "speedscale_runtime.backend"], settings

    def uuids(self) -> list[str]:
        return asyncio.run(asyncio.wait_for(self._listed(), START_S))

    async def _listed(self) -> list[str]:
        from speedscale_runtime.cloud import CloudClient, Target

        async with CloudClient(Target(self.url, API_KEY, None), "tests") as client:
            found, page = [], await client.rrpairs({}, limit=1000)
            while True:
                found += [str(pair["uuid"]).translate(_AS_RECORDED) for pair in page.items]
                if not page.cursor:
                    return found
                page = await client.rrpairs({}, page.cursor, 1000)


def _program(name: str, build: bool) -> Path:
    if build:
        return go_tools.ensure(name)[0]
    found = go_tools.find(name)
    if found is None:
        raise go_tools.ToolMissing(f"{name} is not built yet: python3 scripts/go_tools.py {name}")
    return found


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def client(service: str, url: str) -> Any:
    """Return a boto3 client of a server here."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=KEYS["AWS_REGION"],
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


def make_bucket(url: str) -> None:
    """Make the bucket where it is not there."""
    s3 = client("s3", url)
    deadline = time.monotonic() + START_S
    while True:
        try:
            if BUCKET not in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
                s3.create_bucket(Bucket=BUCKET)
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def objects(url: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of logs in the bucket."""
    s3 = client("s3", url)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith(".json.gz"):
                body = s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                yield json.loads(gzip.decompress(body))


def log_records(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the log records of an OTLP document in JSON."""
    for resource in document.get("resourceLogs", ()):
        for scope in resource.get("scopeLogs", ()):
            yield from scope.get("logRecords", ())


def plain(value: Mapping[str, Any]) -> Any:
    """Return an AnyValue in JSON as what it means."""
    found: list[tuple[str, Any]] = list(value.items()) or [("none", None)]
    ((kind, inner),) = found
    if kind == "kvlistValue":
        return {kv["key"]: plain(kv["value"]) for kv in inner.get("values", ())}
    if kind == "arrayValue":
        return [plain(v) for v in inner.get("values", ())]
    return int(inner) if kind == "intValue" else inner


def uuid_of(record: Mapping[str, Any]) -> str:
    """Return the uuid of the pair in a log record."""
    for kv in record["body"]["kvlistValue"]["values"]:
        if kv["key"] == "uuid":
            return str(kv["value"]["stringValue"])
    return ""
