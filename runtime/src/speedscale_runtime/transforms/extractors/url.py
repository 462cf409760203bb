"""Extractor of the request's URL: the whole of it, or one segment of the path."""

from __future__ import annotations

from urllib.parse import parse_qs

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor, Scope


def uri(pair: RRPair) -> str:
    """Return path and query of the request."""
    request = pair.http_request or {}
    return str(request.get("uri") or request.get("url") or pair.doc.get("location") or "/")


def set_uri(pair: RRPair, value: str) -> None:
    """Set path and query wherever the pair keeps them."""
    request = pair.http_request
    if request is None:
        return
    path, _, query = value.partition("?")
    request["uri"], request["url"] = value, path
    if "queryParams" in request:
        request["queryParams"] = parse_qs(query, keep_blank_values=True)
    pair.doc["location"] = path


class Url(Extractor):
    """Segment `index` of the path (0 is the empty one before the first /), or path and query without an index."""

    def __init__(self, config: Config) -> None:
        self._index = config.integer("index", default=-1)
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        if pair.http_request is None:
            return None
        if self._index < 0:
            return uri(pair)
        segments = uri(pair).partition("?")[0].split("/")
        return segments[self._index] if self._index < len(segments) else None

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        if self._index < 0:
            set_uri(pair, value)
            return
        path, mark, query = uri(pair).partition("?")
        segments = path.split("/")
        segments[self._index] = value
        set_uri(pair, "/".join(segments) + mark + query)
