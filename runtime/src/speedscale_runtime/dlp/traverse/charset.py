"""Texts in other character sets: UTF-16, UTF-32, UTF-7, EBCDIC, ISO 2022, and the national ones that a type names.

Told by a byte order mark, by the content type, or, for UTF-32, by the look. The text is read as UTF-8 and written back
as it was. Character sets that hold ASCII as it is are read where the content type names them; else their bytes are
searched as they stand.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from speedscale_runtime.dlp.edits import Edit, Edits, apply

from .compression import Unreadable

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.:\-]{1,40})", re.IGNORECASE)
_WIDE_LE = re.compile(rb"[\x01-\xff].[\x00-\x10]\x00[\x01-\xff].[\x00-\x10]\x00", re.DOTALL)
_WIDE_BE = re.compile(rb"\x00[\x00-\x10].[\x01-\xff]\x00[\x00-\x10].[\x01-\xff]", re.DOTALL)
_ASCII = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_STATEFUL = ("utf-7", "iso2022", "hz")
_MAX_TEXT = 64 * 1024 * 1024


def foreign(data: bytes, content_type: bytes) -> tuple[bytes, str]:
    """Return the byte order mark and the codec of a text that has to be decoded; no codec when it has not."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return mark, codec
    named = _CHARSET.search(content_type)
    codec = _known(named.group(1).decode("ascii")) if named is not None else ""
    if not codec and named is not None and not data.isascii():
        codec = _legacy(named.group(1).decode("ascii"), data)
    if codec in ("utf-16", "utf-32"):
        return b"", codec + ("-be" if data[:1] == b"\x00" else "-le")
    if not codec and len(data) % 4 == 0 and data[2:3] == b"\x00":
        if _WIDE_LE.match(data):
            codec = "utf-32-le"
        elif _WIDE_BE.match(data):
            codec = "utf-32-be"
    return b"", codec


def _known(name: str) -> str:
    """Return Python's name of a character set that has to be decoded; empty for others and for unknown ones."""
    try:
        codec = codecs.lookup(name)
        if codec.name.startswith(_STATEFUL):
            return codec.name
        return "" if _ASCII.decode(codec.name) == _ASCII.decode("ascii") else codec.name
    except UnicodeError:
        return codec.name
    except LookupError:
        return ""


def _legacy(name: str, data: bytes) -> str:
    """Return the codec of a text that holds ASCII as it is but is no UTF-8, where it can be read; empty otherwise."""
    try:
        data.decode("utf-8")
        return ""
    except UnicodeDecodeError:
        pass
    try:
        codec = codecs.lookup(name).name
        data.decode(codec)
    except (LookupError, UnicodeError):
        return ""
    return codec


def edits(data: bytes, mark: bytes, codec: str, read: Callable[[bytes], Edits]) -> Edits:
    """Return the edit of a text in a foreign character set; `read` finds the edits of UTF-8.

    Unreadable when it is not in that character set.
    """
    try:
        plain = data[len(mark) :].decode(codec).encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        raise Unreadable(f"no {codec}") from error
    if len(plain) > _MAX_TEXT:
        raise Unreadable("more plain bytes than the cap allows")
    found = read(plain)
    if not found:
        return []
    text = apply(plain, found).decode("utf-8", "surrogatepass")
    return [Edit(0, len(data), mark + text.encode(codec, "replace"), tuple(n for e in found for n in e.notes))]
