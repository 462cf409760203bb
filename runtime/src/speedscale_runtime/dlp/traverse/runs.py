"""Runs of base64 (both alphabets) and hex inside a text: what decodes to text or to something compressed is looked at.

A run that slashes cut into path segments is tried whole and segment by segment. What was found is written back in
the run's own alphabet and padding.
"""

from __future__ import annotations

import base64
import binascii
import re

from speedscale_runtime.dlp.edits import Edit, Edits, apply, merge, shift, under

from . import compression
from .base import Asks

_RUN = re.compile(rb"[A-Za-z0-9+/_\-]{14,}={0,2}")
_HEX = re.compile(rb"(?:0x|\\x|\\\\x)?((?:[0-9a-f]{2}){8,}|(?:[0-9A-F]{2}){8,})")
_BLOCK = re.compile(rb"[A-Za-z0-9+/]{40,}(?:\r?\n[ \t]*(?:[A-Za-z0-9+/]{4,}={0,2}|[A-Za-z0-9+/]{2,3}={1,2}))++")
_BREAK = re.compile(rb"\r?\n[ \t]*")
_GROUPS = re.compile(rb"(?:[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_\-]){3}")
_MAX_GROUPS = 16
_LEGIBLE = re.compile(rb"[\x20-\x7e]{8}|(?:[\x20-\x7e]\x00{3}){4}")
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n" + bytes(range(0x80, 0x100))


def hides(data: bytes) -> bool:
    """Say whether a run in the data decodes to something that would have to be looked at."""
    return any(_decoded(part) is not None or _GROUPS.search(part) is not None for _, part in _parts(data))


def meanings(data: bytes) -> list[tuple[str, bytes]]:
    """Return what the runs of a text mean, with the name of their encoding."""
    return [found for _, part in _parts(data) if (found := _decoded(part)) is not None]


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of all runs that hide values."""
    out = _blocks(engine, data, depth) if b"\n" in data else []
    blocks = [(e.start, e.end) for e in out]
    taken = 0
    for start, part in _parts(data):
        if start < taken or any(s < start + len(part) and start < t for s, t in blocks):
            continue
        found = _decoded(part)
        if found is None:
            out += shift(_inside(engine, part, depth), start)
            continue
        name, plain = found
        taken = start + len(part)
        engine.spend(len(plain))
        inner = merge(compression.nested(engine, plain, depth + 1))
        if inner:
            notes = tuple(n for e in inner for n in under(e.notes, f"|{name}"))
            out.append(Edit(start, start + len(part), _encoded(name, part, apply(plain, inner)), notes))
    return merge(out)


def _blocks(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of base64 that was broken into lines (RFC 2045 section 6.8), the lines as long as they were."""
    out: Edits = []
    for match in _BLOCK.finditer(data):
        block = match.group()
        broken = _BREAK.search(block)
        joined = _BREAK.sub(b"", block)
        if broken is None or len(joined.rstrip(b"=")) % 4 == 1:
            continue
        plain = binascii.a2b_base64(joined.rstrip(b"=") + b"=" * (-len(joined.rstrip(b"=")) % 4))
        engine.spend(len(plain))
        inner = merge(compression.nested(engine, plain, depth + 1))
        if inner:
            notes = tuple(n for e in inner for n in under(e.notes, "|base64"))
            coded, width = _encoded("base64", joined, apply(plain, inner)), broken.start()
            lines = [coded[i : i + width] for i in range(0, len(coded), width)]
            out.append(Edit(match.start(), match.end(), broken.group().join(lines), notes))
    return out


def _inside(engine: Asks, part: bytes, depth: int) -> Edits:
    """Return the edits of a run that means something binary with text in it, or that begins later than it seems."""
    leads = {match.start() % 4 for match, _ in zip(_GROUPS.finditer(part), range(_MAX_GROUPS), strict=False)}
    out: Edits = []
    for lead in sorted(leads):
        core = part[lead:].rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        core = core[: len(core) - (len(core) % 4 == 1)]
        plain = binascii.a2b_base64(core + b"=" * (-len(core) % 4))
        engine.spend(len(plain))
        inner = merge(compression.nested(engine, plain, depth + 1))
        if inner:
            name = "base64url" if b"-" in part or b"_" in part else "base64"
            end = lead + len(core) if lead + len(core) < len(part.rstrip(b"=")) else len(part)
            notes = tuple(n for e in inner for n in under(e.notes, f"|{name}"))
            out.append(Edit(lead, end, _encoded(name, part[lead:end], apply(plain, inner)), notes))
    return merge(out)


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    parts: list[tuple[int, bytes]] = []
    for match in _RUN.finditer(data):
        run = match.group()
        if run.startswith(b"REDACTED-"):
            continue
        parts.append((match.start(), run))
        if b"/" in run or b"-" in run or b"_" in run:
            for cut in (b"/", b"-", b"_"):
                at = match.start()
                for piece in run.split(cut):
                    if len(piece) >= 14 and piece != run:
                        parts.append((at, piece))
                    at += len(piece) + 1
    return parts


def _decoded(part: bytes) -> tuple[str, bytes] | None:
    """Return the encoding's name and the meaning of a run, when that is text or compressed; else None."""
    hexed = _HEX.fullmatch(part)
    if hexed is not None:
        plain = bytes.fromhex(hexed.group(1).decode("ascii"))
        if worth(plain) or _LEGIBLE.search(plain) is not None:
            return ("hex", plain)
    core = part.rstrip(b"=")
    if len(core) % 4 == 1:
        return None
    urlsafe = b"-" in core or b"_" in core
    if urlsafe and (b"+" in core or b"/" in core):
        return None
    try:
        padded = core + b"=" * (-len(core) % 4)
        if urlsafe:
            return _if_worth("base64url", base64.urlsafe_b64decode(padded))
        return _if_worth("base64", binascii.a2b_base64(padded))
    except binascii.Error:
        return None


def _if_worth(name: str, plain: bytes) -> tuple[str, bytes] | None:
    return (name, plain) if worth(plain) else None


def worth(plain: bytes) -> bool:
    """Say whether decoded bytes look like text (also UTF-16) or like something compressed."""
    if compression.magic(plain):
        return True
    odd = len(plain.translate(None, _TEXT))
    if odd == 0:
        try:
            plain.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True
    zeros = plain.count(0)
    return (odd == zeros and 4 * zeros >= len(plain)) or (b"\x00" not in plain[:2] and odd * 16 <= len(plain))


def _encoded(name: str, part: bytes, plain: bytes) -> bytes:
    if name == "hex":
        prefix = b"0x" if part.startswith(b"0x") else b""
        text = plain.hex().encode("ascii")
        return prefix + (text.upper() if part != part.lower() else text)
    coded = base64.urlsafe_b64encode(plain) if name == "base64url" else base64.b64encode(plain)
    padded = part.endswith(b"=") or len(part) % 4 == 0
    return coded if padded else coded.rstrip(b"=")
