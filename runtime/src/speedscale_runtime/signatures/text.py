"""Texts of documents as bytes. Pure."""

from __future__ import annotations


def utf8(text: str) -> bytes:
    """Return UTF-8; bytes that were escaped on reading come back as they were, other lone surrogates stay apart."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
