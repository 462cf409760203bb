"""Markdown sections that another tool wrote otherwise than we would, kept verbatim in the pair.

Called by the JSON and Markdown codecs. A rendering stands beside the pair, not in its document: `RRPair.to_doc` and
frames leave it out, and a codec writes it only while reading it would change nothing about the pair. So a section
never outlives the values that it shows, for instance a redaction.

In a document it is the key `x-speedscale-markdown`: {"order": [headings], "sections": {heading: text}}, where a
section that is no UTF-8 is {"base64": …}.
"""

from __future__ import annotations

from .model import Json, RRPair

KEY = "x-speedscale-markdown"


def lift(pair: RRPair) -> RRPair:
    """Take the renderings out of the pair's document and hold them beside it."""
    kept = pair.doc.pop(KEY, None)
    if isinstance(kept, dict):
        pair.rendering = kept
    return pair


def put_back(pair: RRPair, doc: Json) -> Json:
    """Return the document with the renderings that still say what the pair says."""
    return doc
