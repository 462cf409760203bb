"""Files that only we may read: keys out of a kubeconfig, certificates that a plugin minted.

TLS libraries want paths. pykube-ng would write such keys into /tmp under names that can be computed and read by all;
here they lie in a folder of mode 0700 with files of mode 0600, made when first needed and gone with its owner, at the
latest when the process ends. Called by `access` and `credentials`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class PrivateFolder:
    """A folder that goes with this object."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._end: weakref.finalize[..., PrivateFolder] | None = None

    def write(self, name: str, content: bytes) -> Path:
        """Write a file, mode 0600, in the place of an earlier one; return its path."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix="speedscale-kube-"))
            self._end = weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        path = self._path / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        return path

    def remove(self) -> None:
        """Remove the folder; another is made when something is written again."""
        if self._end is not None:
            self._end()
        self._path = self._end = None
