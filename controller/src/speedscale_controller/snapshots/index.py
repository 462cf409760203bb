"""What is in a snapshot, as far as a replay has to know: the traffic by key, hosts and ports, Secrets it asks for.

Pure: files in, an index out. The files' layout is that of the data plane's snapshots (`snapshot.json`, `action.jsonl`,
`reaction.jsonl`); the manifest has the summary, so that the pairs themselves are only searched for placeholders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.snapshot_keys import parse_key
from speedscale_schemas.validation import check

MANIFEST: Final = "snapshot.json"
TESTS: Final = "action.jsonl"
MOCKS: Final = "reaction.jsonl"
KEYS_MAX: Final = 10_000
_SECRET = re.compile(rb"\$\{\{\s*secret:\s*([^/{}\s\\]{1,253})/([-._a-zA-Z0-9]{1,253})\s*\}\}")


@dataclass(frozen=True, slots=True)
class Traffic:
    """One key of a snapshot: who spoke, and with what host and port (0 when unknown). Hosts are in lower case."""

    key: str
    service: str
    host: str
    port: int
    protocol: str
    requests: int


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """`tests` and `mocks` by key, in the order of their keys; `secrets` are (name, key) pairs, sorted."""

    id: str
    name: str
    tests: Mapping[str, Traffic]
    mocks: Mapping[str, Traffic]
    secrets: tuple[tuple[str, str], ...]


def read_index(files: Mapping[str, bytes], source: str) -> SnapshotIndex:
    """Return the index of a snapshot's files; ConfigError with every problem, each naming `source`."""
    missing = [name for name in (MANIFEST, TESTS, MOCKS) if name not in files]
    if missing:
        raise ConfigError([f"{source}: {', '.join(missing)} missing; this is no whole snapshot"])
    try:
        manifest = json.loads(files[MANIFEST])
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{source}: {MANIFEST}: no JSON: {error}"]) from error
    problems = [str(p) for p in check("snapshot", manifest, source=f"{source}: {MANIFEST}")]
    if problems:
        raise ConfigError(problems[:10])
    tests = dict(_traffic(manifest, "inTraffic"))
    mocks = dict(_traffic(manifest, "outTraffic"))
    if len(tests) + len(mocks) > KEYS_MAX:
        raise ConfigError([f"{source}: {len(tests) + len(mocks)} keys of traffic; at most {KEYS_MAX} can be replayed"])
    secrets = sorted({pair for data in files.values() for pair in placeholders(data)})
    meta = manifest.get("meta") or {}
    return SnapshotIndex(str(manifest["id"]), str(meta.get("name", "")), tests, mocks, tuple(secrets))


def placeholders(data: bytes) -> Iterable[tuple[str, str]]:
    """Yield name and key of each `${{secret:name/key}}` in a text."""
    if b"secret:" not in data:
        return
    for match in _SECRET.finditer(data):
        yield match[1].decode("utf-8", "replace"), match[2].decode()


def _traffic(manifest: Mapping[str, Any], field: str) -> Iterator[tuple[str, Traffic]]:
    for key, entry in sorted((manifest.get(field) or {}).items()):
        try:
            named = parse_key(key)
            service, host, port = named.service, named.host, named.port
        except ValueError:  # another tool's key: its entry says what it means
            service, host, port = str(entry.get("name", "")), str(entry.get("hostname", "")), entry.get("port", 0)
        yield (
            key,
            Traffic(
                key,
                service,
                host.lower().rstrip("."),
                int(port),
                str(entry.get("protocol", "")).lower(),
                int(entry.get("numRequests", 0)),
            ),
        )
