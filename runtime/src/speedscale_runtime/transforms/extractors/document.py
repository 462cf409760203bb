"""Extractor json_path: a value of the RRPair's own JSON, bodies and JWT claims included.

`http.req.body` and `http.res.body` mean the body; what follows is a path inside it. `….jwt.claims.x` (and
`….jwt.header.x`) looks inside a JWT and only reads.
"""

from __future__ import annotations

import base64
import re

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.paths import find, put
from speedscale_runtime.transforms import http, jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Extractor, Scope, Side

_BODY = re.compile(r"http\.(req|res)\.body(?:\.|(?=\[)|$)")
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class Document(Extractor):
    """A value by path, or the part of it that `regex` (its first group, where it has one) matches."""

    def __init__(self, config: Config) -> None:
        self._path, _, self._inside = config.required("path").removeprefix("$.").partition(".jwt.")
        self._regex = re.compile(config.text("regex")) if config.text("regex") else None
        config.close()
        body = _BODY.match(self._path)
        self._body: Side | None = None if not body else "request" if body[1] == "req" else "response"
        self._rest = jsonspan.split(self._path[body.end() :]) if body else ()
        self.side: Side = "response" if self._path.startswith("http.res") else "request"

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        value = self._value(pair)
        if value is None:
            return None
        if self._inside:
            return _claim(value, self._inside)
        found = self._regex.search(value) if self._regex else None
        if self._regex and not found:
            return None
        return value if found is None else found[found.re.groups and 1]

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        if self._inside:
            raise TransformError("a claim inside a JWT is only read; use jwt_resign to change it")
        if self._regex:
            old = self._value(pair) or ""
            found = self._regex.search(old)
            if found is None:
                return
            start, end = found.span(found.re.groups and 1)
            value = old[:start] + value + old[end:]
        if self._body is None:
            old_value = next((m.value for m in find(pair.doc, self._path)), None)
            literal = jsonspan.write(jsonspan.dump(old_value), value)
            put(pair.doc, self._path, jsonspan.load(literal))
            return
        document = http.body_text(pair, self._body) or ""
        if not self._rest:
            http.set_body_text(pair, self._body, value)
            return
        place = jsonspan.span(document, self._rest)
        if place is not None:
            literal = jsonspan.write(document[place[0] : place[1]], value)
            http.set_body_text(pair, self._body, document[: place[0]] + literal + document[place[1] :])

    def _value(self, pair: RRPair) -> str | None:
        if self._body is None:
            match = next(iter(find(pair.doc, self._path)), None)
            if match is None or match.value is None:
                return None
            return match.value if isinstance(match.value, str) else jsonspan.dump(match.value)
        document = http.body_text(pair, self._body)
        if document is None or not self._rest:
            return document
        place = jsonspan.span(document, self._rest)
        return None if place is None else jsonspan.show(document[place[0] : place[1]])


def _claim(value: str, inside: str) -> str | None:
    found = _JWT.search(value)
    where, _, path = inside.partition(".")
    if not found or where not in ("claims", "header"):
        return None
    part = found[0].split(".")[1 if where == "claims" else 0]
    try:
        document = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    except ValueError:
        raise TransformError("the JWT is not decodable") from None
    place = jsonspan.span(document, jsonspan.split(path))
    return None if place is None else jsonspan.show(document[place[0] : place[1]])
