"""YAML as Kubernetes programs print it → plain JSON types.

PyYAML follows YAML 1.1 to the letter: it would make dates of dates and stumble over a lone `=` or `<<`, which programs
written in Go print bare when they mean text. Called by `program`. Pure.
"""

from __future__ import annotations

from typing import Any

import yaml

_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_AS_TEXT = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:merge"}


class _Loader(_FASTEST):  # type: ignore[misc]
    """The fast loader, without the types that JSON lacks."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AS_TEXT]
    for first, resolvers in _FASTEST.yaml_implicit_resolvers.items()
}


def documents(text: str) -> list[dict[str, Any]]:
    """Return the mappings of a YAML stream, empty documents left out; ValueError for what is no such stream."""
    try:
        found = [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    for document in found:
        if not isinstance(document, dict):
            raise ValueError(f"a document is {type(document).__name__}, expected a mapping")
    return found
