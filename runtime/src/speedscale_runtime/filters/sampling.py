"""Samples of traffic: a fixed fraction, the same pairs every time.

Called by `criteria`. The choice hangs on the value of the session (or the uuid) alone: the same recording gives
the same sample in every process, and a session is in it as a whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b

from speedscale_runtime.rrpair import RRPair

_RATIO = re.compile(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*")


def parse_ratio(text: str) -> tuple[int, int]:
    """Return (keep, out of) of a text such as `1/5`; ValueError unless 0 ≤ keep ≤ out of and out of ≥ 1."""
    found = _RATIO.fullmatch(text)
    if not found:
        raise ValueError(f"sample {text!r}: expected two whole numbers such as 1/5")
    keep, total = int(found[1]), int(found[2])
    if total < 1 or keep > total:
        raise ValueError(f"sample {text!r}: expected a fraction from 0 to 1, such as 1/5")
    return keep, total


def sampler(keep: int, total: int, by: str) -> Callable[[RRPair], bool]:
    """Return a predicate that is true for `keep` of `total`; `by` is `session` (else uuid) or `rrpair` (uuid)."""
    whole_sessions = by == "session"

    def chosen(pair: RRPair) -> bool:
        doc = pair.doc
        key = (doc.get("session") if whole_sessions else None) or doc.get("uuid")
        if not key:
            key = f"{doc.get('ts')} {doc.get('network_address')} {doc.get('command')} {doc.get('location')}"
        digest = blake2b(str(key).encode("utf-8", "replace"), digest_size=8).digest()
        return int.from_bytes(digest, "big") * total >> 64 < keep

    return chosen
