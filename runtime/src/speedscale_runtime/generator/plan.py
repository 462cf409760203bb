"""From recorded tests to what is sent: bytes, order, gaps, sessions, connections, endpoints. Pure, made once.

A session's order is kept; sessions run in parallel. Sessions that hand values to each other (a login without a
session id and what follows it), or that share a connection, are one: their order matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Links, find_links, http
from speedscale_runtime.transforms.extractors.url import uri
from speedscale_runtime.transforms.steps.date import recorded_at

from .endpoints import Endpoints
from .redaction import rule_of
from .targets import Override, Target, target_of
from .wire import UnsendableError, encode


@dataclass(slots=True, eq=False)
class Test:
    """One recorded request. `gap_s` is the think time before it; `slot` numbers the target and recorded connection."""

    __test__ = False

    index: int
    pair: RRPair
    wire: bytes
    method: str
    target: Target
    endpoint: int
    session: str
    slot: int
    head_only: bool
    gap_s: float
    recorded_us: int
    recorded_status: int


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """Tests in their order; `offset_s` is how long after the start of the recording it began."""

    name: str
    offset_s: float
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a report counts together."""

    method: str
    location: str

    @property
    def name(self) -> str:
        """Method and location."""
        return f"{self.method} {self.location}"


@dataclass(slots=True)
class Plan:
    """Everything that a vUser replays in one iteration. `dlp_rule` redacted the recording, empty where none did."""

    sessions: tuple[Session, ...]
    endpoints: tuple[Endpoint, ...]
    links: Links
    dlp_rule: str = ""
    skipped: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tests(self) -> int:
        """How many requests an iteration has."""
        return sum(len(session.tests) for session in self.sessions)

    @property
    def targets(self) -> list[str]:
        """Where requests go, sorted."""
        return sorted({str(test.target) for session in self.sessions for test in session.tests})


def build(
    pairs: Iterable[RRPair],
    overrides: Sequence[Override] = (),
    *,
    endpoints: Endpoints | None = None,
    rewrite_host: bool = False,
    smart_replace: bool = True,
    mark: str = "",
) -> Plan:
    """Return the plan for pairs in the order of their recording; what cannot be replayed is counted by reason.

    `mark` is the member of `baggage` that names the replay.
    """
    skipped: Counter[str] = Counter()
    sendable: list[tuple[RRPair, Target, bytes]] = []
    rules: Counter[str] = Counter()
    for pair in pairs:
        rules[rule_of(pair)] += 1
        reason = _why_not(pair)
        target = None if reason else target_of(pair, overrides)
        if not reason and target is None:
            reason = "the recording names no host and there is no target for it (--test-against)"
        if reason or target is None:
            skipped[reason] += 1
            continue
        try:
            sendable.append((pair, target, encode(pair, target.authority, rewrite_host=rewrite_host, mark=mark)))
        except UnsendableError as error:
            skipped[str(error)] += 1
    links = find_links([pair for pair, _, _ in sendable]) if smart_replace else Links({})
    plan = _Planner(endpoints or Endpoints(), links, skipped).plan(sendable)
    del rules[""]
    plan.dlp_rule = rules.most_common(1)[0][0] if rules else ""
    return plan


class _Planner:
    def __init__(self, endpoints: Endpoints, links: Links, skipped: Counter[str]) -> None:
        self._names = endpoints
        self._links = links
        self._skipped = skipped
        self._endpoints: dict[Endpoint, int] = {}
        self._slots: dict[tuple[Target, str], int] = {}

    def plan(self, sendable: list[tuple[RRPair, Target, bytes]]) -> Plan:
        groups = _group([pair for pair, _, _ in sendable], self._links)
        begin = min((t for t in (recorded_at(p) for p, _, _ in sendable) if t), default=None)
        members: dict[int, list[int]] = {}
        for index, group in enumerate(groups):
            members.setdefault(group, []).append(index)
        sessions = [self._session(indexes, sendable, begin) for indexes in members.values()]
        return Plan(
            sessions=tuple(sessions),
            endpoints=tuple(self._endpoints),
            links=self._links,
            skipped=[{"reason": reason, "pairs": count} for reason, count in sorted(self._skipped.items())],
        )

    def _session(
        self, indexes: list[int], sendable: list[tuple[RRPair, Target, bytes]], begin: datetime | None
    ) -> Session:
        tests: list[Test] = []
        free_at: float | None = None
        offset = 0.0
        for index in indexes:
            pair, target, wire = sendable[index]
            when = recorded_at(pair)
            started = (when - begin).total_seconds() if when and begin else free_at or 0.0
            if not tests:
                offset = started
            gap = 0.0 if free_at is None else max(0.0, started - free_at)
            duration_ms = _number(pair.doc.get("duration"))
            free_at = max(free_at or 0.0, started + duration_ms / 1000)
            connection = _connection(pair) or f"session {indexes[0]}"  # unknown: one for each session
            slot = self._slots.setdefault((target, connection), len(self._slots))
            tests.append(self._test(index, pair, target, wire, gap, duration_ms, slot))
        return Session(tests[0].session if len({t.session for t in tests}) == 1 else "", offset, tuple(tests))

    def _test(
        self, index: int, pair: RRPair, target: Target, wire: bytes, gap: float, duration_ms: float, slot: int
    ) -> Test:
        method = wire[: wire.index(b" ")].decode()
        location = self._names.location(method, uri(pair).partition("?")[0])
        endpoint = self._endpoints.setdefault(Endpoint(method, location), len(self._endpoints))
        response = pair.http_response or {}
        return Test(
            index=index,
            pair=pair,
            wire=wire,
            method=method,
            target=target,
            endpoint=endpoint,
            session=str(pair.doc.get("session") or ""),
            slot=slot,
            head_only=method == "HEAD",
            gap_s=gap,
            recorded_us=round(duration_ms * 1000),
            recorded_status=int(_number(response.get("statusCode"))),
        )


def _why_not(pair: RRPair) -> str:
    request = pair.http_request
    if request is None:
        return f"protocol {pair.doc.get('l7protocol') or 'unknown'} is no HTTP"
    if "requestPayloadTruncated" in (pair.doc.get("tags") or {}):
        return "the recorded request body was cut"
    method = str(request.get("method") or pair.doc.get("command") or "")
    if method.upper() == "CONNECT":
        return "CONNECT is for proxies"
    kind = ",".join(http.header(pair, "request", "Content-Type")).casefold()
    if kind.startswith("application/grpc"):
        return "gRPC is not replayed yet"
    if http.header(pair, "request", "Upgrade") and (pair.http_response or {}).get("statusCode") == 101:
        return "WebSocket is not replayed yet"
    return ""


def _connection(pair: RRPair) -> str:
    netinfo = pair.doc.get("netinfo")
    return str(netinfo.get("id") or "") if isinstance(netinfo, dict) else ""


def _group(pairs: list[RRPair], links: Links) -> list[int]:
    """Return the number of the group of each pair: those whose order has to be kept are in one."""
    parent = list(range(len(pairs)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, pair in enumerate(pairs):
        keys = [("session", str(pair.doc.get("session") or ""))]
        if _connection(pair):
            keys.append(("connection", _connection(pair)))
        for key in keys:
            parent[root(index)] = root(first.setdefault(key, index))
    for given, used in links.pairs():
        parent[root(used)] = root(given)
    return [root(index) for index in range(len(pairs))]


def _number(value: object) -> float:
    try:
        return max(0.0, float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
