"""The rules and configs that come with the product, by kind and name.

They are JSON files under `builtin/`; none is built in code. Called by whoever is given a name: services, verbs,
and the controller. Pure: it reads only what is part of this package.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from .errors import ConfigError
from .validation import nearest

# document kind → folder under builtin/, which is also its folder under data/ in SPEEDSCALE_HOME
FOLDERS = {
    "filter-rule": "filters",
    "dlp-rule": "dlp",
    "test-config": "testconfigs",
    "transform-set": "transforms",
}
_SUFFIX = ".json"


@cache
def names(kind: str) -> tuple[str, ...]:
    """Return the names of a kind's built-in documents, sorted; empty when it has none. KeyError for no kind."""
    folder = resources.files(__package__) / "builtin" / FOLDERS[kind]
    if not folder.is_dir():
        return ()
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX)))


def document(kind: str, name: str) -> dict[str, Any]:
    """Return a fresh copy of a built-in document; ConfigError with the valid and the nearest name for no such one."""
    known = names(kind)
    if name not in known:
        near = nearest(name, known)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        label = kind.replace("-", " ")
        raise ConfigError([f"{label} {name!r}: no such built-in {label}; there are {', '.join(known) or 'none'}{hint}"])
    text = (resources.files(__package__) / "builtin" / FOLDERS[kind] / f"{name}{_SUFFIX}").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
