"""What chains read from outside the traffic: files, data frames, secrets. The only I/O of this package.

Roots are folders in the order in which they are searched. A name never leaves its root: `..`, absolute paths
inside a secret's name and links that point outside are refused. Everything read is kept (bounded by size).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import TransformError

_MAX_BYTES = 64 * 1024 * 1024


class Sources:
    """Files below `roots`; `environ` is what `${{env_var:NAME}}` sees."""

    def __init__(self, roots: Sequence[Path] = (), environ: Mapping[str, str] | None = None) -> None:
        self._roots = [Path(root).resolve() for root in roots]
        self.environ = dict(environ or {})
        self._files: dict[str, bytes] = {}
        self._frames: dict[str, list[list[str]]] = {}

    def file(self, name: str) -> bytes:
        """Return a file's bytes: a path, `s3://name` (a document of that name) or `dataframe:<id>__<file>`.

        Raises TransformError where there is none.
        """
        known = self._files.get(name)
        if known is None:
            known = self._files[name] = self._read(name, self._candidates(name))
        return known

    def secret(self, reference: str) -> str:
        """Return the secret `name/key` as text without the newline at its end, or raise TransformError."""
        parts = reference.split("/")
        if len(parts) != 2 or any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in parts):
            raise TransformError(f"secret {reference!r}: write name/key")
        key = f"secret:{reference}"
        known = self._files.get(key)
        if known is None:
            places = [root / "secrets" / parts[0] / parts[1] for root in self._roots]
            known = self._files[key] = self._read(f"secret {reference}", places)
        return known.decode("utf-8", "surrogateescape").rstrip("\r\n")

    def frame(self, name: str) -> list[list[str]]:
        """Return the rows of a CSV file, header first, that `file` finds under `name` or `name.csv`."""
        rows = self._frames.get(name)
        if rows is None:
            try:
                data = self.file(name)
            except TransformError:
                data = self.file(f"{name}.csv")
            rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig", "surrogateescape"))))
            self._frames[name] = rows
        return rows

    def _candidates(self, name: str) -> list[Path]:
        relative = name.removeprefix("s3://")
        if relative.startswith("dataframe:"):
            relative = relative.removeprefix("dataframe:").replace("__", "/", 1)
            return [root / "dataframes" / relative for root in self._roots]
        places = ("", "data/userdata", "dataframes")
        return [root / place / relative for root in self._roots for place in places]

    def _read(self, what: str, candidates: Sequence[Path]) -> bytes:
        for path in candidates:
            resolved = path.resolve()
            if not any(resolved.is_relative_to(root) for root in self._roots) or not resolved.is_file():
                continue
            try:
                if resolved.stat().st_size > _MAX_BYTES:
                    raise TransformError(f"{what} is larger than {_MAX_BYTES} bytes")
                return resolved.read_bytes()
            except OSError as error:
                raise TransformError(f"{what} cannot be read: {error.strerror}") from error
        searched = ", ".join(str(root) for root in self._roots) or "no folder"
        raise TransformError(f"{what} is not below {searched}")
