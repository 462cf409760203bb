"""The second corpus: values that others publish, which no generator of ours has touched; frozen by its hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .corpus import Document, Span

FILE = Path(__file__).with_name("published.json")
FROZEN = "48d9605f8f3019274f711158e7ddaeb38bb178b20990856151ddd5f9dd39f9c7"


def digest() -> str:
    """Return the SHA-256 of the file."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def documents() -> list[Document]:
    """Return each entry as a text of its own."""
    out = []
    for entry in json.loads(FILE.read_text(encoding="utf-8"))["entries"]:
        data, value = entry["text"].encode(), entry["value"].encode()
        start = data.find(value)
        spans = (Span(start, start + len(value), entry["kind"], entry["value"]),) if value else ()
        out.append(Document("published", "text/plain", data, spans))
    return out
