"""One YAML text → its documents with the line of each value, and what is wrong with the text itself.

Called by `files`. Reads the tree that PyYAML composes and not its objects, so that keys that stand twice, scalars
that YAML 1.1 and YAML 1.2 readers take for different things, tags and merge keys are seen: kubectl and Argo CD read
YAML 1.1 with 1.2's octals, editors and other tools 1.2. Pure.
Source: YAML 1.1 types repository, YAML 1.2.2 chapter 10.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from speedscale_manifests.lint.scalars import plain

from .findings import Path

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_DEPTH = 200
_NODES = 300_000
"""Values of one text, aliases counted each time they stand: more is refused, a few aliases can mean billions."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_KINDS = {"bool": "a boolean", "int": "an integer", "float": "a number", "null": "null", "str": "text"}
_NAMES: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "str"}
_KINDS |= {"timestamp": "a date", "merge": "a merge key", "value": "a default value"}


@dataclass(slots=True)
class Text:
    """What a text holds: its documents, the lines of their values, and problems as (line, path, reason)."""

    documents: list[Any] = field(default_factory=list)
    lines: list[dict[Path, int]] = field(default_factory=list)
    problems: list[tuple[int, Path, str]] = field(default_factory=list)


def read(data: bytes) -> Text:
    """Read a YAML or JSON text in UTF-8; `problems` say what is wrong, and one that cannot be read has no documents."""
    found = Text()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found.problems.append((data.count(b"\n", 0, error.start) + 1, (), f"byte {error.start} is no UTF-8"))
        return found
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("%"):
            found.problems.append((number, (), f"{line.split()[0]} header: kubectl refuses it; leave the line out"))
        elif line.strip() and not line.startswith("#"):
            break
    if found.problems:
        return found
    try:
        for node in yaml.compose_all(text, Loader=_LOADER):
            reader = _Reader(found)
            value = reader.value(node, ())
            if value is not None:
                found.documents.append(value)
                found.lines.append(reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found.problems.append((mark.line + 1 if mark else 1, (), f"no YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        found.problems.append((1, (), f"no YAML: {str(error).splitlines()[0] if str(error) else 'nested too deep'}"))
    return found


def line_of(lines: Mapping[Path, int], parts: Path) -> int:
    """Return the line of a path, or of the nearest path above it that has one; 1 when there is none."""
    while parts and parts not in lines:
        parts = parts[:-1]
    return lines.get(parts, 1)


class _Reader:
    """Walks one document's nodes."""

    def __init__(self, found: Text) -> None:
        self.lines: dict[Path, int] = {}
        self._found = found
        self._seen = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._seen += 1
        if self._seen > _NODES:
            raise ValueError(f"more than {_NODES:,} values")
        if len(path) > _DEPTH or id(node) in self._open:
            raise ValueError(f"nested deeper than {_DEPTH}")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            value, reason = _scalar(node)
            if reason:
                self._problem(node, path, reason)
            return value
        self._open.add(id(node))
        made = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._open.discard(id(node))
        return made

    def _problem(self, node: yaml.Node, path: Path, reason: str) -> None:
        self._found.problems.append((node.start_mark.line + 1, path, reason))

    def _sequence(self, node: yaml.Node, path: Path) -> list[Any]:
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "a key that is no text; quote it")
                continue
            key = key_node.value
            key_path = (*path, key)
            value, reason = _scalar(key_node)
            if reason or not isinstance(value, str):
                kind = _KINDS.get(key_node.tag.removeprefix(_TAG), "no text")
                self._problem(key_node, key_path, reason or f"the key {key!r} is read as {kind}; quote it")
            if key in made:
                self._problem(key_node, key_path, f"this key stands twice, first in line {first[key]}; only one counts")
            first[key] = self.lines[key_path] = key_node.start_mark.line + 1
            made[key] = self.value(value_node, key_path)
        return made


def _scalar(node: yaml.ScalarNode) -> tuple[Any, str]:
    """Return a scalar's value as kubectl reads it, and why other readers take it for something else."""
    tag = node.tag.removeprefix(_TAG)
    if node.style:  # quoted, or a block
        return node.value, "" if tag == "str" else f"tag {node.tag}: kubectl does not know it"
    if tag not in _KINDS:
        return node.value, f"tag {node.tag}: kubectl does not know it"
    new, meant = _core(node.value)
    value = plain(node.value)
    if isinstance(value, float) and not math.isfinite(value):
        return value, f"{node.value} is no JSON number"
    if type(value) is not type(meant):
        old = "null" if value is None else _NAMES[type(value)]
        return value, f"{node.value} is {_KINDS[old]} to YAML 1.1 and {_KINDS[new]} to 1.2; quote it"
    if value != meant:
        return value, f"{node.value} is {value} to YAML 1.1 and {meant} to 1.2; write {value}"
    if tag != new:
        return value, f"{node.value} is {_KINDS[tag]} to some YAML readers and {_KINDS[new]} to others; quote it"
    return value, ""


def _core(text: str) -> tuple[str, Any]:
    """Return what the core schema of YAML 1.2 takes a plain scalar for, and its value."""
    if text in _NULL:
        return "null", None
    if text in _BOOL:
        return "bool", _BOOL[text]
    if _INT.fullmatch(text):
        return "int", int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return "float", float(text)
    if _NO_NUMBER.fullmatch(text):
        return "float", float(text.replace(".", "").lower())
    return "str", text
