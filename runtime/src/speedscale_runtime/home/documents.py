"""A name becomes a document: the user's own under SPEEDSCALE_HOME first, then the built-in one.

Called by services at start and on reload, and by verbs. Never falls back in silence: an unknown name, an unreadable
file and broken JSON are errors that name the place, so that callers can fail closed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from speedscale_schemas.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Found(NamedTuple):
    """A document, and where it came from, for messages."""

    document: dict[str, Any]
    source: str


def stored_path(kind: str, name: str, home: Path) -> Path:
    """Return where a user's own document of this kind and name is kept; `kind` as in `speedscale_schemas.builtins`."""
    from speedscale_schemas import builtins  # it loads jsonschema, which those who only ask for the folder need not

    return home / "data" / builtins.FOLDERS[kind] / f"{name}.json"


def find(kind: str, reference: str, home: Path, *, files: bool = False) -> Found:
    """Return the document that a reference means; ConfigError when there is none or it is no JSON object.

    A reference is a name, looked up in `home` and then among the built-in ones; with `files` it may be the path of a
    file, too, as a user types it. A name never leaves the kind's folder.
    """
    from speedscale_schemas import builtins

    label = kind.replace("-", " ")
    if files and (reference.endswith(".json") or "/" in reference or Path(reference).is_file()):
        return read(Path(reference), label)
    if not _NAME.fullmatch(reference):
        raise ConfigError([f"{label} {reference!r}: expected a name of letters, digits, '.', '_' and '-'"])
    path = stored_path(kind, reference, home)
    if path.exists():
        return read(path, label)
    try:
        return Found(builtins.document(kind, reference), f"{label} {reference!r}")
    except ConfigError as error:
        raise ConfigError([f"{error.problems[0]}; nor is there {path}"]) from error


def read(path: Path, label: str) -> Found:
    """Return the JSON object in a file; `label` names it in messages. ConfigError where there is none."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError([f"{label}: {path}: no such file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: expected JSON: {error}"]) from error
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: expected a JSON object, found {type(document).__name__}"])
    return Found(document, str(path))
