"""What a broker says to a produce request and aiokafka keeps to itself: how long to be left alone, and which errors.

Used by `kafka`. The library does not look at `throttle_time_ms`, so it would send on into a connection that the broker
does not read (KIP-219), run into its own time-out and send the same again over a new one, past the quota; and it
repeats what may pass for as long as it is let, without a word of what the broker said. Nothing here decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest

from speedscale_runtime.delivery.pauses import LONGEST_S

INVALID_RECORD = 87
"""A broker's validation refused a record (a schema, a rule of the topic); aiokafka has no name for it."""
_NAMES = {INVALID_RECORD: "InvalidRecord"}


_CODES_MAX = 100


class Answers:
    """Remembers what the producers of one exporter were told; `now` counts seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._quiet_until = 0.0
        self._codes: list[int] = []

    def listen(self, client: Any) -> None:
        """Note every answer that a producer's `client` gets from now on."""
        ask = client.send

        async def send(node: Any, request: Any, **more: Any) -> Any:
            answer = await ask(node, request, **more)
            if isinstance(request, ProduceRequest):
                self.note(answer)
            return answer

        client.send = send

    def begin(self) -> None:
        """Forget the errors of before; how long to keep quiet stays."""
        self._codes = []

    def quiet_s(self) -> float:
        """Return the seconds for which the broker wants to be left alone, 0 to LONGEST_S."""
        return max(self._quiet_until - self._now(), 0.0)

    def said(self, code: int) -> bool:
        """Say whether the broker gave this error since `begin`."""
        return code in self._codes

    def last_error(self) -> str:
        """Return the name of the last error since `begin`, an empty string where there was none."""
        if not self._codes:
            return ""
        code = self._codes[-1]
        return _NAMES.get(code) or str(for_code(code).__name__)

    def note(self, answer: Any) -> None:
        """Take in a ProduceResponse of any version."""
        throttled_s = min(getattr(answer, "throttle_time_ms", 0) / 1000, LONGEST_S)
        self._quiet_until = max(self._quiet_until, self._now() + throttled_s)
        self._codes += [part[1] for _, parts in answer.topics for part in parts if part[1]]
        del self._codes[:-_CODES_MAX]
