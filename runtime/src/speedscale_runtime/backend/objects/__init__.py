"""Large things by name: Parquet of traffic, archives of snapshots, results of replays.

One interface, two places: a folder, or an S3 bucket with a cache on disk. Names are relative paths of plain words, and
an object never changes: what is replaced gets another name. Everything here blocks; it is called from threads.
"""

from __future__ import annotations

from pathlib import Path

from speedscale_runtime.backend.config import Bucket

from .base import Missing, ObjectStore, Unavailable
from .directory import Directory

__all__ = ["Directory", "Missing", "ObjectStore", "Unavailable", "create"]


def create(folder: Path, bucket: Bucket | None) -> ObjectStore:
    """Return the store: in `folder` itself, or in the bucket with its cache in `folder`."""
    if bucket is None:
        return Directory(folder / "objects")
    from .s3 import S3  # its library takes 30 MB: only who has a bucket pays for it

    return S3(bucket, folder / "cache")
