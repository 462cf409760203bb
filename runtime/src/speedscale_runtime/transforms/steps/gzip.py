"""gzip: decompress, and compress again on the way back."""

from __future__ import annotations

import gzip
import zlib

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step, raw, text

_MAX_BYTES = 64 * 1024 * 1024


class Gzip(Step):
    """A gzip stream (RFC 1952) of at most 64 MiB."""

    isolates = True

    def __init__(self, config: Config) -> None:
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        stream = zlib.decompressobj(wbits=31)
        try:
            data = stream.decompress(raw(value), _MAX_BYTES)
        except zlib.error:
            raise TransformError("the value is no gzip stream") from None
        if not stream.eof:
            raise TransformError("the gzip stream is cut or larger than 64 MiB")
        return text(data)

    def backward(self, before: str, value: str, scope: Scope) -> str:
        return text(gzip.compress(raw(value), mtime=0))
