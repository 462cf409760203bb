"""Edits of values files that leave the rest as it is: comments, order, quotes, indentation.

An edit replaces, adds or removes the lines of one setting. The result is read again; only where it does not say what
was meant (anchors, several settings in one line) is the file written anew by ruamel.yaml, which keeps comments but not
every space. Called by `speedctl values set` and `import`. Pure: text in, text out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from . import reading
from .frozen import plain
from .places import Path, Place, Refusal, ValuesError, text
from .writing import block, entry, scalar


def edit(content: str, wanted: Mapping[str, Any], source: str = "values") -> str:
    """Return the text changed so that it says `wanted`. Raises ValuesError when the text is no values file."""
    if "\r\n" in content:
        return edit(content.replace("\r\n", "\n"), wanted, source).replace("\n", "\r\n")
    current = plain(dict(reading.read(content, source).tree))
    for path, value in _changed(current, wanted, ()):
        content = _apply(content, path, _Value(value), source)
    for path in _removed(current, wanted, ()):  # last: a map is not left without a key in between
        content = _apply(content, path, None, source)
    return content


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any


def _removed(current: Any, wanted: Any, path: Path) -> list[Path]:
    """Return what stands in the text and is not wanted; nothing below what goes as a whole."""
    found: list[Path] = []
    for key, value in current.items():
        here = (*path, key)
        if key not in wanted:
            found.append(here)
        elif isinstance(value, dict) and isinstance(wanted[key], dict) and wanted[key]:
            found += _removed(value, wanted[key], here)
    return found


def _changed(current: Any, wanted: Any, path: Path) -> list[tuple[Path, Any]]:
    found: list[tuple[Path, Any]] = []
    for key, value in wanted.items():
        here = (*path, key)
        old = current.get(key) if isinstance(current, dict) else None
        if isinstance(value, dict) and isinstance(old, dict) and value and old:
            found += _changed(old, value, here)
        elif key not in current or old != value or type(old) is not type(value):
            found.append((here, value))
    return found


def _apply(content: str, path: Path, given: _Value | None, source: str) -> str:
    """Return the text with one setting changed or removed, by lines where that works, else through ruamel.yaml."""
    meant = _meant(content, path, given)
    for way in (_by_lines, _by_ruamel):
        changed = way(content, path, given)
        if changed is not None and _says(changed, meant):
            return changed
    reason = "cannot be changed alone: an anchor or the form of the file ties it to something else"
    raise ValuesError([Refusal(Place(source), text(path), reason, "edit the file by hand")])


def _meant(content: str, path: Path, given: _Value | None) -> dict[str, Any]:
    tree: dict[str, Any] = plain(dict(reading.read(content, "values").tree))
    here: Any = tree
    for part in path[:-1]:
        inside = here.get(part)
        if not isinstance(inside, dict):
            here[part] = inside = {}
        here = inside
    if given is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = given.value
    return tree


def _says(content: str, meant: Mapping[str, Any]) -> bool:
    layer, refusals = reading.parse(content, "values")
    return not refusals and layer.tree == meant


# By lines


def _by_lines(content: str, path: Path, given: _Value | None) -> str | None:
    root = yaml.compose(content, Loader=reading.LOADER) if content.strip() else None
    if root is None or not isinstance(root, yaml.MappingNode):
        return _appended(content, path, given) if root is None else None
    holder, found = _find(root, path)
    if holder.flow_style and holder is not root:
        return None
    lines = content.splitlines(keepends=True)
    if found is not None:
        start, end = _span(found, lines)
        if given is None:
            start = _comment_above(lines, start)
            alone = len(holder.value) == 1 and holder is not root
            if start and end < len(lines) and not lines[start - 1].strip() and not lines[end].strip():
                end += 1  # of the empty lines around it one stays
            return None if alone else "".join(lines[:start] + lines[end:])
        return _replaced(lines, found, start, end, given.value)
    if given is None:
        return content
    known = next(depth for depth in range(len(path), -1, -1) if depth == 0 or _find(root, path[:depth])[1] is not None)
    entry_node = _find(root, path[:known])[1] if known else None
    target = entry_node[1] if entry_node else root
    if not isinstance(target, yaml.MappingNode) or target.flow_style or not target.value:
        return None
    indent = target.start_mark.column
    last = max(_span(pair, lines)[1] for pair in target.value)
    if lines and not lines[last - 1].endswith("\n"):
        lines[last - 1] += "\n"
    added = [f"{' ' * indent}{line}\n" for line in entry(str(path[known]), _nested(path[known + 1 :], given.value), 0)]
    return "".join(lines[:last] + added + lines[last:])


def _appended(content: str, path: Path, given: _Value | None) -> str:
    if given is None:
        return content
    start = content if not content or content.endswith("\n") else content + "\n"
    return start + "".join(f"{line}\n" for line in entry(str(path[0]), _nested(path[1:], given.value), 0))


def _nested(path: Path, value: Any) -> Any:
    for part in reversed(path):
        value = {part: value}
    return value


_Pair = tuple[yaml.Node, yaml.Node]


def _find(root: yaml.MappingNode, path: Path) -> tuple[yaml.MappingNode, _Pair | None]:
    """Return the mapping that holds (or would hold) the last key of a path, and the pair if there is one."""
    holder, found = root, None
    for number, part in enumerate(path):
        found = next((pair for pair in holder.value if pair[0].value == part), None)
        if number == len(path) - 1 or found is None:
            break
        if not isinstance(found[1], yaml.MappingNode):
            return holder, None
        holder = found[1]
    return holder, found


def _span(pair: _Pair, lines: list[str]) -> tuple[int, int]:
    """Return first line and line after the last of a key with its value (comments after it are not its own)."""
    first = pair[0].start_mark.line
    return first, max(_last_line(pair[1]), pair[0].end_mark.line) + 1


def _last_line(node: yaml.Node) -> int:
    """Return a node's last line: block maps and lists end with their last item, not where the parser stopped."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.line
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and node.end_mark.column == 0:
        end -= 1
    return end


