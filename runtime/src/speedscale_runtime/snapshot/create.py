"""Make a snapshot: select pairs, order them, derive tests and mocks, write them under an id that follows from them.

The same pairs in whatever order give the same files, byte for byte. Lines wait on disk while they are sorted, so
memory does not grow with bodies. Nothing is left behind when it fails.
"""

from __future__ import annotations

import builtins
import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair, jsonform
from speedscale_runtime.rrpair.recording import Entry
from speedscale_runtime.signatures import keys
from speedscale_runtime.signatures.http import mapping
from speedscale_schemas.errors import ConfigError

from . import layout
from .reader import Snapshot
from .reader import open as open_snapshot
from .selection import Selection, Skip, begun_ns, unusable
from .traffic import Traffic, key_of

PAIRS_MAX = 200_000


class _Line(NamedTuple):
    """One selected pair on disk; sorting these is sorting the snapshot."""

    at_ns: int
    sequence: int
    sha256: bytes
    offset: int
    length: int


def create(pairs: Iterable[Entry | RRPair], selection: Selection, out: Path) -> Snapshot:
    """Write the snapshot `out/<id>/` and open it; an equal one that is there already is left as it is.

    `pairs` may hold broken entries (`rrpair.recording.read`): they are listed in the snapshot with the reason.
    ConfigError when nothing is selected, or more than PAIRS_MAX pairs.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".snapshot-", dir=out))
    try:
        maker = _Maker(work, selection)
        maker.collect(pairs)
        identity = maker.write()
        target = out / identity
        if not target.exists():
            os.chmod(work, 0o755)
            os.replace(work, target)
        return open_snapshot(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Maker:
    def __init__(self, work: Path, selection: Selection) -> None:
        self._work, self._selection = work, selection
        self._lines: list[_Line] = []
        self._skipped: list[dict[str, Any]] = []
        self._traffic = {"IN": Traffic(), "OUT": Traffic()}
        self._services: set[str] = set()
        self._namespaces: set[tuple[str, str]] = set()
        self._seen: Counter[bytes] = Counter()
        self._sizes: dict[str, int] = {}

    def collect(self, pairs: Iterable[Entry | RRPair]) -> None:
        """Read and select; selected pairs rest in a file until all are known."""
        with builtins.open(self._work / "unsorted", "wb") as store:
            for item in pairs:
                if isinstance(item, RRPair):
                    self._take(item, "", store)
                elif item.pair is None:
                    self._skip(
                        Skip.BROKEN, f"{item.path.name}:{item.line}" if item.line else item.path.name, item.error
                    )
                else:
                    self._take(item.pair, item.path.name, store)
        if not self._lines:
            raise ConfigError(["no pair was selected; widen service, time range or filter, or check the recording"])

    def _take(self, pair: RRPair, name: str, store: BinaryIO) -> None:
        at_ns = begun_ns(pair)
        if at_ns is None:
            self._skip(Skip.NO_TIME, name, f"ts is {pair.doc.get('ts')!r}")
            return
        if not self._selection.keeps(pair, at_ns):
            return
        if len(self._lines) >= PAIRS_MAX:
            limit = f"more than {PAIRS_MAX:,} pairs selected; narrow the selection by service, time range or filter"
            raise ConfigError([limit])
        line = jsonform.dumps_line(pair).rstrip(b"\n") + b"\n"
        sequence = str(mapping(pair.doc.get("tags")).get("sequence") or "0")
        number = int(sequence) if sequence.isdecimal() and len(sequence) < 19 else 0
        self._lines.append(_Line(at_ns, number, hashlib.sha256(line).digest(), store.tell(), len(line)))
        store.write(line)

    def _skip(self, reason: Skip, name: str, detail: str, uuid: object = None) -> None:
        self._skipped.append({"reason": reason.value, "file": name, "uuid": uuid, "detail": detail})

    def write(self) -> str:
        """Write the snapshot's files into the work folder; return the id."""
        self._lines.sort()
        unsorted = self._work / "unsorted"
        with (
            builtins.open(unsorted, "rb") as store,
            _Sink(self._work / layout.RAW) as raw,
            _Sink(self._work / layout.TESTS) as tests,
            _Sink(self._work / layout.MOCKS) as mocks,
            _Sink(self._work / layout.SKIPPED) as skipped,
        ):
            for line in self._lines:
                store.seek(line.offset)
                data = store.read(line.length)
                raw.write(data)
                self._sort_in(jsonform.loads(data), tests, mocks)
            for entry in sorted(self._skipped, key=orjson.dumps):
                skipped.write(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
        unsorted.unlink()
        digests = {sink.name: sink.sha256.digest() for sink in (raw, tests, mocks, skipped)}
        self._sizes = {sink.name: sink.size for sink in (raw, tests, mocks, skipped)}
        manifest = self._manifest()
        identity = layout.identity(manifest, digests)
        (self._work / layout.MANIFEST).write_bytes(layout.manifest_bytes({**manifest, "id": identity}))
        created = {"createdAt": datetime.now(UTC).isoformat(), "version": version("speedscale-runtime")}
        (self._work / layout.CREATED).write_bytes(layout.manifest_bytes(created))
        return identity

    def _sort_in(self, pair: RRPair, tests: _Sink, mocks: _Sink) -> None:
        self._services.add(str(pair.doc.get("service") or pair.doc.get("resource") or ""))
        self._namespaces.add((str(pair.doc.get("cluster") or ""), str(pair.doc.get("namespace") or "")))
        why = unusable(pair)
        if why is not None:
            self._skip(why, "", str(key_of(pair)), pair.doc.get("uuid"))
            return
        if not pair.doc.get("signature"):
            signatures.annotate(pair)
        self._traffic[pair.direction].add(pair)
        if pair.direction == "IN":
            tests.write(jsonform.dumps_line(pair).rstrip(b"\n") + b"\n")
            return
        self._number(pair)
        mocks.write(jsonform.dumps_line(pair).rstrip(b"\n") + b"\n")

    def _number(self, pair: RRPair) -> None:
        """Give a mock its `instance`: which answer of its signature it is, from 0."""
        signature = signatures.recorded(pair)
        if keys.INSTANCE in signature:
            return
        digest = signatures.digest(signature)
        signature[keys.INSTANCE] = str(self._seen[digest]).encode()
        self._seen[digest] += 1
        pair.doc["signature"] = signatures.to_document(signature)

    def _manifest(self) -> dict[str, Any]:
        chosen = self._selection
        first, last = self._lines[0].at_ns, self._lines[-1].at_ns
        services = sorted(self._services)
        return {
            "meta": {
                "name": chosen.name,
                "serviceName": services[0] if len(services) == 1 else ",".join(chosen.services),
                "services": services,
                "namespaces": [{"inspector": {"clusterName": c}, "name": n} for c, n in sorted(self._namespaces)],
                "startTime": chosen.start.isoformat() if chosen.start else _instant(first),
                "endTime": chosen.end.isoformat() if chosen.end else _instant(last),
            },
            "status": "Complete",
            "tokenConfigId": "standard",
            "tokenizerConfig": {"id": "standard", "name": "standard"},
            "recordsProcessed": str(len(self._lines)),
            "filter_expression": dict(chosen.rule_document),
            "skipped": dict(sorted(Counter(entry["reason"] for entry in self._skipped).items())),
            "tags": {name: str(size) for name, size in self._sizes.items()},
            "inTraffic": self._traffic["IN"].document(),
            "outTraffic": self._traffic["OUT"].document(),
        }


class _Sink:
    """A file that is hashed as it is written."""

    def __init__(self, path: Path) -> None:
        self.name, self.size, self.sha256 = path.name, 0, hashlib.sha256()
        self._file = builtins.open(path, "wb")  # noqa: SIM115

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.sha256.update(data)
        self.size += len(data)


def _instant(at_ns: int) -> str:
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"
