"""Objects in an S3 bucket, with a bounded cache of files for reading.

A borrowed object is downloaded once and stays in the cache until room is needed; the one used longest ago goes first,
never one that is borrowed. The cache is empty after a start: what it held may have been deleted meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from speedscale_runtime.backend.config import Bucket

from .base import Missing, Unavailable

_TRANSFER = TransferConfig(max_concurrency=2, multipart_threshold=16 << 20, multipart_chunksize=16 << 20)
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


class S3:
    """The bucket; `cache` is a folder of this process alone."""

    def __init__(self, bucket: Bucket, cache: Path) -> None:
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True, mode=0o700)
        self._bucket, self._prefix, self._cache = bucket.name, bucket.prefix, cache
        self._cache_max = bucket.cache_max_bytes
        self._mutex = threading.Lock()
        self._sizes: dict[str, int] = {}  # of what is in the cache, the longest unused first
        self._borrowed: Counter[str] = Counter()
        config = Config(
            retries={"max_attempts": 4, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            s3={"addressing_style": "path"} if bucket.endpoint else {},
        )
        self._client: Any = boto3.session.Session().client(
            "s3", endpoint_url=bucket.endpoint or None, region_name=bucket.region or None, config=config
        )

    def put(self, name: str, file: Path) -> None:
        """Upload a file; it is kept for reading."""
        with _translated(name):
            self._client.upload_file(str(file), self._bucket, self._prefix + name, Config=_TRANSFER)
        with self._mutex:
            path = self._path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, path)
            self._sizes.pop(name, None)
            self._sizes[name] = path.stat().st_size
            self._make_room()

    @contextlib.contextmanager
    def borrow(self, name: str) -> Iterator[Path]:
        """Give the cached file, fetched where it is not there."""
        with self._mutex:
            self._borrowed[name] += 1
            known = self._sizes.pop(name, None)
            if known is not None:
                self._sizes[name] = known
        try:
            if known is None:
                self._fetch(name)
            yield self._path(name)
        finally:
            with self._mutex:
                self._borrowed[name] -= 1
                if not self._borrowed[name]:
                    del self._borrowed[name]
                self._make_room()

    def delete(self, name: str) -> None:
        """Delete the object; a file that is borrowed goes when room is needed."""
        with _translated(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)
        with self._mutex:
            if name in self._sizes and not self._borrowed[name]:
                del self._sizes[name]
                self._path(name).unlink(missing_ok=True)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield names, a page of the bucket at a time."""
        with _translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield str(entry["Key"]).removeprefix(self._prefix)

    def _fetch(self, name: str) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.{threading.get_ident()}.half")
        try:
            with _translated(name):
                self._client.download_file(self._bucket, self._prefix + name, str(half), Config=_TRANSFER)
            with self._mutex:
                os.replace(half, path)
                self._sizes[name] = path.stat().st_size
        finally:
            half.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._cache / name

    def _make_room(self) -> None:
        used = sum(self._sizes.values())
        for name in list(self._sizes):
            if used <= self._cache_max:
                return
            if not self._borrowed[name]:
                used -= self._sizes.pop(name)
                self._path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _GONE:
            raise Missing(name) from error
        raise Unavailable(f"{name}: the object store says {code}") from error
    except (BotoCoreError, boto3.exceptions.Boto3Error, OSError) as error:
        raise Unavailable(f"{name}: {type(error).__name__}") from error
