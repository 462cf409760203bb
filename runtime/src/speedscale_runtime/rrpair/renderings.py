"""Markdown sections that another tool wrote otherwise than we would, kept verbatim beside the pair.

Called by the JSON and Markdown codecs. A rendering stands beside the pair, not in its document: `RRPair.to_doc` and
frames leave it out, and a codec writes it only while reading it would change nothing about the pair. So a section
never outlives the values that it shows, for instance a redaction.

In a file it is the key `x-speedscale-markdown`: {"order": [headings], "sections": {heading: text}}, where a
section that is no UTF-8 is {"base64": …}.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from . import edits, jsontext, sections, splitting
from .model import Json, RRPair

KEY = "x-speedscale-markdown"


def lift(pair: RRPair) -> RRPair:
    """Take the renderings out of the pair's document and hold them beside it."""
    kept = pair.doc.get(KEY)
    if isinstance(kept, dict):
        del pair.doc[KEY]
        pair.rendering = kept
    return pair


def put_back(pair: RRPair, doc: Json) -> Json:
    """Return the document with the renderings that still say what the pair says."""
    order, kept = _valid(pair)
    if kept or order != sections.ORDER:
        rendering: Json = {} if order == sections.ORDER else {"order": list(order)}
        if kept:
            rendering["sections"] = {name: _written(raw) for name, raw in kept.items()}
        doc = {**doc, KEY: rendering}
    return doc


def keep(pair: RRPair, found: list[splitting.Section]) -> None:
    """Hold the sections of a file that differ from what we would write for the pair."""
    order = [part.name for part in found]
    kept = {part.name: _written(part.raw) for part in found if part.raw != _ours(part.name, pair)}
    if tuple(order) != sections.ORDER or kept:
        pair.rendering = {"order": order, "sections": kept}
    else:
        pair.rendering = None


def text(pair: RRPair) -> bytes:
    """Return the pair's readable sections, verbatim where a rendering still holds, with a blank line between."""
    order, kept = _valid(pair)
    return b"\n".join(kept.get(name) or _ours(name, pair) for name in order)


def _valid(pair: RRPair) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """Return the order of sections and those verbatim ones that still say what the pair says."""
    rendering = pair.rendering
    if rendering is None:
        return sections.ORDER, {}
    given = rendering.get("sections")
    kept: dict[str, bytes] = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        raw = _read(value)
        if raw is not None and _holds(pair, name, raw):
            kept[name] = raw
    names = rendering.get("order")
    wanted = [name for name in names if isinstance(name, str)] if isinstance(names, list) else list(sections.ORDER)
    known = (*sections.ORDER, sections.RESPONSE_MOCK)
    return tuple(name for name in dict.fromkeys(wanted) if name in kept or name in known), kept


def _holds(pair: RRPair, name: str, raw: bytes) -> bool:
    """Tell whether reading the section over the pair would change nothing."""
    try:
        found = splitting.split(raw)
        if [part.name for part in found] != [name]:
            return False
        probe = pair.copy()
        edits.apply(probe, name, found[0].blocks)
    except ValueError:
        return False
    return (
        probe.request_body == pair.request_body
        and probe.response_body == pair.response_body
        and jsontext.ordered(probe.doc) == jsontext.ordered(pair.doc)
    )


def _ours(name: str, pair: RRPair) -> bytes:
    if name == sections.RESPONSE_MOCK:
        return sections.section(sections.RESPONSE, pair).replace(b"### RESPONSE ###", b"### RESPONSE (MOCK) ###", 1)
    return sections.section(name, pair) if name in sections.ORDER else b""


def _written(raw: bytes) -> Any:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode("ascii")}


def _read(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
