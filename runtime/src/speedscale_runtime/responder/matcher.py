"""From a live request to a mock: raw cache, then the recording's own DLP rule, then signature and digest.

A redacted recording can only match a request that went through the same rule with the same key, so each rule that
the mocks name is tried, after the request as it is. What a raw request resolved to is cached under
a hash keyed at start, so no live value is kept. Not thread-safe: one event loop owns it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.signatures import keys

from .answers import Answer
from .chains import Chains
from .lines import match_line
from .live import Live
from .mocks import Mock, Mocks

CACHE_MAX = 65_536
"""Raw requests that are remembered; with more mocks than half of that, twice as many as there are mocks."""

Redact = Callable[[RRPair], RRPair]
"""Puts a live request through one DLP rule."""


class Asked(NamedTuple):
    """A request as it may be shown and stored: its redacted pair and the signature of that."""

    pair: RRPair
    signature: Mapping[str, bytes]
    digest: bytes


class Matcher:
    """Finds mocks for live requests.

    `rules`: the redactors of the rules that the mocks went through. `shown`: the redactor for what is written or
    answered about a request that no mock matched. `chains` is the responder's side of a transform set.
    """

    def __init__(
        self,
        mocks: Mocks,
        rules: Sequence[Redact],
        shown: Redact | None,
        chains: Chains | None = None,
        *,
        cache_max: int = CACHE_MAX,
    ) -> None:
        self._mocks, self._rules, self._shown, self._chains = mocks, list(rules), shown, chains
        self._cache: dict[bytes, Mock] = {}
        self._cache_max = max(cache_max, 2 * mocks.answers)
        self._salt = os.urandom(16)
        self.cache_clears = 0

    def find(self, live: Live) -> Mock | None:
        """Return the mock for a request, or None."""
        if self._chains is not None:
            return self._resolve(live)
        key = hashlib.blake2b(live.raw_key(), digest_size=16, key=self._salt).digest()
        mock = self._cache.get(key)
        if mock is None:
            mock = self._resolve(live)
            if mock is not None:
                if len(self._cache) >= self._cache_max:
                    self._cache.clear()
                    self.cache_clears += 1
                self._cache[key] = mock
        return mock

    def session(self, live: Live) -> bytes:
        """Return a hash of the request's session; empty where it has none."""
        found = signatures.session_of(live.credentials())
        return hashlib.blake2b(found.encode(), digest_size=16, key=self._salt).digest() if found else b""

    def asked(self, live: Live) -> Asked:
        """Return what may be said of a request: after every rule of the mocks, and the rule for what is shown."""
        pair = live.pair(self._service())
        for redact in self._rules:
            pair = redact(pair)
        if self._shown is not None and (self._mocks.unredacted or not self._rules):
            pair = self._shown(pair)
        signature = self._signature(pair)
        return Asked(pair, signature, signatures.digest(signature))

    def nearest(self, asked: Asked) -> list[dict[str, Any]]:
        """Return the nearest recorded requests with what differs, as JSON."""
        index = self._mocks.neighbours
        plain = signatures.canonical(asked.signature)
        found = []
        for number in index.nearest(asked.signature):
            recorded = self._showable(index.signature(number))
            found.append(described(recorded, signatures.differences(plain, recorded, number)))
        return found

    def line(self, mock: Mock, answer: Answer) -> bytes:
        """Return the start of an answer's line in mocks.jsonl, made at its first use."""
        if not answer.line:
            signature = self._showable(self._mocks.neighbours.signature(mock.number))
            answer.line = match_line(signature, mock.digest, answer.tech, answer.status)
        return answer.line

    def learn(self, redact: Redact) -> None:
        """Mocks that went through one more rule have come in (a recorded miss)."""
        if redact not in self._rules:
            self._rules.append(redact)

    def _resolve(self, live: Live) -> Mock | None:
        if self._chains is None:
            # Redaction twice is redaction once: a request that equals a redacted one as it is needs no redaction.
            request = live.request()
            mock = self._look_up(signatures.signature_of(request), request.body)
            if mock is not None or not self._rules:
                return mock
        for redact in self._rules or (_as_it_is,):
            pair = redact(live.pair(self._service()))
            mock = self._look_up(self._signature(pair), pair.request_body or b"")
            if mock is not None:
                return mock
        return None

    def _look_up(self, signature: Mapping[str, bytes], body: bytes) -> Mock | None:
        mock = self._mocks.by_digest.get(signatures.digest(signature))
        if mock is None and self._mocks.xml:
            other = signatures.as_xml(signature, body)
            mock = self._mocks.by_digest.get(signatures.digest(other)) if other else None
        return mock

    def _signature(self, pair: RRPair) -> Mapping[str, bytes]:
        signature = signatures.signature(pair)
        return signature if self._chains is None else self._chains.signature(pair, signature)

    def _showable(self, recorded: dict[str, bytes]) -> Mapping[str, bytes]:
        """Return a recorded signature as it may be written: redacted, where recordings are not."""
        if self._shown is None or not self._mocks.unredacted or keys.URL not in recorded:
            return recorded
        shown = signatures.signature(self._shown(_as_pair(recorded)))
        hashed = {key: value for key, value in recorded.items() if key == keys.BODY_HASH}
        return signatures.canonical({**shown, **hashed})

    def _service(self) -> str:
        return next(iter(self._mocks.services), "")


def _as_it_is(pair: RRPair) -> RRPair:
    return pair


def _as_pair(signature: Mapping[str, bytes]) -> RRPair:
    """Return the request that a signature stands for, as far as it says."""
    body = signature.get(keys.BODY_JSON) or signature.get(keys.BODY_XML) or b""
    path, query = quote(signature[keys.URL]), quote(signature.get(keys.QUERY, b""), safe="=&/:@")
    method, host = (signature.get(key, b"").decode("utf-8", "replace") for key in (keys.METHOD, keys.HOST))
    kind = "application/xml" if keys.BODY_XML in signature else "application/json"
    req = {
        "method": method,
        "url": path,
        "uri": f"{path}?{query}" if query else path,
        "host": host,
        "headers": {"Host": [host], **({"Content-Type": [kind]} if body else {})},
    }
    return RRPair({"direction": "OUT", "l7protocol": "http", "command": method, "http": {"req": req}}, body)


def described(signature: Mapping[str, bytes], found: Sequence[signatures.Difference]) -> dict[str, Any]:
    """Return a recorded request and its differences, as they stand in answers and in mocks.jsonl."""
    text = {key: value.decode("utf-8", "replace") for key, value in signature.items() if key != "http:requestBodyHash"}
    return {
        "command": text.get("http:method", ""),
        "location": text.get("http:url", ""),
        "host": text.get("http:host", ""),
        "differences": [{"key": d.key, "path": d.path, "recorded": d.recorded, "asked": d.asked} for d in found],
    }
