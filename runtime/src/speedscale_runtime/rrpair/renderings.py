"""Markdown sections that another tool wrote otherwise than we would, kept verbatim.

Called by the JSON and Markdown codecs. There are two kinds, for nothing may outlive a redaction:

- Sections that say exactly what the pair says are held beside the pair (`RRPair.rendering`), not in its document:
  `to_doc` and frames leave them out, and a codec writes one only while reading it would change nothing. In a file
  they are the key `x-speedscale-markdown`: {"order": [headings], "sections": {heading: text}}.
- Sections that say something which the pair does not say (unknown headings, lines that nobody understands, protocols
  whose text we cannot read) are a value in the document like any other, so whoever looks at the document sees them:
  `x-speedscale-sections`: {"of": digest, "sections": {heading: text}}. They are written only while the digest of
  everything else in the pair is the same as when they were read.

A section that is no UTF-8 is {"base64": …} in both.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from . import edits, jsontext, sections, splitting
from .model import Json, RRPair

KEY = "x-speedscale-markdown"
OPAQUE_KEY = "x-speedscale-sections"

_FRAME = re.compile(rb"[\s`]*")


def lift(pair: RRPair) -> RRPair:
    """Take the renderings out of the pair's document and hold them beside it."""
    kept = pair.doc.get(KEY)
    if isinstance(kept, dict):
        del pair.doc[KEY]
        pair.rendering = kept
    return pair


def put_back(pair: RRPair, doc: Json) -> Json:
    """Return the document with the renderings that still hold, and without those that do not."""
    order, kept, opaque = _valid(pair)
    if OPAQUE_KEY in doc and not opaque and _is_ours(doc[OPAQUE_KEY]):
        doc = {key: value for key, value in doc.items() if key != OPAQUE_KEY}
    if kept or order != sections.ORDER:
        rendering: Json = {} if order == sections.ORDER else {"order": list(order)}
        if kept:
            rendering["sections"] = {name: _written(raw) for name, raw in kept.items()}
        doc = {**doc, KEY: rendering}
    return doc


def keep(pair: RRPair, found: list[splitting.Section], understood: set[str]) -> None:
    """Hold the sections of a file that differ from what we would write for the pair.

    `understood` names those of which the pair says everything.
    """
    pair.doc.pop(OPAQUE_KEY, None)
    order = [part.name for part in found]
    foreign = [part for part in found if part.raw != _ours(part.name, pair)]
    plain = {part.name for part in foreign if part.name in understood and _bare(part)}
    opaque = {part.name: _written(part.raw) for part in foreign if part.name not in plain}
    kept = {part.name: _written(part.raw) for part in foreign if part.name in plain}
    if opaque:
        pair.doc[OPAQUE_KEY] = {"of": _digest(pair), "sections": opaque}
    pair.rendering = {"order": order, "sections": kept} if kept or tuple(order) != sections.ORDER else None


def text(pair: RRPair) -> bytes:
    """Return the pair's readable sections, verbatim where a rendering still holds, with a blank line between."""
    order, kept, opaque = _valid(pair)
    return b"\n".join(opaque.get(name) or kept.get(name) or _ours(name, pair) for name in order)


def _valid(pair: RRPair) -> tuple[tuple[str, ...], dict[str, bytes], dict[str, bytes]]:
    """Return the order of sections, those that say what the pair says, and those that say something else."""
    opaque_value: Any = pair.doc.get(OPAQUE_KEY)
    rendering = pair.rendering
    if rendering is None and opaque_value is None:
        return sections.ORDER, {}, {}
    opaque: dict[str, bytes] = {}
    if _is_ours(opaque_value) and opaque_value["of"] == _digest(pair):
        opaque = _texts(opaque_value)
    kept = {name: raw for name, raw in _texts(rendering).items() if _holds(pair, name, raw)}
    wanted = rendering.get("order") if rendering else None
    names = [name for name in wanted if isinstance(name, str)] if isinstance(wanted, list) else sections.ORDER
    known = (*sections.ORDER, sections.RESPONSE_MOCK, *opaque)
    return tuple(name for name in dict.fromkeys(names) if name in known), kept, opaque


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"of", "sections"} and isinstance(value["sections"], dict)


def _texts(value: Any) -> dict[str, bytes]:
    found = value.get("sections") if isinstance(value, dict) else None
    texts = {name: _read(one) for name, one in found.items()} if isinstance(found, dict) else {}
    return {name: raw for name, raw in texts.items() if raw is not None and _stands_alone(name, raw)}


def _stands_alone(name: str, raw: bytes) -> bool:
    """Tell whether the text is one section of this name, so that a file it stands in can be read again."""
    try:
        return [part.name for part in splitting.split(raw, alone=True)] == [name] and raw.endswith(b"\n")
    except splitting.SplitError:
        return False


def _holds(pair: RRPair, name: str, raw: bytes) -> bool:
    """Tell whether the section says what the pair says: reading it changes nothing and leaves nothing over."""
    (part,) = splitting.split(raw, alone=True)
    probe = pair.copy()
    try:
        whole = edits.apply(probe, name, part.blocks) and _bare(part)
    except ValueError:
        return False
    same_bodies = (probe.request_body, probe.response_body) == (pair.request_body, pair.response_body)
    return whole and same_bodies and jsontext.ordered(probe.doc) == jsontext.ordered(pair.doc)


def _bare(part: splitting.Section) -> bool:
    """Tell whether there is nothing but fences and space around the section's blocks."""
    rest = part.raw[part.raw.find(b"\n") + 1 :] if b"\n" in part.raw else b""
    for block in part.blocks:
        before, _, rest = rest.partition(b"\n" + block + b"\n" if block else b"\n")
        if _FRAME.fullmatch(before) is None:
            return False
    return _FRAME.fullmatch(rest) is not None


def _digest(pair: RRPair) -> str:
    """Return a digest of everything in the pair but the renderings."""
    rest = {key: value for key, value in pair.doc.items() if key != OPAQUE_KEY}
    digest = hashlib.sha256(jsontext.ordered(rest))
    for body in (pair.request_body, pair.response_body):
        digest.update(b"-" if body is None else b"%d:" % len(body) + body)
    return digest.hexdigest()


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
    except (KeyError, TypeError, ValueError):
        return None
