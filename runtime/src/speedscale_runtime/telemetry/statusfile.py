"""Small JSON files that tell another process how a service stands: ports once it is ready, progress, last counters.

Called by services that have a STATUS_FILE and the like, and by verbs. Standard library only: the proxy's supervisor
uses it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(path: Path | str, document: Mapping[str, Any]) -> None:
    """Write the document whole or not at all: others wait for the file and read it at once. OSError when it cannot."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(document) + "\n", "utf-8")
    temporary.replace(target)


def read(path: Path) -> dict[str, Any]:
    """Return what a service left in a file; empty when it ended before it could."""
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document
