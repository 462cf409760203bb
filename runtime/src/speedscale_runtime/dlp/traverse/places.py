"""Places in heads: how they are written, which of them hold URLs, and what is no value wherever it stands.

Shared by `head` and `head_walk`, which have to agree.
"""

from __future__ import annotations

import re
from typing import Any

from . import form, readers
from .readers import Reader

URLS = frozenset(("url", "uri", "location", "optUrl"))
HEADER_MAPS = frozenset(("headers", "trailers"))
SKIPPED_HEADERS = frozenset(("content-length",))
MARKS = frozenset(("dlpRule", "dlpModified"))  # our own
UUID = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
BIG = 100_000_000  # numbers below it are too short for any detector
CACHED_CHARS = 512  # longer texts are not remembered
SIDES = ("req", "res")
CUT_TAGS = ("requestPayloadTruncated", "responsePayloadTruncated")  # what recorders say of a body of each side
DESTINATIONS = ("network_address", "http.req.host")  # where a call went


def below(place: str, segment: str) -> str:
    """Return the place of a segment (a name, `[index]`) below a place."""
    if not segment or not place:
        return place + segment
    return place + segment if segment[0] == "[" else f"{place}.{segment}"


def top_reader(key: str) -> Reader | None:
    """Return the reader of a text at the top of a document."""
    return form.url if key in URLS else readers.session if key == "session" else None


def headers_of(doc: dict[str, Any], side: str) -> dict[str, Any]:
    """Return the headers of one side of a document; empty where it has none."""
    http = doc.get("http")
    part = http.get(side) if isinstance(http, dict) else None
    headers = part.get("headers") if isinstance(part, dict) else None
    return headers if isinstance(headers, dict) else {}
