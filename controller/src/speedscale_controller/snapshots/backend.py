"""Snapshots and test configs of the backend (`speedscale-cloud`), as far as the operator has to know them, and how
replays ended.

A snapshot of the backend may be of any size, so it is never held: its archive is read once as a stream, for the
manifest and the Secrets that it asks for, and pods get the snapshot itself through the replay's collector. What is
content-addressed does not change, so an index is kept. The one client here with an API
key; proxies are the environment's.
"""

from __future__ import annotations

import json
import ssl
import tarfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from speedscale_schemas.errors import ConfigError, PermanentError, TransientError

from .index import MANIFEST, MOCKS, TESTS, SnapshotIndex, placeholders, read_index
from .sources import Found, SnapshotError

MANIFEST_MAX: Final = 16 * 1024 * 1024
ANSWER_MAX: Final = 8 * 1024 * 1024
ARCHIVE_MAX: Final = 16 << 30
SECRETS_MAX: Final = 1000
KEPT: Final = 64
CONNECT_S, READ_S = 5.0, 30.0
_PIECE, _OVERLAP = 1 << 20, 1024
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


class BackendAwayError(TransientError):
    """The backend cannot be asked now: whoever has what it needs goes on without."""


class Backend:
    """One backend. `authority` gives the root of its certificate (PEM), empty for the public ones; asked each time."""

    def __init__(self, url: str, key: str, authority: Callable[[], bytes]) -> None:
        self.url = (url if "://" in url else f"https://{url}").rstrip("/")
        self._key, self._authority = key, authority
        self._known: OrderedDict[str, SnapshotIndex] = OrderedDict()

    def find(self, id_: str, namespace: str) -> Found | None:
        """Return a snapshot of the backend; its files stay there."""
        index = self._known.get(id_)
        if index is None:
            answer = self._ask(f"/v1/snapshots/{quote(id_, safe='')}/archive")
            if answer is None:
                return None
            with answer:
                index = self._index(id_, answer)
            self._known[id_] = index
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return Found(id_, f"backend {self.url}", {}, indexed=index)

    def newest(self, namespace: str) -> tuple[str, str] | None:
        """Return when the backend's newest snapshot was made, and its id."""
        found = self._document("/v1/snapshots/latest")
        if not found or not found.get("id"):
            return None
        return str(found.get("createdAt") or ""), str(found["id"])

    def ids(self, namespace: str) -> tuple[str, ...]:
        """Return ids of the newest hundred."""
        items = (self._document("/v1/snapshots?limit=100") or {}).get("items") or ()
        return tuple(str(item["id"]) for item in items if isinstance(item, Mapping) and item.get("id"))

    def test_config(self, id_: str) -> Mapping[str, Any] | None:
        """Return a test config, None when the backend has none of this id."""
        return self._document(f"/v1/testconfigs/{quote(id_, safe='')}")

    def put_replay(self, id_: str, entry: Mapping[str, Any]) -> None:
        """Say how a replay ended. TransientError while the backend is away, PermanentError for what it refuses."""
        answer = self._ask(f"/v1/replays/{quote(id_, safe='')}", entry)
        if answer is None:
            raise PermanentError("BackendRefused", f"{self.url} takes no replays (404)")
        answer.close()

    def _document(self, path: str) -> Mapping[str, Any] | None:
        answer = self._ask(path)
        if answer is None:
            return None
        with answer:
            try:
                data = answer.raw.read(ANSWER_MAX, decode_content=True)
                found = json.loads(data)
            except ValueError as error:
                raise PermanentError("BackendUnusable", f"{self.url}{path}: the answer is no JSON") from error
            except (requests.RequestException, OSError) as error:
                raise BackendAwayError(f"{self.url}: {type(error).__name__}") from error
        return found if isinstance(found, Mapping) else None

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> requests.Response | None:
        """Return the answer to GET, or to PUT where there is a body; None for 404.

        TransientError while the backend is away, PermanentError for what it refuses.
        """
        session = requests.Session()
        session.mount("https://", _Trusting(self._authority()))
        try:
            headers = {"Authorization": f"Bearer {self._key}", "User-Agent": "speedscale-operator"}
            verb, url = "GET" if body is None else "PUT", self.url + path
            answer = session.request(verb, url, json=body, headers=headers, timeout=(CONNECT_S, READ_S), stream=True)
        except requests.exceptions.SSLError as error:
            raise PermanentError("BackendUnusable", f"{self.url}: its certificate is not trusted: {error}") from error
        except requests.RequestException as error:
            raise BackendAwayError(f"{self.url}: {type(error).__name__}", 2.0) from error
        if answer.status_code == 404:
            answer.close()
            return None
        if answer.status_code in _BUSY:
            answer.close()
            raise BackendAwayError(f"{self.url}: {answer.status_code}", 2.0)
        if answer.status_code not in (200, 204):
            text = answer.raw.read(500, decode_content=True).decode("utf-8", "replace")
            answer.close()
            raise PermanentError("BackendRefused", f"{self.url}{path}: {answer.status_code}: {' '.join(text.split())}")
        return answer

    def _index(self, id_: str, answer: requests.Response) -> SnapshotIndex:
        """Read an archive as it comes: the manifest, and what its pairs ask for of Secrets."""
        where = f"backend {self.url}: snapshot {id_}"
        answer.raw.decode_content = True
        files: dict[str, bytes] = {}
        secrets: set[tuple[str, str]] = set()
        try:
            with tarfile.open(fileobj=answer.raw, mode="r|*") as tar:
                left = ARCHIVE_MAX
                for member in tar:
                    left -= member.size
                    stream = tar.extractfile(member) if member.isfile() else None
                    if stream is None:
                        continue
                    if left < 0:
                        raise SnapshotError(f"{where}: more than {ARCHIVE_MAX:,} bytes")
                    name = member.name.rpartition("/")[2]
                    files[name] = _scan(stream, secrets, keep=MANIFEST_MAX if name == MANIFEST else 0)
        except (tarfile.TarError, EOFError) as error:
            raise SnapshotError(f"{where}: no readable tar: {error}") from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise BackendAwayError(f"{where}: broke off: {type(error).__name__}", 2.0) from error
        try:
            index = read_index({name: files[name] for name in (MANIFEST, TESTS, MOCKS) if name in files}, where)
        except ConfigError as error:
            raise SnapshotError("; ".join(error.problems)) from error
        if index.id != id_:
            raise SnapshotError(f"{where}: the backend gave snapshot {index.id} instead")
        asked = tuple(sorted({*secrets, *index.secrets}))
        return SnapshotIndex(index.id, index.name, index.tests, index.mocks, asked)


def _scan(stream: IO[bytes], secrets: set[tuple[str, str]], *, keep: int) -> bytes:
    """Gather the placeholders of a file, piece by piece; return its first `keep` bytes."""
    kept, before = b"", b""
    while data := stream.read(_PIECE):
        if len(kept) < keep:
            kept += data[: keep - len(kept)]
        for pair in placeholders(before + data):
            if len(secrets) < SECRETS_MAX:
                secrets.add(pair)
        before = data[-_OVERLAP:]  # one may stand across two pieces
    return kept


class _Trusting(HTTPAdapter):
    """Connections that trust one root only; without one, the public roots."""

    def __init__(self, authority: bytes) -> None:
        self._context = ssl.create_default_context(cadata=authority.decode("ascii")) if authority else None
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        if self._context is not None:
            more["ssl_context"] = self._context
        super().init_poolmanager(*args, **more)


def in_cluster(url: str, namespace: str) -> bool:
    """Say whether this is the backend that the installation runs itself."""
    host = urlsplit(url if "://" in url else f"https://{url}").hostname or ""
    return host in (f"speedscale-cloud.{namespace}.svc", f"speedscale-cloud.{namespace}.svc.cluster.local")


__all__ = ["Backend", "BackendAwayError", "in_cluster"]
