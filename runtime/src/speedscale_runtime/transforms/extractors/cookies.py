"""Extractors of cookies by name: Cookie of a request, Set-Cookie of a response (RFC 6265)."""

from __future__ import annotations

import re

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import http
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor, Scope


class RequestCookie(Extractor):
    """The value of one cookie in the request."""

    header = "Cookie"

    def __init__(self, config: Config) -> None:
        name = re.escape(config.required("name"))
        config.close()
        self._pattern = re.compile(rf"((?:^|;)\s*{name}=)([^;]*)")

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        for value in http.header(pair, self.side, self.header):
            found = self._pattern.search(value)
            if found:
                return found[2]
        return None

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        values = http.header(pair, self.side, self.header)
        for index, text in enumerate(values):
            new, count = self._pattern.subn(lambda match: match[1] + value, text, count=1)
            if count:
                values[index] = new
                http.set_header(pair, self.side, self.header, values)
                return


class ResponseCookie(RequestCookie):
    """The value of a cookie that the response sets; its attributes stay."""

    side = "response"
    header = "Set-Cookie"

    def __init__(self, config: Config) -> None:
        name = re.escape(config.required("name"))
        config.close()
        self._pattern = re.compile(rf"(^\s*{name}=)([^;]*)")
