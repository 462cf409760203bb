"""From values files and arguments to `Values`, or to every reason why not.

defaults ← preset ← files in their order ← `--set` in their order ← `--profile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path as File
from typing import Any

import yaml

from .frozen import freeze
from .layers import Layer, merge
from .model import Values


def load(files: Sequence[str | PathLike[str]] = (), sets: Sequence[str] = (), profile: str | None = None) -> Values:
    """Return the values of files and `--set a.b=c` arguments.

    `profile` wins over everything, as `--profile` does. Raises ValuesError (a ConfigError) with every problem.
    """
    layers = [Layer(str(name), yaml.safe_load(File(name).read_text("utf-8")) or {}) for name in files]
    if profile:
        layers.append(Layer(f"--profile {profile}", {"profile": profile}))
    return build(layers)


def from_mapping(mapping: Mapping[str, Any], source: str = "values") -> Values:
    """Return values out of a plain mapping (a user's cdk8s app); `source` names it in messages."""
    return build([Layer(source, mapping)])


def build(layers: Sequence[Layer]) -> Values:
    """Return the values of layers, checked. Raises ValuesError."""
    merged = merge(layers)
    return Values.of(freeze(merged.tree), freeze(merged.sources()), ())
