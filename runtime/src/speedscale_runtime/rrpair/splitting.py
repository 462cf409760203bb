"""Markdown text taken apart: sections by their headings, blocks by their fences.

Called by the Markdown codec. Bodies may contain fences and headings; a fence closes a block only where what follows
it can follow a block, and a heading counts only where the file can have it. Knows nothing of a pair.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEADING = re.compile(rb"^### ([A-Z][A-Z0-9 _()-]*?) ###[ \t]*$", re.MULTILINE)
_INTERNAL = b"### INTERNAL"
_KNOWN = frozenset((b"REQUEST", b"RESPONSE", b"RESPONSE (MOCK)", b"SIGNATURE", b"METADATA"))
_OPEN = re.compile(rb"[ \t\n]*^(`{3,})[^`\n]*\n", re.MULTILINE)


class Section(NamedTuple):
    """A section: its heading, where it starts in the file, its bytes, and the blocks between its fences."""

    name: str
    start: int
    raw: bytes
    blocks: list[bytes]


class SplitError(ValueError):
    """Text that is no such file: `offset` in bytes, and what was expected there."""

    def __init__(self, offset: int, expected: str) -> None:
        self.offset, self.expected = offset, expected
        super().__init__(expected)


def find_internal(data: bytes) -> int:
    """Return where the section with the document starts: the last such heading, for its JSON has no line breaks.

    Raises SplitError when there is none.
    """
    at = data.rfind(_INTERNAL)
    while at > 0 and data[at - 1 : at] != b"\n":
        at = data.rfind(_INTERNAL, 0, at)
    if at < 0:
        raise SplitError(len(data), "expected the section ### INTERNAL - DO NOT MODIFY ###, found the file's end")
    return at


def split(text: bytes, *, alone: bool = False) -> list[Section]:
    """Return the sections of the text in front of the document; SplitError for what is none.

    With `alone`, the text is one section on its own, so that others are not missed. What stands in front of the
    first heading is passed over.
    """
    found: list[Section] = []
    heading = _HEADING.search(text)
    if heading is None and text.strip():
        raise SplitError(0, "expected a heading such as ### REQUEST ###")
    while heading is not None:
        name = heading[1].decode()
        seen = {section.name for section in found} | {name}
        blocks, end, following = _blocks(text, heading.end(), seen)
        found.append(Section(name, heading.start(), text[heading.start() : end], blocks))
        heading = following
    if not alone:
        _refuse_swallowed(text, found)
    return found


def _refuse_swallowed(text: bytes, found: list[Section]) -> None:
    """Raise when a section that the file lacks stands inside of another's block, as stray text between two makes it."""
    seen = {section.name.encode() for section in found}
    missing = _KNOWN - seen - ({b"RESPONSE", b"RESPONSE (MOCK)"} if seen & {b"RESPONSE", b"RESPONSE (MOCK)"} else set())
    for heading in _HEADING.finditer(text) if missing and found else ():
        if heading[1] in missing:
            raise SplitError(heading.start(), f"expected a closed block in front of ### {heading[1].decode()} ###")


def _blocks(text: bytes, at: int, seen: set[str]) -> tuple[list[bytes], int, re.Match[bytes] | None]:
    """Read the blocks of one section; return them, where they end, and the next heading."""
    blocks: list[bytes] = []
    while True:
        opening = _OPEN.match(text, at)
        if opening is None:
            following = _next_heading(text, at, seen)
            if text[at : following.start() if following else len(text)].strip():
                raise SplitError(at, "expected a fence (```) or the next heading")
            return blocks, at, following
        close, end, following, more = _closing(text, opening, seen, last=bool(blocks))
        blocks.append(text[opening.end() : max(opening.end(), close - 1)])
        at = end
        if not more:
            return blocks, end, following


def _closing(
    text: bytes, opening: re.Match[bytes], seen: set[str], *, last: bool
) -> tuple[int, int, re.Match[bytes] | None, bool]:
    """Find the fence that closes a block: the first behind which a block, a heading or the end can stand."""
    behind = len(text.rstrip())
    fence = re.compile(rb"^" + opening[1] + rb"[ \t]*(?:\n|\Z)", re.MULTILINE)
    for close in fence.finditer(text, opening.end()):
        end = close.end()
        following = _next_heading(text, end, seen)
        if following is not None or end >= behind:
            return close.start(), end, following, False
        if not last and _OPEN.match(text, end):
            return close.start(), end, None, True
    raise SplitError(opening.start(1), f"this block is never closed by {opening[1].decode()}")


def _next_heading(text: bytes, at: int, seen: set[str]) -> re.Match[bytes] | None:
    """Return the heading that stands at this place, blank lines aside, if the file has not had it yet.

    A heading that we do not know counts only with a block behind it.
    """
    while text[at : at + 1] in (b"\n", b" ", b"\t") and at < len(text):
        at += 1
    heading = _HEADING.match(text, at)
    if heading is None or heading[1].decode() in seen:
        return None
    return heading if heading[1] in _KNOWN or _OPEN.match(text, heading.end()) else None
