"""What counts of a key of recorded traffic, in or out, wherever it comes from. Pure."""

from __future__ import annotations

from typing import Protocol


class Traffic(Protocol):
    """One key of a snapshot (`snapshots.Traffic`)."""

    @property
    def key(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def protocol(self) -> str: ...
