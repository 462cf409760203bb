"""Extractor of the response's status code."""

from __future__ import annotations

from http import HTTPStatus

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Extractor, Scope


class StatusCode(Extractor):
    """The status code as text."""

    side = "response"

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        response = pair.http_response
        return None if response is None else str(response.get("statusCode", ""))

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        response = pair.http_response
        if response is None:
            return
        if not value.isdecimal() or not 100 <= int(value) <= 999:
            raise TransformError("a status code has three digits")
        code = int(value)
        phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""
        response["statusCode"], response["statusMessage"] = code, f"{code} {phrase}"
        pair.doc["status"] = value
