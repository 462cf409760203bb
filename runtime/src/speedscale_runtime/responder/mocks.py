"""The mocks in memory: signature digest → recorded answers in order. Pure; nothing here knows sockets.

Look-up is one dictionary access, so it costs the same with one mock and with 100,000. Pairs are not kept: an
answer is its bytes, a signature is packed in the index of neighbours that explains misses.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from enum import StrEnum

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.signatures import Neighbours, keys
from speedscale_runtime.snapshot.selection import begun_ns

from . import answers
from .answers import Answer

SESSIONS_MAX = 4096
"""Sessions whose place in a sequence is remembered, for each mock; the one that was first is forgotten."""


class Selection(StrEnum):
    """Which of several answers with one signature is next."""

    CYCLE = "cycle"
    STICK = "stick"
    MISS = "miss"
    RANDOM = "random"


class Mock:
    """The answers of one signature, and which is next for each session."""

    __slots__ = ("answers", "digest", "number", "positions")

    def __init__(self, digest: bytes, number: int) -> None:
        self.digest, self.number = digest, number
        self.answers: list[Answer] = []
        self.positions: dict[bytes, int] = {}

    def add(self, answer: Answer) -> None:
        """Add an answer in its place: answers may come in any order, what counts is when they were recorded."""
        place = len(self.answers)
        while place and self.answers[place - 1].order > answer.order:
            place -= 1
        self.answers.insert(place, answer)


class Mocks:
    """All mocks of a run.

    `rules`: the names of the DLP rules that the recordings went through, in order met. `unredacted`: some went
    through none. `xml`: some signatures hold XML as a document. `unservable`: answers not served, by reason.
    """

    def __init__(self, selection: Selection = Selection.CYCLE, *, seed: int = 0) -> None:
        self.by_digest: dict[bytes, Mock] = {}
        self.neighbours = Neighbours()
        self.rules: dict[str, None] = {}
        self.unredacted = False
        self.xml = False
        self.services: dict[str, None] = {}
        self.answers = 0
        self.unservable: dict[str, int] = {}
        self.forgotten_sessions = 0
        self._selection = selection
        self._random = random.Random(seed)

    def add(self, pair: RRPair, signature: Mapping[str, bytes] | None = None, *, keep: bool = False) -> Mock | None:
        """Take a recorded pair as a mock; return None, counted, for another protocol than HTTP.

        `signature` stands for the one in the document; `keep` holds on to the pair, for transforms.
        """
        if pair.http_request is None or not (pair.http_response or {}).get("statusCode"):
            self._refuse("protocol")
            return None
        wanted = signature or signatures.recorded(pair) or signatures.signature(pair)
        digest = signatures.digest(wanted)
        self.xml = self.xml or keys.BODY_XML in wanted
        mock = self.by_digest.get(digest)
        if mock is None:
            mock = self.by_digest[digest] = Mock(digest, self.neighbours.add(wanted))
        answer = answers.render(pair)
        answer.pair = pair if keep else None
        if answer.unservable is not None:
            self._refuse(answer.unservable.value)
        instance = wanted.get(keys.INSTANCE, b"")
        answer.order = int(instance) if instance.isdigit() else begun_ns(pair) or 0
        mock.add(answer)
        self.answers += 1
        self._note(pair)
        return mock

    def next(self, mock: Mock, session: bytes = b"") -> Answer | None:
        """Return the mock's next answer and count it; None when they are used up (selection `miss`).

        Each session goes through the sequence on its own; requests without one share one.
        """
        count = len(mock.answers)
        if count == 1 and self._selection is not Selection.MISS:
            answer = mock.answers[0]
        elif self._selection is Selection.RANDOM:
            answer = mock.answers[self._random.randrange(count)]
        else:
            position = mock.positions.get(session, 0)
            if position >= count:
                if self._selection is Selection.MISS:
                    return None
                position = 0 if self._selection is Selection.CYCLE else count - 1
            answer = mock.answers[position]
            if len(mock.positions) >= SESSIONS_MAX and session not in mock.positions:
                del mock.positions[next(iter(mock.positions))]
                self.forgotten_sessions += 1
            mock.positions[session] = position + 1
        answer.served += 1
        return answer

    def unused(self) -> Iterator[tuple[Mock, int, Answer]]:
        """Yield what nobody asked for: the mock, which of its answers (from 0), the answer."""
        for mock in self.by_digest.values():
            for index, answer in enumerate(mock.answers):
                if not answer.served:
                    yield mock, index, answer

    def _refuse(self, reason: str) -> None:
        self.unservable[reason] = self.unservable.get(reason, 0) + 1

    def _note(self, pair: RRPair) -> None:
        rule = pair.doc.get("dlpRule")
        if isinstance(rule, str) and rule:
            self.rules.setdefault(rule)
        else:
            self.unredacted = True
        service = str(pair.doc.get("service") or pair.doc.get("resource") or "")
        if service:
            self.services.setdefault(service)
