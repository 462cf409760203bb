"""How much may be done for one document: a hostile one costs what its size allows and no more.

The engine counts what it reads (bytes, and a fixed price a text) and what it takes. Beyond the allowance `TooMuch` goes
up to whoever owns the document, who replaces it whole: nested encodings, empty parts by the million and a value in
every other byte end here. The allowance grows with the size, so that no honest document meets it.
"""

from __future__ import annotations

from .edits import Edits

MAX_DOCUMENT = 64 * 1024 * 1024  # bytes; what is larger is not looked into
MAX_HITS = 1_000_000  # of the prefilter in one text
MAX_TAKEN = 200_000  # values in one document
TEXT = 200  # what a text costs besides its bytes
HIT = 50  # what a hit of the prefilter costs
SEEN = 40  # what one costs that is remembered
_BASE = 8 * 1024 * 1024
_PER_BYTE = 120
_KEPT = 64 * 1024 * 1024
_MOST = 2_000_000_000


class TooMuch(Exception):
    """A document asks for more work than its size allows; `args[0]` says which limit it met."""


class Work:
    """What is left for the document at hand; `done` counts, in the units of the allowance, for tests and metrics."""

    __slots__ = ("_allowed", "_room", "done", "large", "taken")

    def __init__(self) -> None:
        self.large: dict[tuple[bytes, bytes, int], Edits] = {}
        """What became of texts too long for the memory of the rule, for as long as the document is read."""
        self.begin(0)

    def begin(self, size: int) -> None:
        """Start on a document of so many bytes; TooMuch when it is too large to be looked into at all."""
        self.done = self.taken = 0
        if self.large:
            self.large = {}
        self._room = _KEPT
        self._allowed = min(_BASE + _PER_BYTE * size, _MOST)
        if size > MAX_DOCUMENT:
            raise TooMuch(f"larger than {MAX_DOCUMENT} bytes")

    def spend(self, units: int) -> None:
        """Count work; TooMuch when the document has had its share."""
        self.done += units
        if self.done > self._allowed:
            raise TooMuch("more nested content than its size allows to look into")

    def keep(self, at: tuple[bytes, bytes, int], edits: Edits) -> None:
        """Remember a long text until the document is done, as long as there is room (64 MiB).

        The same text comes back where encodings are undone in different orders.
        """
        self._room -= len(at[1])
        if self._room >= 0:
            self.large[at] = edits

    def take(self) -> None:
        """Count a value that is taken out; TooMuch beyond 200,000 of them."""
        self.taken += 1
        if self.taken > MAX_TAKEN:
            raise TooMuch(f"more than {MAX_TAKEN} values")
