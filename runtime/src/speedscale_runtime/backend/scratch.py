"""A folder for what is made before it is stored: a snapshot, a report. Gone afterwards, whatever came of it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .objects import Unavailable
from .problems import Reason, Refused


@contextlib.contextmanager
def scratch(within: Path, what: str) -> Iterator[Path]:
    """Give an empty folder in `within`, named after `what`; Refused where the disk or the store fails under it."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{what}-", dir=within))
    except OSError as error:
        raise Refused(Reason.DISK_FULL, str(error.strerror)) from error
    try:
        yield folder
    except Unavailable as error:
        raise Refused(Reason.STORE_UNAVAILABLE, str(error)) from error
    except OSError as error:
        raise Refused(Reason.DISK_FULL, f"{error.strerror}: is there room in DATA_DIR?") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
