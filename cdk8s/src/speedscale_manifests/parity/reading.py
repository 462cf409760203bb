"""YAML by libyaml where PyYAML was built with it (ten times as fast), else by PyYAML itself."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def document(text: str) -> Any:
    """Return the one document of a text; yaml.YAMLError when it is none."""
    return yaml.load(text, Loader=_LOADER)


def documents(text: str) -> list[Any]:
    """Return every document of a text; yaml.YAMLError as above."""
    return list(yaml.load_all(text, Loader=_LOADER))
