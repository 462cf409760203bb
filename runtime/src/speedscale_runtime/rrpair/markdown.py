"""RRPairs as Markdown: readable sections, and the whole document on one line at the end.

Called by recordings. Decoding starts from the document. A section that equals our rendering of the document, or
says the same in another tool's layout, changes nothing; any other section was edited by hand and wins. Sections
that we would write otherwise are kept verbatim beside the pair (`renderings`). `loads(dumps(pair)) == pair`.

`sections` writes, `splitting` and `edits` read; this module only composes them.
"""

from __future__ import annotations

from speedscale_schemas.errors import ConfigError

from . import edits, jsonform, jsontext, renderings, sections, splitting
from .model import Json, RRPair


def loads(data: bytes, source: str = "") -> RRPair:
    """Read one RRPair from Markdown; `source` names it in errors.

    Raises ConfigError with source, line and what was expected.
    """
    place = source or "Markdown"
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r\n" in data[: data.find(b"\n") + 1]:  # the whole file went through a tool that ends lines so
        data = data.replace(b"\r\n", b"\n")
    try:
        start = splitting.find_internal(data)
        doc = _document(data, start)
    except splitting.SplitError as error:
        raise _error(place, data, error) from None
    line = data.count(b"\n", 0, start) + 3
    pair = jsonform.from_value(doc, place, line)
    text = data[:start]
    if text == renderings.text(pair) + b"\n":
        return pair
    try:
        found = splitting.split(text)
    except splitting.SplitError as error:
        raise _error(place, data, error) from None
    understood: set[str] = set()
    for part in found:
        try:
            if edits.apply(pair, part.name, part.blocks):
                understood.add(part.name)
        except ValueError as error:
            at = data.count(b"\n", 0, part.start) + 1
            raise ConfigError([f"{place}:{at}: section {part.name}: {error}"]) from None
    renderings.keep(pair, found, understood)
    return pair


def dumps(pair: RRPair) -> bytes:
    """Return the pair as Markdown: the sections, then the document with headers and bodies."""
    return renderings.text(pair) + b"\n" + sections.internal(jsonform.document(pair))


def is_readable(pair: RRPair) -> bool:
    """Tell whether the pair has a readable form: HTTP has, other protocols are stored as JSON."""
    return isinstance(pair.doc.get("http"), dict)


def _document(data: bytes, start: int) -> Json:
    """Return the document behind `json:`; it may have been spread over several lines by hand."""
    found = data.find(b"json:", start)
    if found < 0:
        raise splitting.SplitError(start, "expected a line `json: {…}` in this section")
    begin = found + len(b"json:")
    end = data.find(b"\n", begin)
    line = data[begin:] if end < 0 else data[begin:end]
    try:
        value = jsontext.parse(line)
    except jsontext.JsonError as error:
        try:
            value = jsontext.parse(data[begin:].rstrip().rstrip(b"`"))
        except jsontext.JsonError:
            offset = begin + error.column - 1
            raise splitting.SplitError(offset, f"expected JSON behind `json:`: {error.reason}") from None
    if not isinstance(value, dict):
        raise splitting.SplitError(begin, f"expected a JSON object behind `json:`, found {type(value).__name__}")
    return value


def _error(place: str, data: bytes, error: splitting.SplitError) -> ConfigError:
    line = data.count(b"\n", 0, error.offset) + 1
    return ConfigError([f"{place}:{line}: {error.expected}"])
