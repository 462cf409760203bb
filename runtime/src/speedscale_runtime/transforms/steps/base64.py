"""base64: decode, and encode again on the way back, in the alphabet and padding that the value had."""

from __future__ import annotations

import base64
import binascii

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step, raw, text


class Base64(Step):
    """Standard and URL-safe alphabets are both read; `pad` says whether a value of neither kind gets padding."""

    isolates = True
    steady = True

    def __init__(self, config: Config) -> None:
        self._pad = config.boolean("pad", default=True)
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        clean = "".join(value.split()).rstrip("=")
        alphabet = b"-_" if "-" in clean or "_" in clean else b"+/"
        try:
            return text(base64.b64decode(raw(clean + "=" * (-len(clean) % 4)), altchars=alphabet, validate=True))
        except (binascii.Error, ValueError):
            raise TransformError("the value is no base64") from None

    def backward(self, before: str, value: str, scope: Scope) -> str:
        safe = "-" in before or "_" in before
        coded = (base64.urlsafe_b64encode if safe else base64.b64encode)(raw(value)).decode()
        had_padding = before.rstrip().endswith("=") or (len("".join(before.split())) % 4 == 0 and self._pad)
        return coded if had_padding else coded.rstrip("=")
