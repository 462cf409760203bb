"""`httpResponseBody`: the replayed body says what the recorded one said.

JSON by its structure, XML, HTML and text by lines, everything else by its bytes. Config: `ignore` and `includeOnly`
(comma-separated path substrings), `allowNew` (new keys and array elements pass, default true), `matchAll` (show
differences, fail none), `matchType` (`true`: only the types count; `exact`: volatile values fail too), and ours:
`ignoreOrder` (arrays are bags). Source: the vendor's public page on the assertion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, Options, compare, compare_lines, shown
from speedscale_runtime.report.volatile import Learnt

from .options import Check, comparison

KEYS = frozenset({"ignore", "includeOnly", "allowNew", "matchAll", "matchType", "ignoreOrder"})


def make(config: Mapping[str, str]) -> Check:
    """Return the check."""
    options = comparison(config)

    def check(recorded: Answer, replayed: Answer, learnt: Learnt) -> Found:
        found = Found(options, "body", learnt)
        if recorded.plain != replayed.plain:
            compare_bodies(recorded, replayed, found)
        return found

    return check


def compare_bodies(recorded: Answer, replayed: Answer, found: Found) -> None:
    """Add to `found` how two bodies differ, each in the terms of its kind."""
    a, b = recorded.content, replayed.content
    if a.kind == b.kind == "json":
        compare(a.value, b.value, found)
    elif a.kind == b.kind and a.kind in ("xml", "html", "text"):
        # Lines are no keys: what is said about keys (allowNew, ignore, includeOnly) does not hold for them.
        strict = Found(_of_lines(found.options), found.place, found.learnt)
        compare_lines(a.lines, b.lines, strict)
        found.differences += strict.differences
        found.left_out += strict.left_out
        found.failed = found.failed or strict.failed
    elif a.kind == b.kind == "empty":
        return
    elif a.kind == b.kind:
        found.add("", "changed", _bytes(recorded.plain), _bytes(replayed.plain))
    elif b.kind == "empty":
        found.add("", "missing", _summary(recorded), None)
    elif a.kind == "empty":
        found.add("", "added", None, _summary(replayed))
    else:
        found.add("", "type", _summary(recorded), _summary(replayed))


def _of_lines(options: Options) -> Options:
    return replace(options, ignore=(), include_only=(), allow_new=False)


def _summary(answer: Answer) -> str:
    content = answer.content
    if content.kind == "binary":
        return _bytes(answer.plain)
    return f"{content.kind}: {shown(content.value) if content.kind == 'json' else content.text[:200]}"


def _bytes(body: bytes) -> str:
    return f"{len(body):,} bytes, SHA-256 {hashlib.sha256(body).hexdigest()[:16]}…"
