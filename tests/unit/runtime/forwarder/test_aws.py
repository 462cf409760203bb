"""What an error of AWS, or of what speaks like it, means for an exporter."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from speedscale_runtime.forwarder.exporters import aws
from speedscale_runtime.forwarder.exporters.batched import Unacceptable
from speedscale_schemas.errors import TransientError


def failed(code: str, status: int, **headers: str) -> ClientError:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": {k.replace("_", "-"): v for k, v in headers.items()}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": meta}, "PutObject")


@pytest.mark.parametrize(
    ("error", "reason", "seconds"),
    [
        (failed("SlowDown", 503), "AWS: SlowDown", 0),
        (failed("SlowDown", 503, retry_after="7"), "AWS: SlowDown", 7),
        (failed("429", 429, retry_after="99999999"), "AWS: 429", 300),
        (failed("NoSuchBucket", 404, retry_after="soon"), "AWS: NoSuchBucket", 0),
        (ClientError({}, "PutObject"), "AWS: unknown", 0),
        (EndpointConnectionError(endpoint_url="http://x"), "AWS: EndpointConnectionError", 0),
        (AttributeError("'list' object has no attribute 'get'"), "AWS: AttributeError", 0),
    ],
)
def test_what_may_pass_is_waited_for_as_long_as_is_asked(error: Exception, reason: str, seconds: float) -> None:
    found = aws.translated(error)
    assert isinstance(found, TransientError)
    assert (found.reason, found.retry_after_s) == (reason, seconds)


@pytest.mark.parametrize("error", [failed("EntityTooLarge", 400), failed("413", 413), failed("KeyTooLongError", 400)])
def test_what_will_never_be_taken(error: Exception) -> None:
    assert isinstance(aws.translated(error), Unacceptable)
