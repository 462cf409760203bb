"""scrub: replace the isolated value wherever it stands in the pair, so that it no longer tells requests apart."""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import http
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.extractors.url import set_uri, uri
from speedscale_runtime.transforms.model import Scope, Side, Step
from speedscale_runtime.transforms.placeholders import resolve


class Scrub(Step):
    """`new` (default `*`) in the side(s) that `selector` names; lines of JSON under a key in `ignorePaths` stay."""

    def __init__(self, config: Config) -> None:
        self._ignore = set(config.items("ignorePaths", "ignore"))
        self._new = config.text("new", default="*")
        self._selector = config.choice("selector", of=("request", "response", "both"), default="both")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        new = resolve(self._new, scope)
        if len(value) > 2:
            sides: tuple[Side, ...] = ("request", "response")
            for side in sides:
                if self._selector in (side, "both"):
                    self._scrub(scope.pair, side, value, new)
        return new

    def _scrub(self, pair: RRPair, side: Side, old: str, new: str) -> None:
        found = http.part(pair, side)
        if found is None:
            return
        for name, values in (found.get("headers") or {}).items():
            if name not in self._ignore and isinstance(values, list):
                found["headers"][name] = [v.replace(old, new) if isinstance(v, str) else v for v in values]
        if side == "request" and old in uri(pair):
            set_uri(pair, uri(pair).replace(old, new))
        body = http.body_text(pair, side)
        if body and old in body:
            http.set_body_text(pair, side, self._body(body, old, new))

    def _body(self, body: str, old: str, new: str) -> str:
        from .scrub_date import walk

        if not self._ignore:
            return body.replace(old, new)
        return walk(body, self._ignore, lambda text: text.replace(old, new))
