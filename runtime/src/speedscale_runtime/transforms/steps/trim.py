"""trim: isolate the value without blanks, or without a text at its start or end; it comes back afterwards."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step


class Trim(Step):
    """`type` spaces (both ends), left or right (the text `value`)."""

    isolates = True
    steady = True

    def __init__(self, config: Config) -> None:
        self._type = config.choice("type", of=("spaces", "left", "right"), default="spaces")
        self._value = config.text("value")
        config.close()
        if self._type != "spaces" and not self._value:
            raise config.error(f"value: type {self._type} needs the text to take away")

    def forward(self, value: str, scope: Scope) -> str:
        head, tail = self._ends(value)
        return value[len(head) : len(value) - len(tail)]

    def backward(self, before: str, value: str, scope: Scope) -> str:
        head, tail = self._ends(before)
        return head + value + tail

    def _ends(self, value: str) -> tuple[str, str]:
        if self._type == "left":
            return (self._value if value.startswith(self._value) else ""), ""
        if self._type == "right":
            return "", (self._value if value.endswith(self._value) else "")
        head = value[: len(value) - len(value.lstrip())]
        return head, value[len(value.rstrip()) :] if len(head) < len(value) else ""
