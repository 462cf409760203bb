"""Our own redaction as the scorer asks it: the spans it replaces, and the bytes that leave."""

from __future__ import annotations

from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_runtime.dlp.traverse import body

from .corpus import Document
from .score import Truth


def redactor() -> Redactor:
    """Return the rule `standard` under a key of the benchmark's own."""
    return compile_rule(builtin("standard"), KeyRing({"bench": b"a key for benchmarks, 32 bytes.."}))


def spans(ours: Redactor, document: Document) -> list[Truth]:
    """Return what is replaced in a document, in its own bytes."""
    ours.engine.work.begin(len(document.data))
    edits = body.edits(ours.engine, document.data, document.content_type.encode(), [])
    return [(e.start, e.end, e.notes[0].kind) for e in edits]
