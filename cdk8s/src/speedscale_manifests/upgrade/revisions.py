"""Manifests as they were committed: the one place of this package that runs git.

Called by `against`. Reads only; nothing is checked out. Each failure is a ConfigError that says what to do.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from speedscale_schemas.errors import ConfigError

from .texts import load

_TIMEOUT_S = 60
_PLACE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
_SUFFIXES = (".yaml", ".yml", ".json")
Manifest = dict[str, Any]


def at(ref: str, folder: Path) -> tuple[list[Manifest], str]:
    """Return the manifests that stood in `folder` at a revision, and a name for that state.

    `ref` is a git revision of the repository that `folder` lies in, or a folder of another output. Raises ConfigError
    when either cannot be read or holds no manifest.
    """
    folder = Path(os.path.realpath(folder))
    if not ref or ref.startswith("-"):
        raise ConfigError([f"--against {ref!r}: expected a git revision such as HEAD, origin/main or v0.2.0"])
    top = _top(folder)
    commit = _commit(top, ref) if top is not None else None
    if top is not None and commit is not None:
        return _committed(top, commit, folder.relative_to(top), ref), f"{ref} ({commit[:9]})"
    if Path(ref).is_dir():
        return _on_disk(Path(ref)), ref
    if top is None:
        raise ConfigError([f"--against {ref}: {folder} lies in no git repository; commit the output, or name a folder"])
    raise ConfigError(
        [
            f"--against {ref}: no such revision in {top}; `git log --oneline` lists them; "
            f"a shallow clone of CI needs it first: git fetch --depth=1 origin {ref.removeprefix('origin/')}"
        ]
    )


def _git(top: Path, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if key not in _PLACE}  # set inside of git hooks
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    try:
        return subprocess.run(
            ["git", "-C", str(top), *arguments],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise ConfigError(["--against needs the program git, which is not on PATH"]) from None
    except subprocess.TimeoutExpired:
        raise ConfigError([f"git {arguments[0]} in {top} took longer than {_TIMEOUT_S} s"]) from None


def _top(folder: Path) -> Path | None:
    """Return the root of the repository around a folder that need not exist."""
    while not folder.is_dir():
        if folder == folder.parent:
            return None
        folder = folder.parent
    result = _git(folder, "rev-parse", "--show-toplevel")
    if result.returncode and b"dubious ownership" in result.stderr:
        raise ConfigError([result.stderr.decode(errors="replace").strip()])
    return Path(os.fsdecode(result.stdout.rstrip(b"\n"))) if result.returncode == 0 and result.stdout else None


def _commit(top: Path, ref: str) -> str | None:
    result = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return result.stdout.decode().strip() if result.returncode == 0 else None


def _committed(top: Path, commit: str, folder: Path, ref: str) -> list[Manifest]:
    tree = PurePosixPath(folder).as_posix()
    listed = _git(top, "ls-tree", "-r", "-z", "--full-tree", commit, *([] if tree == "." else ["--", f"{tree}/"]))
    entries = [entry.split(b"\t", 1) for entry in listed.stdout.split(b"\0") if b"\t" in entry]
    files = [(meta.split()[2], os.fsdecode(name)) for meta, name in entries if meta.split()[1] == b"blob"]
    wanted = [(blob, name) for blob, name in files if _is_manifest(PurePosixPath(name))]
    if not wanted:
        raise ConfigError(
            [f"--against {ref}: {tree} holds no manifest there; was the output committed in that folder?"]
        )
    found: list[Manifest] = []
    for (_, name), data in zip(wanted, _contents(top, [blob for blob, _ in wanted]), strict=True):
        found += _parsed(data, f"{ref}:{name}")
    return found


def _contents(top: Path, blobs: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the contents of blobs, read by one git process."""
    output = _git(top, "cat-file", "--batch", data=b"\n".join(blobs) + b"\n").stdout
    at = 0
    for blob in blobs:
        end = output.index(b"\n", at)
        head = output[at:end].split()
        if len(head) != 3:
            raise ConfigError([f"git has no content for {blob.decode()}; is the clone partial? git fetch --refetch"])
        size = int(head[2])
        yield output[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _on_disk(folder: Path) -> list[Manifest]:
    found: list[Manifest] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _is_manifest(PurePosixPath(path.relative_to(folder).as_posix())):
            found += _parsed(path.read_bytes(), str(path))
    if not found:
        raise ConfigError([f"--against {folder}: this folder holds no manifest"])
    return found


def _is_manifest(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix in _SUFFIXES and path.stem != "kustomization" and not hidden


def _parsed(data: bytes, source: str) -> list[Manifest]:
    try:
        return load(data.decode())
    except ValueError as error:
        raise ConfigError([f"{source}: no YAML: {' '.join(str(error).split())}"]) from None
