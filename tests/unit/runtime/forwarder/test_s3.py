"""The exporter `s3` by itself: what it does with an object that is refused, and with surprises."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from speedscale_runtime.forwarder import config
from speedscale_runtime.forwarder.exporters import Item
from speedscale_runtime.forwarder.exporters.s3 import S3Exporter
from speedscale_runtime.rrpair import RRPair


class Bucket:
    """A client of boto3's shape: takes objects unless `script` has something to raise, or `poison` is in one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.script: list[Exception] = []
        self.poison = b"\x00"

    def put_object(self, *, Key: str, Body: bytes, **more: Any) -> dict[str, str]:
        if self.script:
            raise self.script.pop(0)
        if Key.endswith(".gz") and self.poison in gzip.decompress(Body):
            raise ClientError({"Error": {"Code": "EntityTooLarge"}}, "PutObject")
        self.objects[Key] = Body
        return {"ETag": '"e"'}

    def get_object(self, **more: Any) -> Any:
        raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")

    def close(self) -> None:
        pass

    def locations(self) -> list[str]:
        found = []
        for key, body in self.objects.items():
            if key.endswith(".gz"):
                for resource in json.loads(gzip.decompress(body))["resourceLogs"]:
                    for record in resource["scopeLogs"][0]["logRecords"]:
                        values = {kv["key"]: kv["value"] for kv in record["body"]["kvlistValue"]["values"]}
                        found.append(values["location"]["stringValue"])
        return sorted(found)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket()
    monkeypatch.setattr("speedscale_runtime.forwarder.exporters.aws.client", lambda *_: made)
    return made


def exporter() -> S3Exporter:
    (spec,) = config.parse({"EXPORTERS": '{"x": {"type": "s3", "bucket": "b"}}'}).exporters
    return S3Exporter(spec, 0.0)


def items(*numbers: int) -> list[Item]:
    doc = {"msgType": "rrpair", "ts": "2026-01-02T03:04:05Z", "namespace": "shop"}
    return [
        Item(RRPair({**doc, "uuid": f"u{n}", "location": f"/{n}", "service": f"s{n % 2}"}, None, b"{}"), 1)
        for n in numbers
    ]


async def test_an_object_that_is_refused_is_halved_until_the_pair_is_alone(bucket: Bucket) -> None:
    bucket.poison = b'"/5"'
    sending = exporter()
    sent = await sending.send(items(*range(9)))
    assert (sent.exported, sent.events["rejected"]) == (8, 1)
    assert bucket.locations() == [f"/{n}" for n in range(9) if n != 5]
    await sending.close()


async def test_whatever_is_raised_nothing_is_forgotten(bucket: Bucket) -> None:
    bucket.script = [RuntimeError("a bug")]
    sending = exporter()
    given = items(*range(4))
    with pytest.raises(RuntimeError):
        await sending.send(given)
    sent = await sending.send(given)
    assert sent.exported == 4
    assert bucket.locations() == [f"/{n}" for n in range(4)]
    await sending.close()
