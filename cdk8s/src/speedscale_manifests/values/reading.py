"""From the text of a values file to a tree whose every part knows its line; what YAML readers disagree on is refused.

A scalar that YAML 1.1 and 1.2 read differently (`yes`, `0755`, `1:20`, a date) never becomes a value by guess: it is
refused with how to write it. Aliases are expanded up to a bound. Called by `loading`; the one reader of values files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from .layers import Layer
from .places import Path, Place, Refusal, ValuesError, text

MAX_BYTES = 1 << 20  # a ConfigMap holds no more; values are far smaller
MAX_NODES = 20_000  # after aliases are expanded: what stops "billion laughs"
MAX_DEPTH = 64

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+)([eE][-+]?[0-9]+)?")
_OCTAL_12 = re.compile(r"0o[0-7]+")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"y": True, "yes": True, "on": True, "n": False, "no": False, "off": False}


def read(content: bytes | str, source: str) -> Layer:
    """Return a values file as a layer. Raises ValuesError with every problem of its YAML."""
    layer, refusals = parse(content, source)
    if refusals:
        raise ValuesError(refusals)
    return layer


def parse(content: bytes | str, source: str) -> tuple[Layer, list[Refusal]]:
    """Return what could be read as a layer, and every problem of the YAML; the layer is empty when none could."""
    empty = Layer(source, {})
    try:
        whole = decoded(content, source)
        nodes = list(_documents(whole, source))
    except ValuesError as error:
        return empty, list(error.refusals)
    except yaml.YAMLError as error:
        return empty, [_syntax(error, source, whole)]
    if len(nodes) > 1:
        place = _mark(source, nodes[1])
        return empty, [Refusal(place, "", "a second document begins here", "one values file is one document: cut it")]
    if not nodes or _is_null(nodes[0]):
        return empty, []
    if not isinstance(nodes[0], yaml.MappingNode):
        reason = "expected settings (`key: value`), found " + _kind(nodes[0])
        return empty, [
            Refusal(_mark(source, nodes[0]), "", reason, "begin with a setting, e.g. `clusterName: my-cluster`")
        ]
    reader = _Reader(source)
    try:
        tree = reader.value(nodes[0], (), 0)
    except ValuesError as error:
        return empty, list(error.refusals)
    return Layer(source, tree, reader.places, reader.raw), reader.refusals


def decoded(content: bytes | str, source: str) -> str:
    """Return a values file's text without a byte order mark; ValuesError when it is too large or no UTF-8."""
    size = len(content)
    if size > MAX_BYTES:
        raise ValuesError([Refusal(Place(source), "", f"{size:,} bytes are more than a values file may have")])
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        refusal = Refusal(Place(source, line), "", f"byte {error.start} is no UTF-8", "save the file as UTF-8")
        raise ValuesError([refusal]) from None


def _documents(content: str, source: str) -> Iterator[yaml.Node]:
    """Yield the documents as nodes; the loader only composes, nothing is constructed.

    Depth is bounded before: libyaml's composer is recursive C and would take the process down.
    """
    depth = 0
    for event in yaml.parse(content, Loader=LOADER):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 0
                raise ValuesError(
                    [Refusal(Place(source, line), "", f"nested deeper than {MAX_DEPTH} levels", "flatten it")]
                )
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
    loader = LOADER(content)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    finally:
        loader.dispose()


