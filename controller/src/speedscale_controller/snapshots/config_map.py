"""A snapshot as a ConfigMap, and a ConfigMap as a pod's volume.

Called by the replays' reconciler, which copies a snapshot to where its pods run, and by `speedctl`, which puts one into
the cluster. Pure. An object of the API holds about a mebibyte (etcd's limit on a request is 1.5 MiB, a ConfigMap's 1
MiB); what is larger is packed, and what is then still larger is refused with what can be done about it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from typing import Any, Final

from speedscale_schemas.errors import ConfigError

from .index import MANIFEST, MOCKS, TESTS, read_index

MAX_BYTES: Final = 1_000_000
"""Most bytes of all files together; the API server takes 1,048,576 of keys and values."""
MAX_UNPACKED: Final = 64 * 1024 * 1024
PACKED: Final = "snapshot.tgz"
"""Key of the snapshot as one packed file, where it is too large as it is; the data plane reads it packed."""
LABEL: Final = "speedscale.com/snapshot"
_LEFT_OUT: Final = ("raw.jsonl", "bad-rrs.jsonl", "created.json")
"""What no replay reads; left out of a ConfigMap in this order when there is no room."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def config_map_name(id_: str) -> str:
    """Return the ConfigMap's name: `speedscale-snapshot-<id>`, with a hash where the id is no name of an object."""
    if _NAME.fullmatch(id_) and ".." not in id_ and ".-" not in id_ and "-." not in id_:
        return f"speedscale-snapshot-{id_}"
    stem = re.sub(r"[^a-z0-9]+", "-", id_.lower())[:60].strip("-") or "id"
    return f"speedscale-snapshot-{stem}-{hashlib.sha256(id_.encode()).hexdigest()[:10]}"


def label_value(id_: str) -> str:
    """Return the value of label `speedscale.com/snapshot`: the id, or a hash of one that is no label value."""
    return id_ if _LABEL_VALUE.fullmatch(id_) else hashlib.sha256(id_.encode()).hexdigest()[:40]


def config_map(files: Mapping[str, bytes], *, namespace: str = "", name: str = "") -> dict[str, Any]:
    """Return the ConfigMap that holds a snapshot; `files` by name (`snapshot.json`, `action.jsonl`, …).

    `name` is that of the object where it is not to be `speedscale-snapshot-<id>`. Files that no replay reads are left
    out when there is no room for them. Raises ConfigError when it is no whole snapshot, a file's name cannot be a key,
    or the rest is too large.
    """
    index = read_index(files, "snapshot")
    wrong = [f"snapshot: file {f!r}: a ConfigMap's key has letters, digits, - _ and ." for f in files if not _key(f)]
    if not _ID.fullmatch(index.id):
        wrong.append(f"snapshot: id {index.id!r}: expected up to 128 letters, digits, - _ and .")
    if wrong:
        raise ConfigError(wrong)
    kept = dict(files)
    for left_out in _LEFT_OUT:
        if _size(kept) > MAX_BYTES:
            kept.pop(left_out, None)
    if _size(kept) > MAX_BYTES:
        kept = {PACKED: _pack(kept)}
    if _size(kept) > MAX_BYTES:
        sizes = ", ".join(f"{n} {len(files[n]):,}" for n in (MANIFEST, TESTS, MOCKS))
        raise ConfigError(
            [
                f"snapshot {index.id}: {_size(kept):,} bytes even when packed ({sizes}), a ConfigMap holds"
                f" {MAX_BYTES:,}; select less: a shorter time, one service, a filter"
            ]
        )
    texts = {n: t for n, data in kept.items() if (t := _text(data)) is not None}
    binary = {n: base64.b64encode(data).decode() for n, data in kept.items() if n not in texts}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name or config_map_name(index.id),
            **({"namespace": namespace} if namespace else {}),
            "labels": {"app.kubernetes.io/part-of": "speedscale", LABEL: label_value(index.id)},
            "annotations": {LABEL: index.id},
        },
        **({"data": texts} if texts else {}),
        **({"binaryData": binary} if binary else {}),
    }


def files_of(obj: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files in a ConfigMap as the API gives it; ConfigError where what is packed cannot be read."""
    found = {str(k): str(v).encode("utf-8", "surrogatepass") for k, v in (obj.get("data") or {}).items()}
    found |= {str(k): base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()}
    packed = found.pop(PACKED, None)
    return found if packed is None else {**_unpack(packed), **found}


def volume(obj: Mapping[str, Any], id_: str) -> tuple[dict[str, Any], str]:
    """Return the volume named `snapshot` that shows a ConfigMap's snapshot, and what it is called in there."""
    keys = sorted({*(obj.get("data") or {}), *(obj.get("binaryData") or {})})
    reference = f"{id_}.tgz" if PACKED in keys else id_
    items = [{"key": key, "path": reference if key == PACKED else f"{id_}/{key}"} for key in keys]
    if PACKED in keys:  # beside it, files would make a folder that is no snapshot
        items = [item for item in items if item["key"] == PACKED]
    return {"name": "snapshot", "configMap": {"name": str(obj["metadata"]["name"]), "items": items}}, reference


def _pack(files: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar of the files: the same bytes for the same files."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return out.getvalue()


def _unpack(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    left = MAX_UNPACKED
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            for member in tar:
                left -= member.size
                if left < 0:
                    raise ConfigError([f"{PACKED}: more than {MAX_UNPACKED:,} bytes when unpacked"])
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is not None:
                    found[member.name.rpartition("/")[2]] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ConfigError([f"{PACKED}: no readable tar: {error}"]) from error
    return found


def _key(name: str) -> bool:
    return bool(_KEY.fullmatch(name)) and name not in (".", "..") and not name.startswith("..")


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _size(files: Mapping[str, bytes]) -> int:
    return sum(len(name) + len(data) for name, data in files.items())
