"""A quick no: whether a rule could match a captured frame at all, from the bytes of its head.

Called by the forwarder for every frame, before the head is parsed: nearly all traffic is not what a rule is after.
A rule that only asks for texts (EQUAL, CONTAINS, nothing excluded) can match only where one of them stands in the
head. JSON may write a text in other ways, so a head with an escape or a character beyond ASCII is never refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import hyperscan

_FLAGS = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_CASELESS


def quick_no(texts: Iterable[str]) -> Callable[[bytes], bool]:
    """Return a predicate over heads: False only where none of the texts, in any letter case, can stand in it."""
    wanted = sorted({t.lower().encode("utf-8", "replace") for t in texts})
    if not wanted or not all(wanted):
        return lambda head: True
    database = hyperscan.Database()
    database.compile(expressions=wanted, flags=[_FLAGS] * len(wanted), literal=True)
    scan = database.scan
    local = threading.local()  # a scratch space must not be used by two threads at once

    def possible(head: bytes) -> bool:
        if b"\\" in head or not head.isascii():
            return True
        scratch = getattr(local, "scratch", None)
        if scratch is None:
            scratch = local.scratch = hyperscan.Scratch(database)
        try:
            scan(head, _stop, 0, None, scratch)
        except hyperscan.ScanTerminated:
            return True
        return False

    return possible


def _stop(expression: int, start: int, end: int, flags: int, context: object) -> bool:
    return True
