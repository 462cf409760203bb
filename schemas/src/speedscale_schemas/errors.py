"""Errors by who must react; every part raises these and nothing vaguer.

A service keeps one table from error to status, metric label and condition reason. Anything that is none
of these is a bug: it crashes its task and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence


class ConfigError(Exception):
    """The user's settings or files are wrong; leave before serving, with every problem listed."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class PeerError(Exception):
    """The other side broke the protocol; refuse it with `reason`, go on serving others."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


class TransientError(Exception):
    """It may work later; try again after `retry_after_s` seconds."""

    def __init__(self, reason: str, retry_after_s: float = 1.0) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class PermanentError(Exception):
    """It will not work however often it is tried; set a condition with `reason` and stop."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)
