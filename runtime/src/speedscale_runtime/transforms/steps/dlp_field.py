"""dlp_field: redact the value, or with `reverse` make a fresh one of its kind. Redaction itself is injected."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class DlpField(Step):
    """Whatever the value is, it is redacted."""

    def __init__(self, config: Config) -> None:
        self._reverse = config.boolean("reverse")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        if scope.redact is None:
            raise TransformError("redaction is not available here")
        return scope.redact(value, self._reverse)
