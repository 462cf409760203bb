"""url_decode and url_encode: percent-encoding as in a path (`+` stays), undone on the way back."""

from __future__ import annotations

from urllib.parse import quote, unquote

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step, raw


def _encode(value: str) -> str:
    return quote(raw(value), safe="$&+:=@")


def _decode(value: str) -> str:
    return unquote(value, errors="surrogateescape")


class UrlDecode(Step):
    """Decode forward, encode backward."""

    isolates = True

    def __init__(self, config: Config) -> None:
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        return _decode(value)

    def backward(self, before: str, value: str, scope: Scope) -> str:
        return _encode(value)


class UrlEncode(Step):
    """Encode forward; the encoded value is what goes back."""

    def __init__(self, config: Config) -> None:
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        return _encode(value)
