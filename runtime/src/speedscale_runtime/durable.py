"""Making what was written survive a power cut, where a file's own fsync does not: the entries of its folder (fsync(2)).

Below everything else: imports nothing of ours.
"""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Force a folder's entries, or a file's bytes, to disk; OSError where the disk does not take them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
