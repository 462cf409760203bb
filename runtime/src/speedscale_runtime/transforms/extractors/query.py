"""Extractor of one query parameter; every other byte of the query stays as it is."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor, Scope

from .url import set_uri, uri


class QueryParameter(Extractor):
    """The index-th value (default the first) of a query parameter, percent-decoded."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("name")
        self._index = config.integer("index")
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        found = self._find(uri(pair))
        return None if found is None else unquote_plus(found[1], errors="surrogateescape")

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        whole = uri(pair)
        found = self._find(whole)
        if found is not None:
            start, old = found
            coded = quote(value.encode("utf-8", "surrogateescape"), safe="")
            set_uri(pair, whole[:start] + coded + whole[start + len(old) :])

    def _find(self, whole: str) -> tuple[int, str] | None:
        path, mark, query = whole.partition("?")
        at = len(path) + len(mark)
        left = self._index
        for piece in query.split("&") if mark else ():
            name, equals, value = piece.partition("=")
            if unquote_plus(name) == self._name:
                if left == 0:
                    return at + len(name) + len(equals), value
                left -= 1
            at += len(piece) + 1
        return None
