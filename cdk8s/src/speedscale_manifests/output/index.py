"""The index of what a writer wrote: which files of a folder are ours, and the bytes we last gave them.

Read and written by `writer` only. It lies in the folder beside the files and is committed with them, so that a clone
knows what it may replace or delete. Its bytes depend on the files alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from speedscale_schemas.errors import ConfigError

from .paths import unsafe

FORMAT = 1


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Index:
    """`files`: path → digest of what we wrote. `pending`: path → digests that a writer that died may have left."""

    files: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def owns(self, path: str) -> bool:
        """Return whether we wrote the path, or were about to."""
        return path in self.files or path in self.pending

    def wrote(self, path: str, content: bytes) -> bool:
        """Return whether these bytes at this path are ours, unmodified."""
        known = {*self.pending.get(path, ()), self.files.get(path, "")}
        return digest(content) in known

    def paths(self) -> set[str]:
        """Return every path that is ours."""
        return {*self.files, *self.pending}

    def intending(self, fresh: Mapping[str, bytes]) -> Index:
        """Return this index with the files that are about to be written, for the case that we die in between."""
        pending = {path: (*self.pending.get(path, ()), digest(content)) for path, content in fresh.items()}
        merged = {**self.pending, **pending}
        return Index(self.files, {path: tuple(sorted(set(known))) for path, known in merged.items()})

    def text(self) -> bytes:
        """Return the index as it stands on disk: JSON, sorted."""
        document: dict[str, Any] = {"format": FORMAT, "files": dict(self.files)}
        if self.pending:
            document["pending"] = {path: list(known) for path, known in self.pending.items()}
        return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, source: str) -> Index:
        """Return the index that a text holds; ConfigError, naming `source`, when it holds none."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                reason = f"format {document['format']!r}, expected {FORMAT}; a newer version of speedctl wrote it"
                raise ConfigError([f"{source}: {reason}"])
            files = {str(path): str(known) for path, known in document["files"].items()}
            pending = {str(path): tuple(map(str, known)) for path, known in document.get("pending", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"is no index of written files ({type(error).__name__}: {error})"
            raise ConfigError(
                [f"{source}: {reason}; all of this folder is generated: delete it and synthesise"]
            ) from None
        escaping = [path for path in (*files, *pending) if unsafe(path)]
        if escaping:
            raise ConfigError([f"{source}: lists {path!r}, which {unsafe(path)}" for path in escaping])
        return cls(files, pending)
