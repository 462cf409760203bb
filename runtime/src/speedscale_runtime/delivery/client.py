"""The client of a replay's collector: results out, snapshot in; TLS by our own root, a token of the namespace.

Blocking, with the standard library only; asynchronous services call it in a thread. Root and token are files that may
come late and change: both are read anew for each attempt. Repeated until a deadline, with pauses that double and are
jittered, or as long as the collector asks (Retry-After); what is refused for good is not repeated.
"""

from __future__ import annotations

import http.client
import random
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from speedscale_schemas.errors import ConfigError, PermanentError, TransientError

from . import archive
from .pauses import retry_after

CONTENT_TYPE = "application/zstd"
_FIRST_S, _LONGEST_S = 0.5, 10.0
_DETAIL_MAX = 2000


class Refusal(StrEnum):
    """Why an attempt failed; label of metrics."""

    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    NO_IDENTITY = "no_identity"
    BUSY = "busy"
    REFUSED = "refused"
    DISK = "disk"


class Upload(StrEnum):
    """How an upload ended; label of metrics."""

    STORED = "stored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after_s: float
    detail: str


class Collector:
    """One collector, at `url` (https, host and perhaps port). `clock` and `wait` (seconds → was stopped) are monotonic.

    `refused` is told of each attempt that failed, for a counter.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path,
        token_file: Path,
        *,
        timeout_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
        refused: Callable[[Refusal], None] = lambda why: None,
    ) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port or 443
        except ValueError as error:
            raise ConfigError([f"COLLECTOR_URL: {url!r}: {error}"]) from None
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ConfigError([f"COLLECTOR_URL: {url!r}: expected an address such as https://collector.example.svc"])
        self._host, self._port = parts.hostname, port
        self._ca_file, self._token_file, self._timeout_s = ca_file, token_file, timeout_s
        self._clock, self._refused = clock, refused
        self._wait = wait or threading.Event().wait

    def upload(self, folder: Path, path: str, deadline_s: float) -> None:
        """PUT a folder's files, packed once, until they are stored; TransientError or PermanentError says why not."""
        # beside the results: /tmp of a pod is small
        with tempfile.TemporaryFile(dir=folder if folder.is_dir() else None) as packed:
            archive.pack(folder, packed)
            size = packed.tell()

            def send(connection: http.client.HTTPSConnection, headers: dict[str, str]) -> http.client.HTTPResponse:
                packed.seek(0)
                own = {"Content-Type": CONTENT_TYPE, "Content-Length": str(size)}
                connection.request("PUT", path, body=packed, headers={**headers, **own})
                return connection.getresponse()

            self._until(deadline_s, send, lambda answer: None)

    def fetch(self, path: str, into: Path, deadline_s: float) -> Mapping[str, str]:
        """GET a file, whole or not at all; return the answer's headers (lower case). Errors as of `upload`."""
        part = into.with_name(f".{into.name}.part")

        def send(connection: http.client.HTTPSConnection, headers: dict[str, str]) -> http.client.HTTPResponse:
            connection.request("GET", path, headers=headers)
            return connection.getresponse()

        def keep(answer: http.client.HTTPResponse) -> None:
            with part.open("wb") as file:
                _copy(answer, file)
            part.replace(into)

        try:
            return self._until(deadline_s, send, keep)
        finally:
            part.unlink(missing_ok=True)

    def _until(
        self,
        deadline_s: float,
        send: Callable[[http.client.HTTPSConnection, dict[str, str]], http.client.HTTPResponse],
        keep: Callable[[http.client.HTTPResponse], None],
    ) -> Mapping[str, str]:
        end = self._clock() + deadline_s
        pause = _FIRST_S
        while True:
            try:
                return self._once(min(self._timeout_s, max(1.0, end - self._clock())), send, keep)
            except TransientError as error:
                wait_s = max(error.retry_after_s, pause * random.uniform(0.5, 1.0))
                pause = min(_LONGEST_S, pause * 2)
                left = end - self._clock()
                if left <= 0 or self._wait(min(wait_s, left)):
                    raise TransientError(f"{error.reason}; gave up after {deadline_s:g} s") from error

    def _once(
        self,
        timeout_s: float,
        send: Callable[[http.client.HTTPSConnection, dict[str, str]], http.client.HTTPResponse],
        keep: Callable[[http.client.HTTPResponse], None],
    ) -> Mapping[str, str]:
        where = f"collector {self._host}:{self._port}"
        headers, context = self._identity(where)
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)
        try:
            response = send(connection, headers)
            if response.status < 300:
                keep(response)
                return {name.lower(): value for name, value in response.getheaders()}
            answer = _answer(response)
        except ssl.SSLCertVerificationError as error:
            self._refused(Refusal.UNTRUSTED)
            raise TransientError(f"{where}: its certificate is not trusted: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            self._refused(Refusal.UNREACHABLE)
            raise TransientError(f"{where}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        raise self._error(where, answer)

    def _error(self, where: str, answer: _Answer) -> Exception:
        said = f"{where}: {answer.status}: {answer.detail}".rstrip(": ")
        if answer.status in (401, 403, 408, 429) or answer.status >= 500:  # a token may be on its way
            self._refused(Refusal.BUSY if answer.status in (408, 429, 503) else Refusal.REFUSED)
            return TransientError(said, answer.retry_after_s)
        self._refused(Refusal.REFUSED)
        return PermanentError("refused", said)

    def _identity(self, where: str) -> tuple[dict[str, str], ssl.SSLContext]:
        try:
            token = self._token_file.read_text("ascii").strip()
            context = ssl.create_default_context(cafile=str(self._ca_file))
        except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
            self._refused(Refusal.NO_IDENTITY)
            files = f"{self._ca_file}, {self._token_file}"
            raise TransientError(f"{where}: root or token cannot be read ({files}): {error}") from error
        return {"Authorization": f"Bearer {token}"}, context


def collector_of(
    values: Mapping[str, Any], refused: Callable[[Refusal], None] = lambda why: None, **options: Any
) -> Collector | None:
    """Return the collector that COLLECTOR_URL, COLLECTOR_CA_FILE and COLLECTOR_TOKEN_FILE name; None without a URL.

    `values` are settings that were read. ConfigError for an address that is none.
    """
    url = str(values["COLLECTOR_URL"])
    if not url:
        return None
    ca_file, token_file = Path(values["COLLECTOR_CA_FILE"]), Path(values["COLLECTOR_TOKEN_FILE"])
    return Collector(url, ca_file, token_file, refused=refused, **options)


def _answer(response: http.client.HTTPResponse) -> _Answer:
    text = response.read(_DETAIL_MAX).decode("utf-8", "replace")
    return _Answer(response.status, retry_after(response.getheader("Retry-After")), " ".join(text.split()))


def _copy(answer: http.client.HTTPResponse, file: BinaryIO) -> None:
    shutil.copyfileobj(answer, file, 1 << 20)
    if answer.length:  # http.client keeps what is still owed
        raise http.client.IncompleteRead(b"", answer.length)
