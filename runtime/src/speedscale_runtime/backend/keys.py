"""API keys: who may do what. Only their SHA-256 is stored; a key is shown once, when it is made.

The table is held in memory (a request must not wait for the disk) and written through. A key is found by its hash, so
that nothing of a stored key can be learnt from how long a comparison takes. The key of the environment has every scope
and is not stored: to change it is to change the Secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from speedscale_schemas.backend_api import SCOPES

from .database import Database
from .problems import Reason, Refused, not_found

ENVIRONMENT = "environment"
KEYS_MAX = 1000
_PREFIX = "sk-"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. `name` stands in the audit; `labels` are for inspectors' ACCESS_LABELS."""

    id: str
    name: str
    scopes: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: str | None = None

    def may(self, scopes: Sequence[str]) -> bool:
        """Say whether one of the scopes is granted; none at all is for every key."""
        return not scopes or "admin" in self.scopes or any(scope in self.scopes for scope in scopes)


class Keys:
    """All keys; `environment` gives the one of the environment, empty for none; `clock` the time of day in seconds."""

    def __init__(
        self,
        database: Database,
        environment: Callable[[], str],
        labels: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._clock = database, clock
        self._by_hash: dict[str, Key] = {}
        self._used: dict[str, str] = {}  # id → when, since it was last written
        self._last_used: dict[str, str | None] = {}
        self._environment, self._given = Key(ENVIRONMENT, ENVIRONMENT, SCOPES, dict(labels)), environment

    async def open(self) -> None:
        """Read the stored keys."""
        rows = await self._database.run(
            lambda c: c.execute("SELECT hash, id, name, scopes, labels, created_at, last_used_at FROM keys").fetchall()
        )
        for hashed, id_, name, scopes, labels, created, used in rows:
            self._by_hash[hashed] = Key(id_, name, tuple(json.loads(scopes)), json.loads(labels), created)
            self._last_used[id_] = used

    def find(self, authorization: str) -> Key:
        """Return the key of an Authorization header; Refused `unauthenticated`."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise Refused(Reason.UNAUTHENTICATED, "expected Authorization: Bearer <API key>")
        hashed = _hash(given.strip())
        found = self._by_hash.get(hashed)
        if found is None and (given := self._given()) and hmac.compare_digest(hashed, _hash(given)):
            found = self._environment
        if found is None:
            raise Refused(Reason.UNAUTHENTICATED, "this API key is not known; was it revoked?")
        self._used[found.id] = self._now()
        return found

    def listed(self) -> list[dict[str, Any]]:
        """Return all keys as clients see them."""
        known = [*([self._environment] if self._given() else []), *self._by_hash.values()]
        return [self._shown(key) for key in sorted(known, key=lambda k: (k.created_at or "", k.id))]

    async def create(self, name: str, scopes: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any]:
        """Make a key and return it with its secret."""
        if len(self._by_hash) >= KEYS_MAX:
            raise Refused(Reason.CONFLICT, f"there are {KEYS_MAX} keys; revoke some that nobody uses")
        given = _PREFIX + secrets.token_urlsafe(32)
        ordered = tuple(scope for scope in SCOPES if scope in scopes)
        key = Key(secrets.token_hex(8), name, ordered, dict(labels), self._now())
        row = (key.id, _hash(given), name, json.dumps(ordered), json.dumps(dict(labels)), key.created_at, None)
        await self._database.run(lambda c: c.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", row))
        self._by_hash[_hash(given)] = key
        return {**self._shown(key), "key": given}

    async def revoke(self, identity: str) -> None:
        """Revoke a key at once; Refused for one that is not there, or of the environment."""
        if identity == ENVIRONMENT and self._given():
            raise Refused(Reason.CONFLICT, "this key comes from SPEEDSCALE_API_KEY; change the Secret")
        hashed = next((h for h, key in self._by_hash.items() if key.id == identity), None)
        if hashed is None:
            raise not_found("key", identity)
        del self._by_hash[hashed]
        await self._database.run(lambda c: c.execute("DELETE FROM keys WHERE id = ?", (identity,)))

    async def write_use(self) -> None:
        """Write down which keys were used since the last time."""
        used, self._used = self._used, {}
        self._last_used.update(used)

        def work(connection: sqlite3.Connection) -> None:
            rows = [(at, id_) for id_, at in used.items()]
            connection.executemany("UPDATE keys SET last_used_at = ? WHERE id = ?", rows)

        if used:
            await self._database.run(work)

    def _shown(self, key: Key) -> dict[str, Any]:
        return {
            "id": key.id,
            "name": key.name,
            "scopes": list(key.scopes),
            "labels": dict(key.labels),
            "createdAt": key.created_at,
            "lastUsedAt": self._used.get(key.id) or self._last_used.get(key.id),
        }

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Failures:
    """Who failed to authenticate how often: beyond `burst` in a row an address waits, and gets one try each `every_s`.

    At most `addresses` are remembered, the one unheard of for longest goes. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        *,
        burst: int = 20,
        every_s: float = 3.0,
        addresses: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst, self._every_s, self._addresses, self._clock = burst, every_s, addresses, clock
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()  # → failures that count, at which time

    def throttled(self, address: str) -> bool:
        """Say whether an address has to wait."""
        return self._count(address) >= self._burst

    def add(self, address: str) -> None:
        """Count a failure."""
        self._known[address] = (self._count(address) + 1, self._clock())
        self._known.move_to_end(address)
        if len(self._known) > self._addresses:
            self._known.popitem(last=False)

    def _count(self, address: str) -> float:
        count, at = self._known.get(address, (0.0, 0.0))
        return max(0.0, count - (self._clock() - at) / self._every_s)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
