"""The responder's side of a transform set: over recorded and live requests alike, and over answers.

Requests go through it before their signatures are compared, answers before they go out. Called by server and
loader when a set has responder chains. `store_sig` and `delete_sig` change the signature that the changed request
has.
"""

from __future__ import annotations

from collections.abc import Mapping

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run


class Chains:
    """One transform run for all requests of a responder."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def signature(self, pair: RRPair, start: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the signature of a request after the chains; `start` is the one before them."""
        pair.doc["signature"] = signatures.to_document(start)
        made = self._run.request(pair)
        if made is pair:
            return dict(start)
        after = signatures.recorded(made)
        changed = {**start, **signatures.signature(made)} if _differs(made, pair) else dict(start)
        for key in start.keys() - after.keys():
            changed.pop(key, None)
        changed.update({key: value for key, value in after.items() if start.get(key) != value})
        return changed

    def answer(self, recorded: RRPair) -> RRPair:
        """Return the recorded pair with the answer as it goes out."""
        return self._run.response(recorded, recorded)

    def delay_ms(self) -> float:
        """Return what the last request's `sleep` asked for."""
        return self._run.delay_ms


def _differs(made: RRPair, pair: RRPair) -> bool:
    return signatures.request_of(made) != signatures.request_of(pair)
