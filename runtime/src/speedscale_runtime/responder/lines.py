"""Lines of mocks.jsonl (schema `mock-line`). Pure.

A match's line is rendered with its answer, all but the instant, so that a hit costs no JSON. Every value here is
of a redacted pair; live values never enter a line unless they went through the rule first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from speedscale_runtime.signatures import keys

MATCH, NO_MATCH, PASSTHROUGH = "MATCH", "NO_MATCH", "PASSTHROUGH"
VERDICTS = (MATCH, NO_MATCH, PASSTHROUGH)


def match_line(signature: Mapping[str, bytes], digest: bytes, tech: str, status: int) -> bytes:
    """Return a match's line without its end (see `finish`); the signature is of the redacted recording."""
    line = {
        "type": "mock",
        "verdict": MATCH,
        "command": _text(signature, keys.METHOD),
        "location": _text(signature, keys.URL),
        "host": _text(signature, keys.HOST),
        "tech": tech,
        "signature": digest.hex(),
        "status": str(status or ""),
    }
    return orjson.dumps(line)[:-1]


def finish(line: bytes, at: bytes, fault: str = "", *, by_tests: bool = False) -> bytes:
    """Return a whole line: the start, who caused the request, the instant, and the fault that was injected."""
    if by_tests:
        line += b',"cause":"tests"'
    if fault:
        return b'%s,"fault":%s,"ts":"%s"}\n' % (line, orjson.dumps(fault), at)
    return b'%s,"ts":"%s"}\n' % (line, at)


def missed_line(
    verdict: str,
    signature: Mapping[str, bytes],
    digest: bytes,
    reason: str,
    nearest: Sequence[Mapping[str, Any]],
) -> bytes:
    """Return the line, without its end, of a request that no mock answered; `signature` is of the redacted one."""
    line = {
        "type": "mock",
        "verdict": verdict,
        "command": _text(signature, keys.METHOD),
        "location": _text(signature, keys.URL),
        "host": _text(signature, keys.HOST),
        "tech": "",
        "signature": digest.hex(),
        "status": "",
        "reason": reason,
        "nearest": list(nearest),
    }
    return orjson.dumps(line)[:-1]


def document(line: Mapping[str, Any]) -> bytes:
    """Return any other line."""
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _text(signature: Mapping[str, bytes], key: str) -> str:
    return signature.get(key, b"").decode("utf-8", "replace")
