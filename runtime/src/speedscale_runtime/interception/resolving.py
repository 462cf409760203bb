"""Host names to addresses, all at once and within a bound. Used by the programs, once, when rules are written.

A name that a server says does not exist is `unknown`; one that nobody could tell about in time is `unanswered`. The
difference matters to routes: an unknown name leads the application nowhere, an unanswered one may later lead it to the
real service.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from .model import Address

_WORKERS: Final = 16
_AGAIN_S: Final = 0.5
_UNKNOWN: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

Lookup = Callable[[str], Iterable[Address]]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Addresses by name, and names without any, each with why."""

    addresses: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)


def system(name: str) -> list[Address]:
    """Return every address that the system's resolver has for a name; raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]


def resolve(
    names: Iterable[str],
    timeout_s: float,
    *,
    lookup: Lookup = system,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Resolved:
    """Return what the names resolve to; what is not known after `timeout_s` is unanswered."""
    wanted = list(dict.fromkeys(names))
    work: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, tuple[Address, ...], str, bool]] = queue.SimpleQueue()
    for name in wanted:
        work.put(name)
    deadline = clock() + timeout_s

    def worker() -> None:
        while True:
            try:
                name = work.get_nowait()
            except queue.Empty:
                return
            answers.put((name, *_one(name, deadline, lookup, clock, pause)))

    for _ in range(min(_WORKERS, len(wanted))):
        threading.Thread(target=worker, daemon=True).start()  # one that hangs must not keep the program from ending
    result = Resolved()
    left = dict.fromkeys(wanted)
    while left:
        try:
            name, addresses, why, known = answers.get(timeout=max(deadline - clock(), 0.01))
        except queue.Empty:
            if clock() < deadline:
                continue
            break
        left.pop(name, None)
        if addresses:
            result.addresses[name] = addresses
        else:
            (result.unknown if known else result.unanswered)[name] = why
    result.unanswered.update(dict.fromkeys(left, f"no answer within {timeout_s:g} s"))
    return result


def _one(
    name: str, deadline: float, lookup: Lookup, clock: Callable[[], float], pause: Callable[[float], None]
) -> tuple[tuple[Address, ...], str, bool]:
    """Return addresses, else why there are none and whether that is certain; asks again while a server has trouble."""
    while True:
        try:
            found = lookup(name)
            return tuple(sorted(set(found), key=lambda a: (a.version, int(a)))), "it has no address", True
        except socket.gaierror as error:
            why = str(error.strerror or error)
            if error.errno in _UNKNOWN:
                return (), why, True
        except (OSError, UnicodeError) as error:
            return (), str(error), isinstance(error, UnicodeError)
        if clock() + _AGAIN_S >= deadline:
            return (), why, False
        pause(_AGAIN_S)
