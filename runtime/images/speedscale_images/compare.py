"""Two archives of one image side by side: what another builder made of a Containerfile, and what `make images` makes.

Called by `__main__`. Archives are read as `buildah push oci-archive:`, `podman save`, `docker save` and `oci` write
them. Times, the split into layers and their compression are not looked at: they differ and mean nothing to a program.
What a file system and a configuration hold is compared to the byte; an empty list is the proof that both ways agree.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedscale_schemas.errors import ConfigError

from .debian import STATUS

_SETTINGS = ("User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels", "ExposedPorts", "Volumes", "StopSignal")
_BUILDERS_OWN = ("io.buildah.version",)
"""Labels by which a builder names itself."""
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True)
class Entry:
    """A path of a flattened image: what it is, rights, owner, and content by hash or target."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str


@dataclass(frozen=True)
class Content:
    """An image as a container sees it."""

    architecture: str
    settings: Mapping[str, Any]
    entries: Mapping[str, Entry]
    packages: Mapping[str, str]
    """Debian packages with version, by name."""


def read(path: Path, architecture: str) -> Content:
    """Return what an archive holds for `architecture`. Raises ConfigError for a file that is no archive of an image."""
    try:
        with tarfile.open(path) as archive:
            return _content(archive, architecture)
    except (OSError, KeyError, ValueError, tarfile.TarError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ConfigError([f"{path} is no archive of an image ({reason}); save it as oci-archive"]) from error


def differences(theirs: Content, ours: Content) -> list[str]:
    """Return a line for each difference, packages of other versions first: they explain the files that follow."""
    lines = [] if theirs.architecture == ours.architecture else [f"made for {theirs.architecture}"]
    for name in sorted({*theirs.packages, *ours.packages}):
        there, here = (side.packages.get(name, "missing") for side in (theirs, ours))
        if there != here:
            lines.append(f"package {name}: {there} there, {here} here; --refresh takes the newest here too")
    for name in _SETTINGS:
        there, here = (_plain(name, side.settings.get(name)) for side in (theirs, ours))
        if there != here:
            lines.append(f"{name}: {json.dumps(there, sort_keys=True)} there, {json.dumps(here, sort_keys=True)} here")
    for name in sorted({*theirs.entries, *ours.entries}):
        lines += _entry(name, theirs.entries.get(name), ours.entries.get(name))
    return lines


def _entry(path: str, there: Entry | None, here: Entry | None) -> Iterator[str]:
    if there is None or here is None:
        yield f"/{path}: {'only here' if there is None else 'only there'}"
    elif there.kind != here.kind:
        yield f"/{path}: {there.kind} there, {here.kind} here"
    else:
        if there.mode != here.mode and here.kind != "link":
            yield f"/{path}: mode {there.mode:o} there, {here.mode:o} here"
        if there.owner != here.owner:
            yield f"/{path}: owner {there.owner[0]}:{there.owner[1]} there, {here.owner[0]}:{here.owner[1]} here"
        if there.content != here.content:
            yield f"/{path}: {'another target' if here.kind == 'link' else 'other content'}"


def _plain(name: str, value: Any) -> Any:
    """Order of variables means nothing, and neither does the difference between empty and not there."""
    if name == "Env":
        return sorted(value or [])
    if name == "Labels":
        return {key: text for key, text in (value or {}).items() if key not in _BUILDERS_OWN}
    return value or None


def _content(archive: tarfile.TarFile, architecture: str) -> Content:
    config, layers = _parts(archive, architecture)
    entries: dict[str, Entry] = {}
    packages: dict[str, str] = {}
    for name in layers:
        blob = archive.extractfile(name)
        with tarfile.open(fileobj=blob) as layer:
            _apply(layer, entries, packages)
    held = {name: version for name, version in packages.items() if f"{STATUS}/{name}" in entries}
    return Content(str(config.get("architecture", "")), config.get("config") or {}, entries, held)


def _parts(archive: tarfile.TarFile, architecture: str) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration and the names of the layers, bottom up; Docker's manifest where there is no other."""
    if "index.json" not in archive.getnames():
        described = _json(archive, "manifest.json")[0]
        return _json(archive, described["Config"]), list(described["Layers"])
    manifest = _json(archive, "index.json")
    while "manifests" in manifest:
        found = manifest["manifests"]
        fitting = [x for x in found if x.get("platform", {}).get("architecture", architecture) == architecture]
        if not fitting:
            raise ValueError(f"it has nothing for {architecture}")
        manifest = _json(archive, _blob(fitting[0]))
    return _json(archive, _blob(manifest["config"])), [_blob(layer) for layer in manifest["layers"]]


def _blob(descriptor: Mapping[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _json(archive: tarfile.TarFile, name: str) -> Any:
    stream = archive.extractfile(name)
    return json.loads(stream.read() if stream else b"")


def _apply(layer: tarfile.TarFile, entries: dict[str, Entry], packages: dict[str, str]) -> None:
    for member in layer:
        path = member.name.removeprefix("./").strip("/")
        folder, _, name = path.rpartition("/")
        if path in ("", "."):
            continue
        if name == _OPAQUE:
            _remove(entries, folder, itself=False)
        elif name.startswith(_WHITEOUT):
            _remove(entries, f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
        else:
            data = _data(layer, member)
            entries[path] = _read_entry(member, data, entries)
            if folder == STATUS:
                packages[name] = _version(data)


def _data(layer: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = layer.extractfile(member) if member.isreg() else None
    return stream.read() if stream else b""


def _read_entry(member: tarfile.TarInfo, data: bytes, entries: Mapping[str, Entry]) -> Entry:
    mode, owner = member.mode & 0o7777, (member.uid, member.gid)
    if member.isdir():
        return Entry("folder", mode, owner, "")
    if member.issym():
        return Entry("link", mode, owner, member.linkname)
    if member.islnk():
        return entries[member.linkname.removeprefix("./").strip("/")]
    return Entry("file" if member.isreg() else "device", mode, owner, hashlib.sha256(data).hexdigest())


def _remove(entries: dict[str, Entry], path: str, *, itself: bool = True) -> None:
    for name in [n for n in entries if (itself and n == path) or n.startswith(f"{path}/")]:
        del entries[name]


def _version(control: bytes) -> str:
    lines = control.decode("utf-8", "replace").splitlines()
    return next((line.removeprefix("Version: ") for line in lines if line.startswith("Version: ")), "")