def _syntax(error: yaml.YAMLError, source: str, content: str) -> Refusal:
    """Word the parser's error: what a person did, not what the scanner expected."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", "") or getattr(error, "reason", "") or error)
    context = str(getattr(error, "context", "") or "")
    if mark is None:
        return Refusal(Place(source), "", f"this is no YAML: {problem}")
    lines = content.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    begun = getattr(error, "context_mark", None)
    above = lines[begun.line] if begun is not None and begun.line < len(lines) else ""
    place = Place(source, mark.line + 1, mark.column + 1)
    if "\t" in line[: mark.column + 1]:
        return Refusal(place, "", "a tab stands where YAML wants spaces", "indent with spaces")
    if "{{" in line or "{{" in above:
        return Refusal(place, "", "a template (`{{ … }}`) is no YAML", "values are plain: write the value itself")
    if "undefined alias" in problem:
        return Refusal(place, "", "the alias refers to no anchor above it", "write the value itself")
    if "mapping values are not allowed" in problem:
        return Refusal(place, "", "a second `: ` in one line", "quote the value, or put the inner key on a line below")
    if "cannot start any token" in problem:
        return Refusal(place, "", "a value begins with a character that YAML reserves", "quote the value")
    told = f"{problem} ({context})" if context else problem
    return Refusal(
        place, "", f"this is no YAML: {told}", "check indentation, brackets and quotes here and on the line above"
    )


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null"


def _kind(node: yaml.Node) -> str:
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the text {str(node.value)[:40]!r}"


def _mark(source: str, node: yaml.Node) -> Place:
    return Place(source, node.start_mark.line + 1, node.start_mark.column + 1)


class _Reader:
    """Makes plain values of nodes; remembers where each stands, how it was written and what is wrong with it."""

    def __init__(self, source: str) -> None:
        self.places: dict[Path, Place] = {}
        self.raw: dict[Path, str] = {}
        self.refusals: list[Refusal] = []
        self._source = source
        self._count = 0
        self._open: list[int] = []

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        """Return the node as plain JSON types; raises ValuesError only where going on makes no sense."""
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH or id(node) in self._open:
            bound = "an alias that contains itself" if id(node) in self._open else "too many values, or too deep"
            remedy = f"at most {MAX_NODES:,} values, {MAX_DEPTH} levels deep, aliases counted where they are used"
            raise ValuesError([Refusal(_mark(self._source, node), text(path), bound, remedy)])
        self.places.setdefault(path, _mark(self._source, node))
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path, depth)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        if node.tag != _TAG + "map":
            self._refuse(node, path, f"the tag {_tag(node)} is not taken", "write a plain map")
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in self._pairs(node, path, depth):
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in lines:
                self._refuse(key_node, here, f"the key stands twice, first on line {lines[key]}", "keep one of them")
                continue
            lines[key] = key_node.start_mark.line + 1
            self.places[here] = _mark(self._source, key_node)
            result[key] = self.value(value_node, here, depth + 1)
        return result

    def _pairs(self, node: yaml.MappingNode, path: Path, depth: int) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield a mapping's pairs; those of merge keys (`<<`) last and only where the mapping has no such key."""
        own = {str(key.value) for key, _ in node.value}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            else:
                yield key, value
        for inner in merged:
            self._count += 1
            if not isinstance(inner, yaml.MappingNode) or id(inner) in self._open or self._count > MAX_NODES:
                self._refuse(inner, path, "`<<` takes a map, or a list of maps", "refer to a map by its anchor")
                continue
            for key, value in inner.value:
                if str(key.value) not in own and key.tag != _TAG + "merge":
                    own.add(str(key.value))
                    yield key, value

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, path, "a key is a map or a list", "keys are text; a template (`{{ … }}`) is no YAML")
            return None
        key = str(node.value)
        if node.tag not in (_TAG + "str", _TAG + "value"):
            said = "nothing" if node.tag == _TAG + "null" else f"{key} without quotes, which is no text to YAML 1.1"
            self._refuse(node, (*path, key), f"the key is {said}", f'quote it: "{key}"')
        return key

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        written = str(node.value)
        bare = not getattr(node, "style", None)
        tag = node.tag.removeprefix(_TAG)
        if not node.tag.startswith(_TAG) or tag in ("binary", "set", "omap", "pairs"):
            self._refuse(node, path, f"the tag {_tag(node)} is not taken", "write the plain value")
            return written
        if tag in ("str", "value"):
            if bare and _OCTAL_12.fullmatch(written):
                return self._ambiguous(node, path, f"is the number {int(written, 8)} to YAML 1.2, text to YAML 1.1")
            if bare and written in ("y", "Y", "n", "N"):
                return self._ambiguous(node, path, "is a boolean to some YAML readers, text to others")
            return written
        self.raw[path] = written
        if tag == "null":
            return None
        if tag == "bool":
            if written in _BOOLEANS:
                return _BOOLEANS[written]
            meant = "true" if _WORDS[written.lower()] else "false"
            return self._ambiguous(node, path, f"is {meant} to YAML 1.1, text to YAML 1.2", f"write {meant}, or ")
        if tag == "int" and _DECIMAL.fullmatch(written):
            return int(written)
        if tag == "float" and _FLOAT.fullmatch(written) and math.isfinite(float(written)):
            return float(written)
        if tag == "float" and (_NO_NUMBER.fullmatch(written) or _FLOAT.fullmatch(written)):
            return self._ambiguous(node, path, "is no finite number")
        what = {"int": "is a number to YAML 1.1 only, or another one there", "timestamp": "is a date to YAML 1.1"}
        return self._ambiguous(node, path, what.get(tag, "is read differently by YAML 1.1 and 1.2"))

    def _ambiguous(self, node: yaml.Node, path: Path, why: str, first: str = "") -> str:
        self._refuse(node, path, f"{node.value} without quotes {why}", f'{first}quote it: "{node.value}"')
        return str(node.value)

    def _refuse(self, node: yaml.Node, path: Path, reason: str, remedy: str) -> None:
        self.refusals.append(Refusal(_mark(self._source, node), text(path), reason, remedy, "yaml"))


def _tag(node: yaml.Node) -> str:
    return "!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else str(node.tag)
