"""What traversal modules may ask of the engine (the engine imports them, so they see this protocol only)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edit, Edits
from speedscale_runtime.dlp.keynames import KeyNames
from speedscale_runtime.dlp.tokens import Tokeniser

Hits = Sequence[tuple[int, int]]


class Asks(Protocol):
    """The engine as traversal sees it."""

    by_look: frozenset[str]
    joinable: bool
    keyed: frozenset[int]
    names: KeyNames
    tokens: Tokeniser

    def hits(self, data: bytes) -> Hits: ...

    def text(self, data: bytes, depth: int = 0, hits: Hits | None = None, key: bytes = b"") -> Edits: ...

    def leaf(self, data: bytes, key: bytes, depth: int = 0, rule: KeyRule | None = None) -> Edits: ...

    def by_key(self, data: bytes, rule: KeyRule) -> Edits | None: ...

    def values(self, data: bytes, hits: Hits, key: bytes = b"") -> Edits: ...

    def number(self, data: bytes, start: int, rule: KeyRule | None, hits: Hits, key: bytes) -> Edits: ...

    def edit(
        self, start: int, end: int, kind: str, value: bytes, detector: str, why: str, around: bytes = b""
    ) -> Edit: ...

    def whole(self, data: bytes, why: str) -> Edit: ...

    def secret(self, value: bytes, detector: str, why: str) -> Edits: ...

    def blob(self, data: bytes, depth: int = 0) -> Edits: ...

    def spend(self, units: int) -> None: ...
