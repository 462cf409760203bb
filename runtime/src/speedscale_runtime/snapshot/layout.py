"""The files of a snapshot, their names, and the id that follows from their content.

    <id>/snapshot.json    manifest, in the vendor's form
         raw.jsonl        every selected pair
         action.jsonl     tests: what came in, answered
         reaction.jsonl   mocks: what went out, answered
         bad-rrs.jsonl    what is in neither, with reasons
         created.json     when, with what version: wall-clock facts, outside the id

Used by `create` and `reader`. The id is UUIDv5 of a hash over all files but the last.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

MANIFEST = "snapshot.json"
RAW = "raw.jsonl"
TESTS = "action.jsonl"
MOCKS = "reaction.jsonl"
SKIPPED = "bad-rrs.jsonl"
CREATED = "created.json"
DATA_FILES = (RAW, TESTS, MOCKS, SKIPPED)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "speedscale:snapshot")
_HOME_PATH = ("data", "snapshots")


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest as it is written: sorted keys, two spaces, a newline."""
    return orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def identity(manifest: Mapping[str, Any], digests: Mapping[str, bytes]) -> str:
    """Return the id: `digests` are SHA-256 by file name; an `id` in the manifest is left out."""
    total = hashlib.sha256(manifest_bytes({k: v for k, v in manifest.items() if k != "id"}))
    for name in sorted(digests):
        total.update(name.encode() + b"\0" + digests[name])
    return str(uuid.uuid5(_NAMESPACE, total.hexdigest()))


def recording_identity(files: Iterable[Path]) -> str:
    """Return the id of a plain recording, from its files' bytes; their names and order do not count.

    A file that cannot be read counts as one: it holds no pair, and reading the recording says why.
    """
    total = hashlib.sha256()
    for digest in sorted(map(_digest, files)):
        total.update(digest)
    return str(uuid.uuid5(_NAMESPACE, "recording:" + total.hexdigest()))


def _digest(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b"unreadable"


def snapshots_home(home: Path) -> Path:
    """Return where snapshots rest under SPEEDSCALE_HOME."""
    return home.joinpath(*_HOME_PATH)
