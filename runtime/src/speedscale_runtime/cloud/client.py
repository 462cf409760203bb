"""The backend's API, one method a call; documents are JSON as `openapi.json` describes them.

Every method may raise TransientError, PermanentError (`reason` of the backend: `not_found`, `invalid`, `forbidden`,
`too_large`, …) and PeerError. Calls whose repetition is harmless are retried; `command` and `create_key` are not.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import orjson
import zstandard

from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError, TransientError

from .channel import MESSAGE_MAX_BYTES, Channel
from .target import Target
from .transport import Request, Retries, Transport

RuleKind = Literal["filter", "dlp", "transform"]
ReportFormat = Literal["json", "html", "junit", "markdown"]
Json = dict[str, Any]
Query = Mapping[str, str | int | float | bool | None]


class Page(NamedTuple):
    """Some of a list, and where the next part begins; an empty `cursor` means that this was the last."""

    items: list[Json]
    cursor: str


class CloudClient:
    """A client of one backend: an async context manager; used by one event loop, by many tasks.

    `agent` names the program in the backend's audit and log.
    """

    def __init__(self, target: Target, agent: str, retries: Retries | None = None) -> None:
        self._transport = Transport(target, agent, retries or Retries())

    async def __aenter__(self) -> CloudClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    @property
    def url(self) -> str:
        """The backend's address."""
        return self._transport.target.url

    # traffic

    async def send_batch(self, sender: str, epoch: int, sequence: int, payload: bytes) -> bool:
        """Send encoded frames (`frames.encode`, joined); return whether they were new. Returns: they are on disk.

        One attempt, compressed; a TransientError has what the backend asked to wait. Repeat with the same numbers.
        """
        headers = {
            "Content-Type": frames.BATCH_CONTENT_TYPE,
            "Content-Encoding": "zstd",
            frames.H_VERSION: frames.BATCH_VERSION,
            frames.H_SENDER: sender,
            frames.H_EPOCH: str(epoch),
            frames.H_SEQUENCE: str(sequence),
        }
        data = zstandard.ZstdCompressor(level=1).compress(payload)
        request = Request("POST", frames.BATCH_PATH, data=data, headers=headers)
        answer = _object(await self._transport.ask(request, repeat=False))
        if answer.get("sequence") != sequence:
            raise PeerError("malformed", "another batch was acknowledged than the one sent")
        return not answer.get("duplicate", False)

    async def rrpairs(self, query: Query, cursor: str = "", limit: int = 100) -> Page:
        """Return a page of stored traffic, oldest first.

        `query`: `start`, `end` (RFC 3339), `cluster`, `namespace`, `service`, `direction`, `session`, `filter` (a
        filter query), `snapshot`; `full=True` gives whole RRPairs, else one summary each.
        """
        return await self._page("/v1/rrpairs", {**query, "cursor": cursor or None, "limit": limit})

    async def rrpair(self, uuid: str) -> Json:
        """Return one RRPair."""
        return await self._get(f"/v1/rrpairs/{_in_path(uuid)}")

    async def erase(self, query: Query) -> Json:
        """Erase traffic by `session`, `token`, or `start`/`end`; return `{"erased": n, ...}`."""
        return _object(await self._transport.ask(Request("DELETE", "/v1/rrpairs", query)))

    # snapshots

    async def snapshots(self, query: Query | None = None, cursor: str = "", limit: int = 100) -> Page:
        """Return a page of snapshots, newest first: `id`, `name`, `createdAt`, `tests`, `mocks`, `services`, …"""
        return await self._page("/v1/snapshots", {**(query or {}), "cursor": cursor or None, "limit": limit})

    async def snapshot(self, identity: str) -> Json:
        """Return what is known of a snapshot, with its manifest; `latest` is an identity, too."""
        return await self._get(f"/v1/snapshots/{identity}")

    async def create_snapshot(self, selection: Mapping[str, Any]) -> Json:
        """Make a snapshot of stored traffic; return it as `snapshot` does.

        `selection`: `name`, `services`, `start`, `end`, `filter` (query) or `rule` (filter rule), `cluster`,
        `namespace`. The same traffic gives the same id.
        """
        return _object(await self._transport.ask(Request("POST", "/v1/snapshots", json=dict(selection))))

    async def fetch_snapshot(self, identity: str, into: Path) -> Path:
        """Write a snapshot's tar to the file `into`; `speedscale_runtime.snapshot.open` reads it."""
        return await self._transport.fetch(Request("GET", f"/v1/snapshots/{identity}/archive"), into)

    async def push_snapshot(self, identity: str, archive: Path) -> Json:
        """Upload a snapshot's tar; refused (`invalid`) where the content's id is another one."""
        headers = {"Content-Type": "application/x-tar"}
        request = Request("PUT", f"/v1/snapshots/{identity}/archive", file=archive, headers=headers)
        return _object(await self._transport.ask(request))

    async def delete_snapshot(self, identity: str) -> None:
        """Delete a snapshot."""
        await self._transport.ask(Request("DELETE", f"/v1/snapshots/{identity}"))

    # test configs and rules

    async def testconfigs(self) -> list[Json]:
        """Return all test configs' ids, built-in ones too: `id`, `builtin`, `updatedAt`."""
        return (await self._page("/v1/testconfigs", {})).items

    async def testconfig(self, identity: str) -> Json:
        """Return a test config: a stored one, else the built-in of that name."""
        return await self._get(f"/v1/testconfigs/{identity}")

    async def put_testconfig(self, identity: str, document: Mapping[str, Any]) -> None:
        """Store a test config; PermanentError `invalid` with the places."""
        await self._put(f"/v1/testconfigs/{identity}", document)

    async def delete_testconfig(self, identity: str) -> None:
        """Delete a stored test config."""
        await self._transport.ask(Request("DELETE", f"/v1/testconfigs/{identity}"))

    async def rules(self, kind: RuleKind) -> list[Json]:
        """Return all rules of a kind, as `testconfigs` does."""
        return (await self._page(f"/v1/rules/{kind}", {})).items

    async def rule(self, kind: RuleKind, identity: str) -> Json:
        """Return a rule: a stored one, else the built-in of that name."""
        return await self._get(f"/v1/rules/{kind}/{identity}")

    async def put_rule(self, kind: RuleKind, identity: str, document: Mapping[str, Any]) -> None:
        """Store a rule; PermanentError `invalid` with the places."""
        await self._put(f"/v1/rules/{kind}/{identity}", document)

    async def delete_rule(self, kind: RuleKind, identity: str) -> None:
        """Delete a stored rule."""
        await self._transport.ask(Request("DELETE", f"/v1/rules/{kind}/{identity}"))

    # replays and reports

    async def replays(self, query: Query | None = None, cursor: str = "", limit: int = 100) -> Page:
        """Return a page of replays, newest first; `query`: `cluster`, `namespace`, `state`."""
        return await self._page("/v1/replays", {**(query or {}), "cursor": cursor or None, "limit": limit})

    async def replay(self, identity: str) -> Json:
        """Return one replay."""
        return await self._get(f"/v1/replays/{identity}")

    async def put_replay(self, identity: str, document: Mapping[str, Any]) -> None:
        """Store how a replay stands: `name`, `namespace`, `cluster`, `workload`, `snapshot`, `state`, `report`, …"""
        await self._put(f"/v1/replays/{identity}", document)

    async def put_results(self, report: str, archive: Path, query: Query | None = None) -> Json:
        """Upload a replay's merged results: a zstd tar of results.jsonl, mocks.jsonl and any other files.

        The answer is the report's summary (schema `replay-summary`) with `id` and `url`. Repeated: replaced.
        """
        headers = {"Content-Type": "application/zstd"}
        request = Request("PUT", f"/v1/reports/{report}/results", query, file=archive, headers=headers)
        return _object(await self._transport.ask(request))

    async def reports(self, query: Query | None = None, cursor: str = "", limit: int = 100) -> Page:
        """Return a page of reports, newest first: `id`, `verdict`, `snapshot`, `createdAt`, …"""
        return await self._page("/v1/reports", {**(query or {}), "cursor": cursor or None, "limit": limit})

    async def report(self, identity: str, form: ReportFormat = "json") -> bytes:
        """Return a report in one format, UTF-8."""
        return await self._transport.ask(Request("GET", f"/v1/reports/{identity}", {"format": form}))

    async def report_file(self, identity: str, name: str, into: Path) -> Path:
        """Write one file of a report's results to `into`."""
        return await self._transport.fetch(Request("GET", f"/v1/reports/{identity}/files/{name}"), into)

    # clusters

    async def clusters(self) -> list[Json]:
        """Return the clusters ever connected: `name`, `connected`, `since`, `version`."""
        return (await self._page("/v1/clusters", {})).items

    async def cluster(self, name: str) -> Json:
        """Return one cluster."""
        return await self._get(f"/v1/clusters/{name}")

    async def command(
        self, cluster: str, command: str, arguments: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> AsyncIterator[Json]:
        """Give the inspector a command; yield its answers (schema `inspector-answer`) as they come.

        Leaving the loop early cancels the command. `timeout_s` is how long the whole may take (None: the command's
        own time). An error before the first item is raised: TransientError `not_connected`, PermanentError `forbidden`
        and so on; a later one is the last answer.
        """
        body: Json = {"command": command, "arguments": dict(arguments)}
        if timeout_s is not None:
            body["timeoutS"] = timeout_s
        headers = {"Accept": "application/x-ndjson"}
        request = Request("POST", f"/v1/clusters/{cluster}/commands", json=body, headers=headers)
        async with self._transport.open(request) as response:
            async for line in _lines(response.content):
                yield _object(line)

    @contextlib.asynccontextmanager
    async def channel(self, cluster: str) -> AsyncIterator[Channel]:
        """Open the inspector's channel; one try, the caller backs off (with jitter)."""
        path = f"/v1/clusters/{cluster}/channel"
        async with self._transport.websocket(path, message_max_bytes=MESSAGE_MAX_BYTES) as socket:
            yield Channel(socket)

    # the backend itself

    async def audit(self, query: Query | None = None, cursor: str = "", limit: int = 100) -> Page:
        """Return a page of the audit, newest first."""
        return await self._page("/v1/audit", {**(query or {}), "cursor": cursor or None, "limit": limit})

    async def keys(self) -> list[Json]:
        """Return API keys: `id`, `name`, `scopes`, `createdAt`, `lastUsedAt`; never a key itself."""
        return (await self._page("/v1/keys", {})).items

    async def create_key(self, name: str, scopes: list[str], labels: Mapping[str, str] | None = None) -> Json:
        """Make a key; the answer is the only time that `key` is shown."""
        request = Request("POST", "/v1/keys", json={"name": name, "scopes": scopes, "labels": dict(labels or {})})
        return _object(await self._transport.ask(request, repeat=False))

    async def delete_key(self, identity: str) -> None:
        """Revoke a key."""
        await self._transport.ask(Request("DELETE", f"/v1/keys/{identity}"))

    async def whoami(self) -> Json:
        """Return `name` and `scopes` of the key in use, and the backend's `version`: whether all is well."""
        return await self._get("/v1/whoami")

    # any resource by its path, for verbs that treat all kinds alike

    async def listed(self, path: str, query: Query, limit: int) -> list[Json]:
        """Return at most `limit` items of a list, over as many pages as that takes."""
        paged = path not in ("/v1/clusters", "/v1/keys", "/v1/testconfigs") and not path.startswith("/v1/rules/")
        found: list[Json] = []
        cursor = ""
        while True:
            more: Query = {"limit": min(limit - len(found), 1000), "cursor": cursor or None} if paged else {}
            page = await self._page(path, {**query, **more})
            found += page.items
            cursor = page.cursor
            if not cursor or len(found) >= limit:
                return found[:limit]

    async def document(self, path: str) -> Json:
        """Return the document of a resource."""
        return await self._get(path)

    async def put_document(self, path: str, document: Mapping[str, Any]) -> None:
        """Store the document of a resource."""
        await self._put(path, document)

    async def delete(self, path: str) -> None:
        """Delete a resource."""
        await self._transport.ask(Request("DELETE", path))

    async def _get(self, path: str) -> Json:
        return _object(await self._transport.ask(Request("GET", path)))

    async def _put(self, path: str, document: Mapping[str, Any]) -> None:
        await self._transport.ask(Request("PUT", path, json=dict(document)))

    async def _page(self, path: str, query: Query) -> Page:
        document = _object(await self._transport.ask(Request("GET", path, query)))
        items = document.get("items")
        if not isinstance(items, list):
            raise PeerError("malformed", f"{path}: no list of items")
        return Page(items, str(document.get("cursor") or ""))


def _in_path(uuid: str) -> str:
    """Return a pair's uuid (base64 in records) as it stands in a path."""
    return uuid.replace("+", "-").replace("/", "_")


def _object(data: bytes) -> Json:
    try:
        document = orjson.loads(data or b"{}")
    except ValueError as error:
        raise PeerError("malformed", "the answer is no JSON") from error
    if not isinstance(document, dict):
        raise PeerError("malformed", "the answer is no JSON object")
    return document


async def _lines(content: Any) -> AsyncIterator[bytes]:
    """Yield the lines of a body; TransientError when it breaks off inside one."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > MESSAGE_MAX_BYTES:
            raise PeerError("malformed", "a line is too long")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        raise TransientError("the answer broke off", 0.0)
