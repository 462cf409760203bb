"""Where snapshots come from: ConfigMaps in the replay's and the installation's namespace, a folder of the operator.

Called by the replays' reconciler. A source answers with the files or with nothing; what it has but cannot be used is an
error that names it. The backend (`backend`) is asked last. `latest` is the newest that any source has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from speedscale_kube import Client, Ref
from speedscale_schemas.errors import ConfigError, PermanentError
from speedscale_schemas.wording import nearest

from .config_map import LABEL, config_map, config_map_name, files_of, volume
from .index import MANIFEST, SnapshotIndex, read_index

LATEST: Final = "latest"
MAX_READ: Final = 64 * 1024 * 1024
"""Most bytes that are read of a folder's snapshot; what can be given to pods is bounded further by `config_map`."""


class SnapshotError(PermanentError):
    """There is no such snapshot, or it cannot be used; `detail` says why and what can be done."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__("SnapshotUnusable", detail)


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot: its id, where it lies, its files by name. `config_map` is the ConfigMap it is in, if it is in one.

    `indexed` is the index of one whose files are not here but in the backend: pods get it through the collector.
    """

    id: str
    where: str
    files: Mapping[str, bytes]
    config_map: Mapping[str, Any] | None = None
    indexed: SnapshotIndex | None = None

    @property
    def remote(self) -> bool:
        """Whether pods have to ask the replay's collector for it."""
        return self.indexed is not None

    def index(self) -> SnapshotIndex:
        """Return what is in it; SnapshotError when it is no whole snapshot, or another one than its name says."""
        if self.indexed is not None:
            return self.indexed
        try:
            made = read_index(self.files, self.where)
        except ConfigError as error:
            raise SnapshotError("; ".join(error.problems)) from error
        if made.id != self.id:
            raise SnapshotError(f"{self.where}: holds snapshot {made.id}, not {self.id}")
        return made

    def beside(self, namespace: str, copy_name: str) -> tuple[Mapping[str, Any], bool]:
        """Return the ConfigMap for pods in `namespace`, and whether it is a copy that has to be made there.

        SnapshotError when the snapshot is too large for one.
        """
        if self.config_map is not None and self.config_map["metadata"]["namespace"] == namespace:
            return self.config_map, False
        try:
            return config_map(self.files, namespace=namespace, name=copy_name), True
        except ConfigError as error:
            raise SnapshotError("; ".join(error.problems)) from error

    def volume(self, manifest: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return the volume of a pod beside ConfigMap `manifest`, and what the snapshot is called in there."""
        return volume(manifest, self.id)


class SnapshotSource(Protocol):
    """One place with snapshots. `namespace` is the replay's."""

    def find(self, id_: str, namespace: str) -> Found | None:
        """Return a snapshot by its id, None when it is not here."""

    def newest(self, namespace: str) -> tuple[str, str] | None:
        """Return when (RFC 3339) the newest snapshot here was made, and its id."""

    def ids(self, namespace: str) -> tuple[str, ...]:
        """Return ids that are here, at most a hundred, to be named where one was mistyped."""


class ConfigMaps:
    """ConfigMaps `speedscale-snapshot-<id>` in the replay's namespace, then in the installation's."""

    def __init__(self, client: Client, own_namespace: str) -> None:
        self._client, self._own = client, own_namespace

    def find(self, id_: str, namespace: str) -> Found | None:
        """Return the ConfigMap's files."""
        for place in dict.fromkeys((namespace, self._own)):
            ref = Ref("v1", "ConfigMap", place, config_map_name(id_))
            obj = self._client.find(ref)
            if obj is not None:
                try:
                    return Found(id_, str(ref), files_of(obj), obj)
                except ConfigError as error:
                    raise SnapshotError(f"{ref}: {error}") from error
        return None

    def newest(self, namespace: str) -> tuple[str, str] | None:
        """Return the one that was created last."""
        return max(
            ((str(o["metadata"].get("creationTimestamp", "")), _id(o)) for o in self._all(namespace)), default=None
        )

    def ids(self, namespace: str) -> tuple[str, ...]:
        """Return the ids that the ConfigMaps bear."""
        return tuple(sorted({_id(obj) for obj in self._all(namespace)}))[:100]

    def _all(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        for place in dict.fromkeys((namespace, self._own)):
            # a copy that a replay made for its own pods is none that was put here
            found = self._client.list(
                "v1", "ConfigMap", place, labels=f"{LABEL},!replay.speedscale.com/id", metadata_only=True
            )
            yield from (obj for obj in found if _id(obj))


class Folder:
    """A folder with a snapshot in each folder below it, mounted in the operator."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, id_: str, namespace: str) -> Found | None:
        """Return the files of `<root>/<id>`; SnapshotError where they are too many bytes or cannot be read."""
        folder = self._root / id_
        if "/" in id_ or id_ in ("", ".", "..") or not (folder / MANIFEST).is_file():
            return None
        where = f"folder {folder}"
        try:
            paths = sorted(p for p in folder.iterdir() if p.is_file() and not p.is_symlink())
            size = sum(p.stat().st_size for p in paths)
            if size > MAX_READ:
                raise SnapshotError(f"{where}: {size:,} bytes; at most {MAX_READ:,} are read")
            return Found(id_, where, {p.name: p.read_bytes() for p in paths})
        except OSError as error:
            raise SnapshotError(f"{where}: {error.strerror or error}") from error

    def newest(self, namespace: str) -> tuple[str, str] | None:
        """Return the one whose manifest was written last."""
        made = ((path.stat().st_mtime, path.parent.name) for path in self._manifests())
        newest = max(made, default=None)
        if newest is None:
            return None
        return datetime.fromtimestamp(newest[0], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), newest[1]

    def ids(self, namespace: str) -> tuple[str, ...]:
        """Return the names of the folders."""
        return tuple(sorted(path.parent.name for path in self._manifests()))[:100]

    def _manifests(self) -> list[Path]:
        try:
            return [path for path in self._root.glob(f"*/{MANIFEST}") if path.is_file()]
        except OSError:
            return []


class Snapshots:
    """All sources, asked in order."""

    def __init__(self, sources: Sequence[SnapshotSource]) -> None:
        self._sources = tuple(sources)

    @classmethod
    def of(
        cls, client: Client, own_namespace: str, folder: str = "", backend: SnapshotSource | None = None
    ) -> Snapshots:
        """Return the usual ones: ConfigMaps, then the folder and the backend where there is one."""
        folders = [Folder(Path(folder))] if folder else []
        return cls([ConfigMaps(client, own_namespace), *folders, *([backend] if backend is not None else [])])

    def resolve(self, id_: str, namespace: str) -> str:
        """Return the id that is meant: `latest` is the newest of all; SnapshotError when there is none."""
        if id_ != LATEST:
            return id_
        newest = max(filter(None, (source.newest(namespace) for source in self._sources)), default=None)
        if newest is None:
            raise SnapshotError(f"snapshot latest: there is none yet in namespace {namespace}, nor in the operator's")
        return newest[1]

    def get(self, id_: str, namespace: str) -> Found:
        """Return a snapshot by its id; SnapshotError names the nearest ids when there is none of this."""
        for source in self._sources:
            found = source.find(id_, namespace)
            if found is not None:
                return found
        known = [one for source in self._sources for one in source.ids(namespace)]
        near = nearest(id_, known) or known[:5]
        raise SnapshotError(
            f"snapshot {id_}: no ConfigMap {config_map_name(id_)} in namespace {namespace} or the operator's"
            + (", nor in the backend" if any(hasattr(source, "url") for source in self._sources) else "")
            + (f"; there is {', '.join(near)}" if near else "; there is none at all")
        )


def _id(obj: Mapping[str, Any]) -> str:
    meta = obj["metadata"]
    return str((meta.get("annotations") or {}).get(LABEL) or (meta.get("labels") or {}).get(LABEL) or "")
