"""Which replay a request is of: a member of the W3C header `baggage`, which applications pass on to what they call.

The generator adds it to each test, the responder looks for it in what the application asks of mocks: so a report tells
calls that the tests caused from those of others who use the workload meanwhile. OpenTelemetry's SDKs and agents pass
baggage on as they come; it decides nothing about sampling, as `traceparent` does. Pure.
Source: W3C Baggage, 3.2 and 3.3 (limits of propagation).
"""

from __future__ import annotations

from urllib.parse import quote

HEADER = "baggage"
KEY = "speedscale-replay"
_BYTES_MAX = 8192


def member(replay: str) -> str:
    """Return the member that names a replay by its report's id."""
    return f"{KEY}={quote(replay, safe='')}"


def added(recorded: str, own: str) -> str:
    """Return a header's value with the member `own`, and without that of an earlier replay, which was recorded.

    Where all of it would be longer than what has to be passed on (8,192 bytes), `own` gives way: what was recorded
    is the application's.
    """
    kept = [part.strip() for part in recorded.split(",") if part.strip() and part.partition("=")[0].strip() != KEY]
    whole = ",".join([*kept, own])
    return whole if len(whole) <= _BYTES_MAX else ",".join(kept)


def bears(value: bytes, own: bytes) -> bool:
    """Say whether a header's value has the member `own`, with whatever properties and spaces on its way."""
    if own.partition(b"=")[0] not in value:
        return False
    return any(b"".join(part.partition(b";")[0].split()) == own for part in value.split(b","))
