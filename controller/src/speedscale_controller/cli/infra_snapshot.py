"""`speedctl infra snapshot push|list`: a snapshot's files into the cluster, and what is there."""

from __future__ import annotations

import argparse
import tarfile
import zlib
from pathlib import Path

from speedscale_controller.snapshots import config_map
from speedscale_controller.snapshots.sources import ConfigMaps
from speedscale_kube import Client
from speedscale_schemas.errors import ConfigError

from . import installed
from .printing import emit
from .reaching import MANAGER, with_cluster

MANIFEST = "snapshot.json"
MAX_BYTES = 64 * 1024 * 1024
"""Most that is read of a snapshot: what is larger fits into no ConfigMap, packed or not."""


def push(args: argparse.Namespace) -> int:
    """Put a snapshot into a namespace; 0, or 2 when it is none, too large, or not allowed."""
    return with_cluster(args, lambda client: _push(client, args))


def _push(client: Client, args: argparse.Namespace) -> int:
    namespace = args.namespace or client.namespace
    made = config_map(files(Path(args.path)), namespace=namespace)
    client.apply(made, MANAGER, force=True, dry_run=args.dry_run)
    name = made["metadata"]["name"]
    id_ = name.removeprefix("speedscale-snapshot-")
    id_ = next(iter(made["metadata"]["annotations"].values()), id_)
    done = "would be put" if args.dry_run else "was put"
    text = f"snapshot {id_} {done} into ConfigMap {namespace}/{name}"
    emit(args, {"snapshotId": id_, "namespace": namespace, "configMap": name, "dryRun": args.dry_run}, text)
    return 0


def show_all(args: argparse.Namespace) -> int:
    """List the snapshots of a namespace and of the installation."""

    def act(client: Client) -> int:
        there = installed.find(client, args.operator_namespace)
        namespace = args.namespace or client.namespace
        found = sorted(ConfigMaps(client, there.namespace if there else namespace).ids(namespace))
        emit(args, {"namespace": namespace, "snapshots": found}, "\n".join(found) or "no snapshots")
        return 0

    return with_cluster(args, act)


def files(path: Path) -> dict[str, bytes]:
    """Return a snapshot's files by name, out of its folder or a tar; ConfigError when it cannot be read."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise ConfigError([f"{path}: there is no such folder or file"])
    try:
        return _tar(path)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ConfigError([f"{path}: no readable tar ({error}); give a snapshot's folder, .tar or .tgz"]) from error


def _folder(path: Path) -> dict[str, bytes]:
    found = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    if MANIFEST not in {p.name for p in found}:
        raise ConfigError([f"{path}: has no {MANIFEST}; give the folder of one snapshot"])
    _bounded(path, sum(p.stat().st_size for p in found))
    return {p.name: p.read_bytes() for p in found}


def _tar(path: Path) -> dict[str, bytes]:
    """Read the files beside the manifest; names never become paths."""
    with tarfile.open(path, mode="r:*") as tar:
        members = [m for m in _bounded_members(path, tar) if m.isfile()]
        manifests = [m.name for m in members if m.name.rpartition("/")[2] == MANIFEST]
        if len(manifests) != 1:
            raise ConfigError([f"{path}: holds {len(manifests)} files {MANIFEST}; give a tar of one snapshot"])
        folder = manifests[0].rpartition("/")[0]
        inside = [m for m in members if m.name.rpartition("/")[0] == folder and m.name.rpartition("/")[2][:1] != "."]
        found = {}
        for member in inside:
            stream = tar.extractfile(member)
            if stream is not None:
                found[member.name.rpartition("/")[2]] = stream.read()
        return found


def _bounded_members(path: Path, tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    found, size = [], 0
    for member in tar:
        size += member.size
        _bounded(path, size)
        found.append(member)
    return found


def _bounded(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise ConfigError(
            [f"{path}: more than {MAX_BYTES:,} bytes; select less: a shorter time, one service, a filter"]
        )
