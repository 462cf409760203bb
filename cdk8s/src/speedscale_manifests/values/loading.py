"""From values files and arguments to `Values`, or to every reason why not.

defaults ← preset ← files in their order ← `--set` in their order ← `--profile`. The one module here that reads files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from os import PathLike
from pathlib import Path as File
from typing import Any

from . import arguments, checking, combinations, normal, reading
from .frozen import freeze
from .layers import Layer, Merged, merge
from .model import Values
from .places import Path, Place, Refusal, ValuesError, Warned, text

FileName = str | PathLike[str]


def load(files: Sequence[FileName] = (), sets: Sequence[str] = (), profile: str | None = None) -> Values:
    """Return the values of files and `--set a.b=c` arguments.

    `profile` wins over everything, as `--profile` does. Raises ValuesError (a ConfigError) with every problem: first
    those of the files, in their order and by line, then those of arguments, then wrong combinations.
    """
    refusals: list[Refusal] = []
    layers: list[Layer] = []
    for name in files:
        layer, wrong = parse_file(name)
        layers.append(layer)
        refusals += wrong
    for argument in sets:
        try:
            layers.append(arguments.assignment(argument).layer(merge(layers).tree))
        except ValuesError as error:
            refusals += error.refusals
            layers.append(Layer(error.refusals[0].place.source, {}))  # keeps its place in the order
    if profile is not None:
        place = Place(f"--profile {profile}")
        layers.append(Layer(str(place), {"profile": profile}, {(): place}))
    return build(layers, refusals)


def from_mapping(mapping: Mapping[str, Any], source: str = "values") -> Values:
    """Return values out of a plain mapping, such as a user's cdk8s app has; `source` names it in messages.

    Raises ValuesError with every problem.
    """
    refusals: list[Refusal] = []
    tree = _plain(mapping, (), Place(source), refusals)
    return build([Layer(source, tree if isinstance(tree, dict) else {})], refusals)


def parse_file(name: FileName) -> tuple[Layer, list[Refusal]]:
    """Return a values file as a layer, and what is wrong with its YAML; a file that cannot be read is a refusal."""
    source = str(name)
    try:
        content = File(name).read_bytes()
    except OSError as error:
        said = {"FileNotFoundError": "there is no such file", "IsADirectoryError": "this is a folder"}
        reason = said.get(type(error).__name__, error.strerror or str(error))
        remedy = "name a values file; `speedctl values init` writes one"
        return Layer(source, {}), [Refusal(Place(source), "", reason, remedy, "file")]
    return reading.parse(content, source)


def build(layers: Sequence[Layer], refusals: Sequence[Refusal] = ()) -> Values:
    """Return the values of layers on top of defaults and preset. Raises ValuesError with these and all refusals."""
    merged, wrong, warnings = judge(layers, refusals)
    if wrong:
        raise ValuesError(wrong)
    return Values.of(freeze(merged.tree), freeze(merged.sources()), tuple(warnings))


def judge(layers: Sequence[Layer], refusals: Sequence[Refusal] = ()) -> tuple[Merged, list[Refusal], list[Warned]]:
    """Return the sum of layers, every refusal and every warning."""
    found = list(refusals)
    told = {(refusal.place.source, refusal.path) for refusal in refusals if refusal.path}
    for layer in layers:
        wrong = [*combinations.check_layer(layer), *checking.check_layer(layer)]
        found += [refusal for refusal in wrong if (refusal.place.source, refusal.path) not in told]
    order = {layer.name: number for number, layer in enumerate(layers)}
    found.sort(key=lambda r: (order.get(r.place.source, len(order)), r.place.line, r.place.column))
    merged = merge([*_preset(layers), *layers])
    if found:
        return merged, _once(found), []
    found = checking.check_merged(merged)
    if found:
        return merged, found, []
    normal.normalise(merged.tree)
    wrong, warnings = combinations.check(merged)
    return merged, _once(wrong), warnings


def preset(name: str) -> Layer:
    """Return a preset's layer; KeyError for no such one."""
    entry = resources.files(__package__) / "presets" / f"{name}.yaml"
    if not entry.is_file():
        raise KeyError(name)
    layer = reading.read(entry.read_bytes(), f"preset {name}")
    return Layer(layer.name, layer.tree, layer.places, layer.raw)


def presets() -> tuple[str, ...]:
    """Return the names of the presets, sorted."""
    folder = resources.files(__package__) / "presets"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def _preset(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layer of the preset that the last layer names, if there is such a preset."""
    name = ""
    for layer in layers:
        chosen = layer.tree.get("preset", name)
        name = "" if chosen is None else chosen
    return [preset(name)] if name and name in presets() else []


def _once(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Return refusals without those of a path that is refused already, and without repetitions."""
    seen: dict[tuple[Place, str], Refusal] = {}
    for refusal in refusals:
        seen.setdefault((refusal.place, refusal.path), refusal)
    return list(seen.values())


def _plain(value: Any, path: Path, place: Place, refusals: list[Refusal]) -> Any:
    """Return a mapping of another program as plain JSON; what is none is refused."""
    if isinstance(value, Mapping):
        result: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                refusals.append(Refusal(place, text(path), f"the key {key!r} is no text", "keys are text"))
                continue
            result[key] = _plain(item, (*path, key), place, refusals)
        return result
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index), place, refusals) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    reason = f"a {type(value).__name__} is no value" if path else "values are a mapping"
    refusals.append(Refusal(place, text(path), reason, "use text, numbers, booleans, lists and dicts"))
    return None


__all__ = ["build", "from_mapping", "judge", "load", "parse_file", "preset", "presets"]
