"""Files that come late and change: certificates, tokens, keys and rules of a mounted Secret or ConfigMap.

Used by every service that reads such a file. A Secret may be absent when a pod starts, and kubelet swaps its folder
while the pod runs, so nobody keeps what a file said at the start:

    token = Watched(Path("/etc/ssl/speedscale/token"), read_text)
    ...
    token.get()      # the last good content, None before there was one; looks at the file at most once a second
    token.reason     # None while the newest is used, else why it is not

Invariants: the last good content stays when the newest is missing or bad; `load` runs again only when the file
became another one, or did not do the last time; a failure is logged when it begins or changes, never at each look,
and never with content. Blocking reads of small files: not for files of megabytes. No policy here: whether a missing
file stops anything is the caller's to say, and what is done about a change is `generation`'s.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from speedscale_schemas.errors import ConfigError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

T = TypeVar("T")
LOOK_S = 1.0

log = structlog.get_logger()


class Stale(StrEnum):
    """Why the newest content of a file is not used; fit for a metric's label."""

    MISSING = "missing"  # it is not there (yet)
    UNREADABLE = "unreadable"  # permissions, a folder in its place, a fault of the disk
    INVALID = "invalid"  # `load` refused what is in it


class Watched(Generic[T]):
    """One file, or a few that only make sense together, and what `load` made of it."""

    def __init__(
        self,
        path: Path | str,
        load: Callable[[Path], T],
        clock: Callable[[], float] = time.monotonic,
        *,
        beside: tuple[Path | str, ...] = (),
        every_s: float = LOOK_S,
    ) -> None:
        """`load` is given `path`; Its OSError, ValueError and ConfigError mean that the content does not do.

        `beside` are further files that `load` reads, such as the key of a certificate: a change of one is a change.
        Nothing is read before the first `get`.
        """
        self.path = Path(path)
        self._paths = (self.path, *(Path(p) for p in beside))
        self._load = load
        self._clock = clock
        self._every_s = every_s
        self._look_at = float("-inf")
        self._identity: tuple[object, ...] | None = None
        self._value: T | None = None
        self._lock = threading.Lock()
        self._logged: Stale | None = None
        self.reason: Stale | None = Stale.MISSING
        self.generation = 0  # grows with each content taken

    def get(self) -> T | None:
        """Return the last good content, None while there was none."""
        now = self._clock()
        if now < self._look_at:
            return self._value
        with self._lock:
            if now >= self._look_at:
                self._look_at = now + self._every_s
                self._look()
        return self._value

    def _look(self) -> None:
        try:
            identity = tuple(_identity(path) for path in self._paths)
            if identity == self._identity and self.reason is None:
                return
            value = self._load(self.path)
        except FileNotFoundError as error:
            self._failed(Stale.MISSING, error)
        except OSError as error:
            self._failed(Stale.UNREADABLE, error)
        except (ValueError, ConfigError) as error:
            self._failed(Stale.INVALID, error)
        else:
            self._taken(identity, value)

    def _taken(self, identity: tuple[object, ...], value: T) -> None:
        if self.generation:
            log.info("file_read_again", path=str(self.path))
        elif self._logged is not None:
            log.info("file_appeared", path=str(self.path))
        self._identity, self._value = identity, value
        self.reason = self._logged = None
        self.generation += 1

    def _failed(self, reason: Stale, error: Exception) -> None:
        self.reason = reason
        if reason is not self._logged:
            self._logged = reason
            # Not the error's text where content was refused: a parser may quote what it choked on.
            why = os.strerror(error.errno or 0) if isinstance(error, OSError) else type(error).__name__
            kept = self._value is not None
            log.warning("file_not_used", path=str(self.path), reason=reason.value, error=why, last_good_kept=kept)


def _identity(path: Path) -> tuple[int, ...]:
    """Return what differs between two contents: a swapped folder gives another inode, a rewrite another time."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_text(path: Path) -> str:
    """Return the text of a file without surrounding blanks: tokens, keys. ValueError when there is none in it."""
    text = path.read_text("utf-8").strip()
    if not text:
        raise ValueError("empty")
    return text


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. ValueError when it is empty: a Secret's key that nobody has filled yet."""
    data = path.read_bytes()
    if not data:
        raise ValueError("empty")
    return data


def export(registry: CollectorRegistry, service: str, files: Mapping[str, Watched[object]]) -> None:
    """Show in `speedscale_<service>_file_stale{file, reason}` (1 or 0) why the newest content is not used.

    `files` are named by purpose (`token`, `authority`), never by path.
    """
    from prometheus_client.core import GaugeMetricFamily

    class Collector:
        def collect(self) -> Iterator[Metric]:
            family = GaugeMetricFamily(
                f"speedscale_{service}_file_stale",
                "1 while the newest content of a watched file is not used, by reason",
                labels=["file", "reason"],
            )
            for name, watched in files.items():
                watched.get()
                for reason in Stale:
                    family.add_metric([name, reason.value], float(watched.reason is reason))
            yield family

    registry.register(Collector())
