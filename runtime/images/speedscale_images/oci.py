"""An image as an OCI archive: one tar with a layout, an index, a manifest, a configuration and its layers.

Called by `build`. `ctr images import`, `podman load`, `skopeo` and `docker load` read it. Same layers and same
configuration, same bytes. Source: OCI image specification 1.1, and containerd's annotation for an image's name.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cache import Layer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Written:
    """An archive that was written: `digest` is the manifest's, the name an image is pulled by."""

    path: Path
    reference: str
    digest: str


def write(path: Path, reference: str, architecture: str, config: Mapping[str, Any], layers: Sequence[Layer]) -> Written:
    """Write the archive; one that holds the same image already is left as it is.

    `reference` is the whole name with tag, `config` the `config` object of the image's configuration.
    """
    configuration = _json(
        {
            "architecture": architecture,
            "config": dict(config),
            "created": EPOCH,
            "history": [{"created": EPOCH, "created_by": layer.name} for layer in layers],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, configuration),
            "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
            "annotations": dict(config.get("Labels", {})),
        }
    )
    index = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {
                    **_descriptor(MANIFEST, manifest),
                    "annotations": {
                        "io.containerd.image.name": reference,
                        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
                    },
                    "platform": {"architecture": architecture, "os": "linux"},
                }
            ],
        }
    )
    if not _holds(path, index):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name, data in _files(index, manifest, configuration, layers):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        temporary.replace(path)
    return Written(path, reference, _sha256(manifest))


def _files(index: bytes, manifest: bytes, config: bytes, layers: Sequence[Layer]) -> Iterator[tuple[str, bytes]]:
    yield "oci-layout", _json({"imageLayoutVersion": "1.0.0"})
    yield "index.json", index
    yield _blob(_sha256(manifest)), manifest
    yield _blob(_sha256(config)), config
    for layer in layers:
        yield _blob(layer.digest), layer.blob.read_bytes()


def _holds(path: Path, index: bytes) -> bool:
    """Whether a complete archive of this image is there: the index comes first and a tar's end last."""
    try:
        with tarfile.open(path) as archive:
            stream = archive.extractfile("index.json")
            return stream is not None and stream.read() == index and archive.getmembers() != []
    except (OSError, KeyError, tarfile.TarError):
        return False


def _descriptor(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _sha256(data), "size": len(data)}


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
