"""What AWS does on bad days, which no emulator does: throttling, partial failures, refusals; and proxies."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from stubs import Stub

pytestmark = pytest.mark.integration

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-central-1"}


class Firehose(Stub):
    """PutRecordBatch with its limits; `script` holds what is said first: a status with an error, or failing records."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[bytes]] = []
        self.paths: list[str] = []
        self.script: list[tuple[int, str] | set[int]] = []
        self.poison = b""

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Note where it was asked, and answer in AWS's JSON."""
        self.paths.append(path)
        status, answer = self.put([base64.b64decode(r["Data"]) for r in json.loads(body)["Records"]], body)
        return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    def put(self, records: list[bytes], body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer one call."""
        if len(records) > 500 or len(body) > 4 * 1024 * 1024 or max(map(len, records)) > 1000 * 1024:
            return 400, {"__type": "InvalidArgumentException", "message": "over a limit"}
        said = self.script.pop(0) if self.script else set()
        if isinstance(said, tuple):
            return said[0], {"__type": said[1], "message": "no"}
        if self.poison and any(self.poison in r for r in records):
            return 400, {"__type": "InvalidArgumentException", "message": "bad record"}
        self.batches.append([r for n, r in enumerate(records) if n not in said])
        results = [
            {"ErrorCode": "ServiceUnavailableException"} if n in said else {"RecordId": str(n)}
            for n in range(len(records))
        ]
        return 200, {"FailedPutCount": len(said & set(range(len(records)))), "RequestResponses": results}

    def paths_of_pairs(self) -> list[str]:
        """Return the location of every pair that arrived."""
        return [json.loads(r)["location"] for batch in self.batches for r in batch]


@pytest.fixture
def firehose() -> Iterator[Firehose]:
    with Firehose() as one:
        yield one


def settings(url: str, **more: object) -> dict[str, str]:
    spec = {"type": "firehose", "stream": "rrpairs", "endpoint_url": url, **more}
    return {"EXPORTERS": json.dumps({"x": spec}), "WITH_DLP": "false", **KEYS}


def test_limits_throttling_and_partial_failures(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], firehose: Firehose
) -> None:
    firehose.script = [(400, "ThrottlingException"), (500, "InternalFailure"), {0, 7}, {1}]
    f = forwarder(**settings(firehose.url))
    f.post(batch(*range(1100)), 1)
    f.post(batch(2000, response=b"x" * 3_000_000) + batch(2001, response=b"y" * 900_000), 2)
    f.until(lambda: f.status()["exporters"]["x"]["exported"] == 1102)
    status = f.status()["exporters"]["x"]
    assert (status["rejected"], status["cut"], status["errors"]) == (0, 2, 4)
    assert sorted(firehose.paths_of_pairs()) == sorted(f"/orders/{n}" for n in [*range(1100), 2000, 2001])
    assert max(map(len, firehose.batches)) <= 500
    large = next(r for b in firehose.batches for r in b if b"/orders/2000" in r)
    assert len(large) <= 1000 * 1024
    assert json.loads(large)["tags"]["responsePayloadTruncated"] == "3000000"


def test_one_record_that_is_refused_costs_itself_alone(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], firehose: Firehose
) -> None:
    firehose.poison = b"/orders/33"
    f = forwarder(**settings(firehose.url))
    f.post(batch(*range(30, 60)), 1)
    f.until(lambda: f.status()["exporters"]["x"]["lagPairs"] == 0)
    assert sorted(firehose.paths_of_pairs()) == [f"/orders/{n}" for n in range(30, 60) if n != 33]
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"]) == (29, 1)


def test_what_is_missing_is_waited_for_and_named(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], firehose: Firehose, tmp_path: Any
) -> None:
    firehose.script = [(400, "ResourceNotFoundException")]
    secret = tmp_path / "secret"
    f = forwarder(**settings(firehose.url, credentials_path=str(secret)))
    f.post(batch(1), 1)
    f.until(lambda: f.status()["exporters"]["x"]["lastError"] == "AWS: FileNotFoundError")
    secret.mkdir()
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        (secret / name).write_text("from-a-secret\n")
    f.until(lambda: f.status()["exporters"]["x"]["lastError"] == "AWS: ResourceNotFoundException")
    f.until(lambda: firehose.paths_of_pairs() == ["/orders/1"])


def test_proxies_of_the_environment_are_used(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], firehose: Firehose
) -> None:
    spec = settings("http://firehose.eu-central-1.amazonaws.invalid")
    f = forwarder(**spec, HTTP_PROXY=firehose.url, http_proxy=firehose.url)
    f.post(batch(1), 1)
    f.until(lambda: firehose.paths_of_pairs() == ["/orders/1"])
    assert firehose.paths[0].startswith("http://firehose.eu-central-1.amazonaws.invalid")
