"""AWS for the exporters that speak to it: the client, its credentials, and what its errors mean.

Credentials, region, proxies and roots come by boto3's own chain (environment, files, web identity, container, instance;
HTTP_PROXY, HTTPS_PROXY, NO_PROXY; AWS_CA_BUNDLE); an entry may name a folder of a mounted Secret instead. A client is
made anew after a failure, so that what comes late or changes is found. Who says how long to be left alone (Retry-After,
as those do that speak S3 without being AWS) is heard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from speedscale_runtime.delivery.pauses import retry_after
from speedscale_runtime.forwarder.exporter_specs import Aws
from speedscale_schemas.errors import TransientError

from .batched import Unacceptable

CONNECT_TIMEOUT_S = 5
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_HOPELESS = frozenset(
    {
        "InvalidArgumentException",
        "ValidationException",
        "SerializationException",
        "EntityTooLarge",
        "KeyTooLongError",
    }
)
"""This data will never be taken. A missing stream, a wrong key, a bucket that is gone may change and are waited for."""
_TOO_LARGE = 413  # also of a proxy in front, which has no code for it


def client(service: str, aws: Aws, timeout_s: float) -> Any:
    """Return a client that tries once: pauses are the runner's. TransientError where it cannot be made (yet)."""
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=timeout_s,
        s3={"addressing_style": "path"} if aws.endpoint_url else {},
    )
    try:
        session = boto3.session.Session(region_name=aws.region or None, **_credentials(aws.credentials_path))
        return session.client(service, endpoint_url=aws.endpoint_url or None, verify=aws.ca_file or None, config=config)
    except (BotoCoreError, OSError, ValueError) as error:
        raise TransientError(f"AWS: {type(error).__name__}", 0.0) from error


def _credentials(folder: str) -> dict[str, str]:
    if not folder:
        return {}
    found = {}
    for name in _KEYS:
        file = Path(folder) / name
        if name != "AWS_SESSION_TOKEN" or file.exists():
            found[name.lower()] = file.read_text("ascii").strip()
    return found


def translated(error: Exception) -> Exception:
    """Return what an error of boto3 means: Unacceptable, or TransientError with its code."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code") or "unknown")
        meta = error.response.get("ResponseMetadata", {})
        if code in _HOPELESS or meta.get("HTTPStatusCode") == _TOO_LARGE:
            return Unacceptable()
        return TransientError(f"AWS: {code}"[:100], retry_after(meta.get("HTTPHeaders", {}).get("retry-after")))
    return TransientError(f"AWS: {type(error).__name__}", 0.0)


def is_missing(error: Exception) -> bool:
    """Say whether the error means that there is no such object."""
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey")


FAILURES = (BotoCoreError, ClientError, OSError, ValueError, TypeError, AttributeError)
"""What a call may raise: the last three where an answer is none of AWS's, and boto3 does not look before it reads."""


def no_answer() -> TransientError:
    """Return what a success means that lacks what AWS always says: somebody else answered, nothing is stored."""
    return TransientError("AWS: a success that is none of AWS's", 0.0)
