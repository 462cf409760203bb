"""store_sig and delete_sig: add a key to the pair's signature, or take one away."""

from __future__ import annotations

import base64
from typing import Any

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step, raw


class StoreSig(Step):
    """The value becomes part of the signature under `key` (numbered where it is empty)."""

    def __init__(self, config: Config) -> None:
        self._key = config.text("key")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        signature: dict[str, Any] = scope.pair.doc.setdefault("signature", {})
        key = self._key
        if not key:
            number = 0
            while (key := f"custom:{number}") in signature:
                number += 1
        signature[key] = base64.b64encode(raw(value)).decode()
        return value


class DeleteSig(Step):
    """The signature loses `key`."""

    def __init__(self, config: Config) -> None:
        self._key = config.required("key")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        signature = scope.pair.doc.get("signature")
        if isinstance(signature, dict):
            signature.pop(self._key, None)
        return value
