"""Turn a failing pair into what is kept of it, and tell failures that are alike from others.

Called by `tally`. A failure keeps both sides as text, cut at `BODY_SHOWN`; `fingerprint` is equal for pairs that
fail in the same places, so that one of them is shown and the others are counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from speedscale_runtime.rrpair import RRPair

from .answer import Answer, Content, header_lists
from .assertions import Outcome
from .model import Difference, Failure, Message

BODY_SHOWN = 65_536
_DIFFERENCES = 50
_SLIM_DIFFERENCES = 5
_HEADER_SHOWN = 2_000
_HEX_SHOWN = 512
_INDEX = re.compile(r"\[\d*\]")

Fingerprint = tuple[Any, ...]


def fingerprint(outcomes: Iterable[Outcome], error: str) -> Fingerprint:
    """Return what pairs that fail alike have in common: the error, or the places (whatever the array index)."""
    if error:
        return ("error", error)
    places = {
        (d.place, _INDEX.sub("[]", d.path), d.kind, d.recorded if d.place == "status" else "", status_class(d))
        for outcome in outcomes
        for d in outcome.differences
        if d.fails
    }
    return tuple(sorted(places, key=repr))


def status_class(difference: Difference) -> str:
    """Return the replayed status of a difference in status: 500 and 404 are two kinds of failure."""
    return difference.replayed or "" if difference.place == "status" else ""


def failure(
    line: Mapping[str, Any],
    recorded: RRPair,
    replayed: RRPair | None,
    outcomes: Iterable[Outcome],
    *,
    slim: bool = False,
) -> Failure:
    """Return the failure of one pair line, with both sides as they are shown; a slim one has no bodies.

    At most `_DIFFERENCES` differences are listed, those that fail first, and the rest counted.
    """
    room = 0 if slim else BODY_SHOWN
    differences = [d for outcome in outcomes for d in outcome.differences]
    unique: dict[tuple[str, str, str], Difference] = {}
    for d in sorted(differences, key=lambda d: not d.fails):
        unique.setdefault((d.place.replace("schema", "body"), d.path, d.kind), d)
    listed = tuple(unique.values())[: _SLIM_DIFFERENCES if slim else _DIFFERENCES]
    return Failure(
        index=int(line.get("index") or 0),
        iteration=int(line.get("iteration") or 0),
        vuser=int(line.get("vuser") or 0),
        endpoint=str(line.get("endpoint") or ""),
        session=str(line.get("session") or ""),
        error=str(line.get("error") or ""),
        latency_ms=round(float(line.get("latencyMs") or 0.0), 3),
        request=request_message(replayed if replayed is not None else recorded, room),
        recorded=answer_message(recorded, room),
        replayed=answer_message(replayed, room) if replayed is not None else Message(),
        differences=listed,
        differences_left_out=sum(outcome.left_out for outcome in outcomes) + len(unique) - len(listed),
    )


def weight(failure: Failure) -> int:
    """Return roughly how many characters a failure keeps."""
    sides = (failure.request, failure.recorded, failure.replayed)
    text = sum(len(m.body) + len(m.url) + sum(len(v) for vs in m.headers.values() for v in vs) for m in sides)
    return text + sum(len(d.path) + len(d.recorded or "") + len(d.replayed or "") for d in failure.differences)


def request_message(pair: RRPair, room: int = BODY_SHOWN) -> Message:
    """Return the request of a pair as it is shown, its body cut at `room` characters."""
    request = pair.http_request or {}
    answer = Answer(0, header_lists(request), pair.request_body)
    body, kind, cut = body_text(answer.content, answer.plain, room)
    return Message(
        method=str(request.get("method") or pair.doc.get("command") or ""),
        url=str(request.get("uri") or request.get("url") or pair.doc.get("location") or ""),
        headers=_shown_headers(answer.headers),
        body=body,
        body_kind=kind,
        body_bytes=len(answer.plain),
        cut=cut,
    )


def answer_message(pair: RRPair, room: int = BODY_SHOWN) -> Message:
    """Return the answer of a pair as it is shown, its body cut at `room` characters."""
    answer = Answer.of(pair)
    body, kind, cut = body_text(answer.content, answer.plain, room)
    response = pair.http_response or {}
    text = str(response.get("statusMessage") or "").strip()
    status = text if text.startswith(str(answer.status)) else f"{answer.status} {text}".strip()
    return Message(
        status=status if answer.status else "",
        headers=_shown_headers(answer.headers),
        body=body,
        body_kind=kind,
        body_bytes=len(answer.plain),
        cut=cut,
    )


def _shown_headers(headers: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name[:_HEADER_SHOWN]: [value[:_HEADER_SHOWN] for value in values] for name, values in headers.items()}


def body_text(content: Content, raw: bytes, room: int = BODY_SHOWN) -> tuple[str, str, bool]:
    """Return a body as text, its kind, and whether it was cut: JSON indented, markup by lines, binary as hex."""
    if content.kind == "empty":
        return "", "empty", False
    if not room:
        return "", content.kind, True
    if content.kind == "json":
        text = json.dumps(content.value, ensure_ascii=False, indent=2)
    elif content.kind == "binary":
        shown = raw[:_HEX_SHOWN]
        text = "\n".join(shown[i : i + 16].hex(" ") for i in range(0, len(shown), 16))
        return text, "binary", len(raw) > _HEX_SHOWN
    else:
        text = "\n".join(content.lines)
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written
    return text[:room], content.kind, len(text) > room
