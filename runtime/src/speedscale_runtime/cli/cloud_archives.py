"""Snapshots as tars, to and from the backend: what `speedctl cloud` packs and puts away."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from speedscale_runtime import snapshot
from speedscale_runtime.snapshot import Snapshot, layout
from speedscale_schemas.errors import ConfigError

_FILES = (layout.MANIFEST, *layout.DATA_FILES)


def packed(source: Snapshot, tar_file: Path) -> Path:
    """Return a tar of a snapshot: itself where it is one, else one of its folder. ConfigError for a recording."""
    if not source.immutable:
        raise ConfigError([f"{source.path}: a recording; make a snapshot of it first (speedctl snapshot create)"])
    if not source.path.is_dir():
        if source.path.name.endswith(".tar"):
            return source.path
        raise ConfigError([f"{source.path}: unpack it first; the backend takes a tar that is not compressed"])
    with tarfile.open(tar_file, "w") as tar:
        for name in _FILES:
            tar.add(source.path / name, arcname=name)
    return tar_file


def put_away(tar_file: Path, target: Path, as_file: bool) -> Path:
    """Verify a snapshot's tar and put it away: as the file `target`, or as the folder `target/<id>`."""
    found = snapshot.open(tar_file)
    found.verify()
    if as_file:
        shutil.copyfile(tar_file, target)
        return target
    target.mkdir(parents=True, exist_ok=True)
    final = target / found.id
    if final.exists():
        return final
    folder = Path(tempfile.mkdtemp(prefix=".snapshot-", dir=target))
    try:
        with tarfile.open(tar_file) as tar:
            for member in tar:
                name, data = member.name.rpartition("/")[2], tar.extractfile(member)
                if data is not None and name in _FILES:  # by hand: Python 3.11.2 of Debian 12 knows no `filter`
                    with data, (folder / name).open("wb") as file:
                        shutil.copyfileobj(data, file)
        folder.chmod(0o755)
        folder.replace(final)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return final
