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


def failure(line: Mapping[str, Any], recorded: RRPair, replayed: RRPair | None, outcomes: Iterable[Outcome]) -> Failure:
    """Return the failure of one pair line, with both sides as they are shown."""
    differences = [d for outcome in outcomes for d in outcome.differences]
    unique: dict[tuple[str, str, str], Difference] = {}
    for d in sorted(differences, key=lambda d: not d.fails):
        unique.setdefault((d.place.replace("schema", "body"), d.path, d.kind), d)
    return Failure(
        index=int(line.get("index") or 0),
        iteration=int(line.get("iteration") or 0),
        vuser=int(line.get("vuser") or 0),
        endpoint=str(line.get("endpoint") or ""),
        session=str(line.get("session") or ""),
        error=str(line.get("error") or ""),
        latency_ms=round(float(line.get("latencyMs") or 0.0), 3),
        request=request_message(replayed if replayed is not None else recorded),
        recorded=answer_message(recorded),
        replayed=answer_message(replayed) if replayed is not None else Message(),
        differences=tuple(unique.values()),
        differences_left_out=sum(outcome.left_out for outcome in outcomes),
    )


def request_message(pair: RRPair) -> Message:
    """Return the request of a pair as it is shown."""
    request = pair.http_request or {}
    answer = Answer(0, header_lists(request), pair.request_body)
    body, kind, cut = body_text(answer.content, answer.plain)
    return Message(
        method=str(request.get("method") or pair.doc.get("command") or ""),
        url=str(request.get("uri") or request.get("url") or pair.doc.get("location") or ""),
        headers=answer.headers,
        body=body,
        body_kind=kind,
        body_bytes=len(answer.plain),
        cut=cut,
    )


def answer_message(pair: RRPair) -> Message:
    """Return the answer of a pair as it is shown."""
    answer = Answer.of(pair)
    body, kind, cut = body_text(answer.content, answer.plain)
    response = pair.http_response or {}
    text = str(response.get("statusMessage") or "").strip()
    status = text if text.startswith(str(answer.status)) else f"{answer.status} {text}".strip()
    return Message(
        status=status if answer.status else "",
        headers=answer.headers,
        body=body,
        body_kind=kind,
        body_bytes=len(answer.plain),
        cut=cut,
    )


def body_text(content: Content, raw: bytes) -> tuple[str, str, bool]:
    """Return a body as text, its kind, and whether it was cut: JSON indented, markup by lines, binary as hex."""
    if content.kind == "empty":
        return "", "empty", False
    if content.kind == "json":
        text = json.dumps(content.value, ensure_ascii=False, indent=2)
    elif content.kind == "binary":
        shown = raw[:_HEX_SHOWN]
        text = "\n".join(shown[i : i + 16].hex(" ") for i in range(0, len(shown), 16))
        return text, "binary", len(raw) > _HEX_SHOWN
    else:
        text = "\n".join(content.lines)
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written
    return text[:BODY_SHOWN], content.kind, len(text) > BODY_SHOWN
