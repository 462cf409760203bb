"""xml_path: isolate the text of one element or attribute of an XML document; no other byte of it changes.

A path is /a/b[2]/c or //c, with @name or text() at its end; namespace prefixes are ignored where the path has none.
"""

from __future__ import annotations

import re
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr, unescape

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step, raw, text

_STEP = re.compile(r"(//?)((?:[\w.-]+:)?[\w.-]+|\*)(?:\[(\d+)\])?")
_ENTITIES = {"&quot;": '"', "&apos;": "'"}


class XmlPath(Step):
    """The first match of `path`."""

    isolates = True

    def __init__(self, config: Config) -> None:
        path = config.required("path")
        config.close()
        path = path if path.startswith("/") else "//" + path
        path, _, self._attribute = path.partition("/@")
        path = path.removesuffix("/text()")
        self._steps = [(m[1] == "//", m[2], int(m[3] or 0)) for m in _STEP.finditer(path)]
        if "".join(m[0] for m in _STEP.finditer(path)) != path or not self._steps:
            raise config.error("path: write for example /a/b[2]/c, //c, //c/@name or //c/text()")

    def forward(self, value: str, scope: Scope) -> str:
        data = raw(value)
        start, end = self._span(data)
        inside = text(data[start:end])
        return inside if "<" in inside else unescape(inside, _ENTITIES)

    def backward(self, before: str, value: str, scope: Scope) -> str:
        data = raw(before)
        start, end = self._span(data)
        markup = b"<" in data[start:end] and value.lstrip().startswith("<")
        coded = value if markup else quoteattr(value)[1:-1] if self._attribute else escape(value)
        return text(data[:start] + raw(coded) + data[end:])

    def _span(self, data: bytes) -> tuple[int, int]:
        finder = _Finder(self._steps)
        try:
            finder.parse(data)
        except expat.ExpatError:
            raise TransformError("the value is no XML") from None
        if finder.found is None:
            raise TransformError("no element has the path")
        if not self._attribute:
            if data[finder.found[0] - 2 : finder.found[0]] == b"/>":
                raise TransformError("the element is empty and has no content to replace")
            return finder.found
        tag = data[finder.tag : finder.found[0]]
        match = re.search(rb"\s" + re.escape(raw(self._attribute)) + rb"""\s*=\s*("([^"]*)"|'([^']*)')""", tag)
        if match is None:
            raise TransformError("the element has no such attribute")
        group = 2 if match[2] is not None else 3
        return finder.tag + match.start(group), finder.tag + match.end(group)


class _Finder:
    """Byte offsets of the content of the first element with the path."""

    def __init__(self, steps: list[tuple[bool, str, int]]) -> None:
        self._steps = steps
        self._stack: list[tuple[str, int]] = []
        self._counts: list[dict[str, int]] = [{}]
        self._depth = 0
        self.tag = 0
        self.found: tuple[int, int] | None = None

    def parse(self, data: bytes) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._refuse
        self._data = data
        self._parser.Parse(data, True)

    def _refuse(self, *_: object) -> None:
        raise TransformError("XML that declares entities is not expanded")

    def _start(self, name: str, _: dict[str, str]) -> None:
        siblings = self._counts[-1]
        siblings[name] = siblings.get(name, 0) + 1
        self._stack.append((name, siblings[name]))
        self._counts.append({})
        if self.found is None and not self._depth and _matches(self._steps, self._stack):
            self._depth = len(self._stack)
            self.tag = self._parser.CurrentByteIndex
            self._content = _tag_end(self._data, self.tag)

    def _end(self, _: str) -> None:
        if self._depth == len(self._stack) and self.found is None:
            end = max(self._parser.CurrentByteIndex, self._content)
            self.found = (self._content, end)
            self._depth = -1
        self._stack.pop()
        self._counts.pop()


def _tag_end(data: bytes, at: int) -> int:
    quote = 0
    for index in range(at, len(data)):
        byte = data[index]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == 0x3E:
            return index + 1
    return len(data)


def _matches(steps: list[tuple[bool, str, int]], stack: list[tuple[str, int]]) -> bool:
    if not steps:
        return not stack
    anywhere, name, position = steps[-1]
    if not stack or not _fits(name, position, stack[-1]):
        return False
    if len(steps) == 1:
        return anywhere or len(stack) == 1
    if not anywhere:
        return _matches(steps[:-1], stack[:-1])
    return any(_matches(steps[:-1], stack[:length]) for length in range(len(stack) - 1, 0, -1))


def _fits(name: str, position: int, element: tuple[str, int]) -> bool:
    own = element[0] if ":" in name else element[0].rpartition(":")[2]
    return name in ("*", own) and position in (0, element[1])
