"""Bytes that are no text: Protocol Buffers where they read like it, else text found between the binary.

What stands between binary has no known frame, so a token takes exactly as many bytes as the value did: lengths and
offsets that a format keeps elsewhere stay right (MessagePack, BSON, Avro, EXIF, …). Called by the engine for decoded
bytes and by `body`.
"""

from __future__ import annotations

from speedscale_runtime.dlp.edits import Edit, Edits, merge
from speedscale_runtime.dlp.tokens import TOKEN, fitted

from . import packed, protobuf
from .base import Asks

_CONTROL = bytes(c for c in range(32) if c not in b"\t\n\x0c\r\x1b\x1e") + b"\x7f"
_BREAKS = bytes(c if 32 <= c < 127 or c in b"\t\r\n" else 10 for c in range(256))
_SHORT = 12  # in pictures and sound chance makes shorter values


def is_binary(data: bytes) -> bool:
    """Say whether bytes are no text: neither UTF-8 nor a character set that holds ASCII as it is."""
    return data.translate(None, _CONTROL) != data and not _wide(data)


def _wide(data: bytes) -> bool:
    """Say whether every other byte is NUL, as in UTF-16: text that the engine undoes itself."""
    return 5 * data.count(0) >= 2 * len(data) and data[:2].count(0) < 2


def edits(engine: Asks, data: bytes, depth: int, *, media: bool = False) -> Edits:
    """Return the edits of binary data; `media` says that it is a picture, sound, video or font."""
    if not media:
        message = protobuf.edits(engine, data, depth)
        if message is not None:
            return message
    found = [e for e in engine.text(data, depth) if _plausible(data, e)]
    masked = data.translate(_BREAKS)
    found += [e for e in engine.text(masked, depth) if not any(f.start < e.end and e.start < f.end for f in found)]
    if media:
        found = [e for e in found if e.end - e.start >= _SHORT]
    return merge([_same_size(engine, e) for e in found])


def _plausible(data: bytes, edit: Edit) -> bool:
    """Say whether what is taken was text, or something that had to be undone."""
    span = data[edit.start : edit.end]
    if span.isascii() or packed.starts(span):
        return True
    try:
        return span.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return edit.notes[0].kind == "UNDECODABLE"


def _same_size(engine: Asks, edit: Edit) -> Edit:
    """Return an edit that takes as many bytes as it replaces.

    What a name gave away keeps its whole token: under that name a cut one would be taken for a value again.
    """
    size = edit.end - edit.start
    note = edit.notes[0]
    if len(edit.new) == size or note.detector not in engine.by_look or TOKEN.fullmatch(edit.new) is None:
        return edit
    new = fitted(edit.new, size)
    return Edit(edit.start, edit.end, new, (note._replace(token=new.decode("ascii")),))
