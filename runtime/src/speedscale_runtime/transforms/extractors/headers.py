"""Extractors of headers and trailers, by name and index (default 0)."""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import http
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor, Scope


class RequestHeader(Extractor):
    """A request header; made where it is absent."""

    makes = True
    key = "headers"

    def __init__(self, config: Config) -> None:
        self._name = config.required("name", "header")
        self._index = config.integer("index")
        self._delete_if_empty = config.boolean("deleteIfEmpty")
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        values = http.header(pair, self.side, self._name)
        if self._index < len(values):
            return values[self._index]
        return "" if self.makes and http.part(pair, self.side) is not None else None

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        values = http.header(pair, self.side, self._name)
        if not value and self._delete_if_empty:
            del values[self._index : self._index + 1]
        elif self._index < len(values):
            values[self._index] = value
        else:
            values.append(value)
        http.set_header(pair, self.side, self._name, values)


class ResponseHeader(RequestHeader):
    """A response header."""

    side = "response"
    makes = False


class RequestTrailer(Extractor):
    """A request trailer field."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("name", "trailer")
        self._index = config.integer("index")
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        values = self._values(pair)
        return values[self._index] if self._index < len(values) else None

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        self._values(pair)[self._index] = value

    def _values(self, pair: RRPair) -> list[str]:
        trailers = (http.part(pair, self.side) or {}).get("trailers") or {}
        for name, values in trailers.items():
            if name.casefold() == self._name.casefold() and isinstance(values, list):
                return values
        return []


class ResponseTrailer(RequestTrailer):
    """A response trailer field."""

    side = "response"