def _comment_above(lines: list[str], start: int) -> int:
    """Return where the comment that belongs to a line begins: the comment lines right above, as deep as it is."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    first = start
    while first > 0:
        line = lines[first - 1]
        if not line.lstrip().startswith("#") or len(line) - len(line.lstrip()) != indent:
            break
        first -= 1
    modeline = first == 0 and bool(lines) and "$schema=" in lines[0]
    return min(first + 1, start) if modeline else first


def _replaced(lines: list[str], pair: _Pair, start: int, end: int, value: Any) -> str | None:
    key, node = pair
    indent = key.start_mark.column
    line = lines[start]
    if isinstance(value, dict | list) and value:
        head = line[: key.end_mark.column] + ":"
        old = isinstance(node, yaml.CollectionNode) and bool(node.value) and not node.flow_style
        depth = node.start_mark.column if old else indent + 2
        body = [f"{' ' * depth}{inner}\n" for inner in block(value, 0)]
        return "".join([*lines[:start], head + "\n", *body, *lines[end:]])
    written = scalar(value)
    in_line = isinstance(node, yaml.ScalarNode) or (isinstance(node, yaml.CollectionNode) and bool(node.flow_style))
    if end - start == 1 and node.start_mark.line == start and in_line:
        if node.start_mark.index == node.end_mark.index:  # nothing stands there
            return "".join([*lines[:start], _with_value(line, key, written), *lines[end:]])
        changed = line[: node.start_mark.column] + written + line[node.end_mark.column :]
        return "".join([*lines[:start], changed, *lines[end:]])
    return "".join([*lines[:start], f"{line[: key.end_mark.column]}: {written}\n", *lines[end:]])


def _with_value(line: str, key: yaml.Node, written: str) -> str:
    rest = line[key.end_mark.column :].lstrip().removeprefix(":").strip()
    return f"{line[: key.end_mark.column]}: {written}{'  ' + rest if rest else ''}\n"


# Through ruamel.yaml


def _by_ruamel(content: str, path: Path, given: _Value | None) -> str | None:
    from ruamel.yaml import YAML  # 0.1 s to import: only where lines do not do
    from ruamel.yaml.error import YAMLError

    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    try:
        document = writer.load(content)
    except YAMLError:
        return None
    document = writer.map() if document is None else document
    here = document
    for part in path[:-1]:
        if not isinstance(here.get(part), dict):
            here[part] = writer.map()
        here = here[part]
    if given is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = given.value
    out = io.StringIO()
    writer.dump(document, out)
    return out.getvalue()
