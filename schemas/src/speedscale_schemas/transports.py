"""How verbs of one member reach the backend through another: what a transport offers, and where it registers.

A transport is registered under the entry point group `speedctl.transports` and found by name when `--via NAME` is
typed: the member that owns the verb knows neither HTTP nor keys, the member that owns those knows no verbs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

GROUP: Final = "speedctl.transports"


class Transport(Protocol):
    """An open way to clusters; made by calling what the entry point names with the environment.

    Both methods raise TransientError, PermanentError (with the backend's `reason`) and PeerError; making one raises
    ConfigError where the environment names no backend.
    """

    def clusters(self) -> list[dict[str, Any]]:
        """Return the clusters ever connected: `name`, `connected`, …"""

    def command(
        self, cluster: str, command: str, arguments: Mapping[str, Any], *, timeout_s: float
    ) -> Iterator[dict[str, Any]]:
        """Yield the answers to a command (documents `inspector-answer`); leaving the loop early cancels it.

        `timeout_s` is how long the whole may take; the inspector gives up then.
        """
