"""Extractors of whole bodies: HTTP bodies decoded, other protocols as JSON."""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import http, jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor, Scope

_PROTOCOLS = {
    "postgres": ("request", "response"),
    "mysql": ("request", "response"),
    "AmqpV091": ("client", "server"),
    "grpc": ("request", "response"),
    "kafka": ("request", "response"),
    "mongo": ("request", "response"),
    "redis": ("request", "response"),
}


class RequestBody(Extractor):
    """The request body."""

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        if "http" in pair.doc:
            return http.body_text(pair, self.side)
        place = self._place(pair)
        return None if place is None else jsonspan.dump(place[0][place[1]])

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        if "http" in pair.doc:
            http.set_body_text(pair, self.side, value)
            return
        place = self._place(pair)
        if place is not None:
            place[0][place[1]] = jsonspan.load(value)

    def _place(self, pair: RRPair) -> tuple[dict[str, object], str] | None:
        for name, (request, response) in _PROTOCOLS.items():
            found = pair.doc.get(name)
            key = request if self.side == "request" else response
            if isinstance(found, dict) and key in found:
                return found, key
        return None


class ResponseBody(RequestBody):
    """The response body."""

    side = "response"
