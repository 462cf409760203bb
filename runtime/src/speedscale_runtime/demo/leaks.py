"""An independent search for values that should be gone: every decoding undone, every original looked for.

Used by the demo, by tests and by whoever wants proof over an export. It shares no code and no import with the
redaction engine, so that both cannot be wrong in the same way; brotli and zstandard serve as decoders only. It decodes
what decodes (escapes, percent, references, UTF-16, base64 at any alignment, hex, compressed streams), again and
again, and searches every layer, digits with or without separators.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import html
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import brotli
import zstandard

_MAX_DEPTH = 7
_MAX_VIEWS = 4000
_MAX_PLAIN = 64 * 1024 * 1024
_UNICODE = re.compile(rb"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_B64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(rb"[0-9a-fA-F]{12,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\x00){5}")
_SEPARATORS = b" ().-/\xa0"
_USUAL = bytes((0, 9, 10, 13, *range(0x20, 0x7F)))
_SEPARATED = re.compile(r"[0-9 ().+\-/]{7,}")


@dataclass(frozen=True, slots=True)
class Leak:
    """An original that was found: in which source, through which decodings (outermost first), at which byte."""

    original: str
    source: str
    encodings: tuple[str, ...]
    offset: int


def find_leaks(sources: Iterable[Path | bytes] | Path | bytes, originals: Sequence[str]) -> list[Leak]:
    """Return where originals are still found, each original once per source.

    `sources` are files, folders (searched whole) or bytes. OSError when a file cannot be read.
    """
    if isinstance(sources, (bytes, Path)):
        sources = [sources]
    needles = [_needle(text) for text in dict.fromkeys(originals) if text]
    leaks: list[Leak] = []
    for name, data in _blobs(sources):
        left = needles
        for view, path in views(data):
            folded, packed = view.lower(), view.translate(None, _SEPARATORS)
            found: list[_Needle] = []
            for needle in left:
                if not needle.may_be_in(view, folded, packed):
                    continue
                match = needle.pattern.search(view)
                if match is not None:
                    found.append(needle)
                    leaks.append(Leak(needle.text, name, path, match.start()))
            if found:
                left = [n for n in left if n not in found]
            if not left:
                break
    return leaks


@dataclass(frozen=True, slots=True)
class _Needle:
    """One original: the pattern that decides, and texts of which one must be in a view for it to match.

    Finding a text is many times faster than trying a pattern at each byte. `exact` are looked for as they stand,
    `folded` in the view in lower case, `digits` in the view without separators.
    """

    text: str
    pattern: re.Pattern[bytes]
    exact: tuple[bytes, ...]
    folded: bytes
    digits: bytes

    def may_be_in(self, view: bytes, folded: bytes, packed: bytes) -> bool:
        """Say whether the pattern could match in a view: False is certain."""
        if self.digits:
            return self.digits in packed
        if self.folded and self.folded in folded:
            return True
        return any(text in view for text in self.exact)


def _blobs(sources: Iterable[Path | bytes]) -> Iterator[tuple[str, bytes]]:
    for i, source in enumerate(sources):
        if isinstance(source, bytes):
            yield f"bytes[{i}]", source
        elif source.is_dir():
            for file in sorted(p for p in source.rglob("*") if p.is_file()):
                yield str(file), file.read_bytes()
        else:
            yield str(source), source.read_bytes()


def _needle(text: str) -> _Needle:
    """Return what finds a value: digits with any separators, everything else as it stands in any letter case."""
    digits = re.sub(r"\D", "", text)
    if _SEPARATED.fullmatch(text) and len(digits) >= 7:
        pattern = rb"(?<!\d)" + rb"[ ().\-/\xa0]{0,3}".join(d.encode() for d in digits) + rb"(?!\d)"
        return _Needle(text, re.compile(pattern), (), b"", digits.encode())
    plain = text.encode("utf-8")
    if len(text) >= 8:
        forms = {plain, *_base64_cores(plain)}
        exact = b"|".join(re.escape(f) for f in sorted(forms, key=len, reverse=True))
        pattern = b"(?:" + exact + b"|(?i:" + re.escape(plain) + b"))"
        return _Needle(text, re.compile(pattern), tuple(forms), plain.lower(), b"")
    pattern = rb"(?<![A-Za-z0-9])" + re.escape(plain) + rb"(?![A-Za-z0-9])"
    return _Needle(text, re.compile(pattern), (plain,), b"", b"")


def _base64_cores(value: bytes) -> Iterator[bytes]:
    """Yield what the value looks like inside base64 at each of the three alignments, both alphabets."""
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + value)
        usable = 8 * (lead + len(value)) // 6
        core = coded[-(-8 * lead // 6) : usable]
        if len(core) >= 10:
            yield core
            yield core.replace(b"+", b"-").replace(b"/", b"_")


def views(data: bytes) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Yield the data and everything that it decodes to, each once, with the names of the decodings."""
    seen: set[bytes] = set()
    work: list[tuple[bytes, tuple[str, ...]]] = [(data, ())]
    count = 0
    while work and count < _MAX_VIEWS:
        view, path = work.pop(0)
        mark = hashlib.blake2b(view, digest_size=16).digest()
        if mark in seen:
            continue
        seen.add(mark)
        count += 1
        yield view, path
        if len(path) < _MAX_DEPTH:
            for name, decode in _DECODERS:
                work += [(out, (*path, name)) for out in decode(view) if out and out != view]


def _escapes(data: bytes) -> Iterator[bytes]:
    if b"\\" not in data:
        return
    text = re.sub(rb'\\(["/\\])', rb"\1", data)
    yield text
    if _UNICODE.search(data) is None:
        return

    def char(match: re.Match[bytes]) -> bytes:
        return chr(int(match.group(1) or match.group(2), 16)).encode("utf-8", "surrogatepass")

    yield _UNICODE.sub(char, data)


def _percent(data: bytes) -> Iterator[bytes]:
    if _PERCENT.search(data) is not None:
        plain = _PERCENT.sub(lambda m: bytes((int(m.group(1), 16),)), data)
        yield plain
        yield plain.replace(b"+", b" ")


def _references(data: bytes) -> Iterator[bytes]:
    if b"&" in data and b";" in data:
        yield html.unescape(data.decode("latin-1")).encode("utf-8", "surrogatepass")


def _wide(data: bytes) -> Iterator[bytes]:
    if data.count(0) * 5 > len(data) or _WIDE.search(data):
        yield data.replace(b"\x00", b"")


def _base64(data: bytes) -> Iterator[bytes]:
    for match in _B64.finditer(data):
        run = match.group().replace(b"-", b"+").replace(b"_", b"/")
        for lead in range(4):
            part = run[lead:]
            part = part[: len(part) - (1 if len(part) % 4 == 1 else 0)]
            if len(part) < 8:
                break
            plain = binascii.a2b_base64(part + b"=" * (-len(part) % 4))
            if lead == 0 or _likely(plain):
                yield from _if_useful(plain)


def _if_useful(plain: bytes) -> Iterator[bytes]:
    if _likely(plain):
        yield plain


def _likely(plain: bytes) -> bool:
    if plain[:2] == b"\x1f\x8b" or plain[:4] == b"\x28\xb5\x2f\xfd" or plain[:1] == b"\x78":
        return True
    return len(plain.translate(None, _USUAL)) * 3 <= len(plain)


def _hex(data: bytes) -> Iterator[bytes]:
    for match in _HEX.finditer(data):
        run = match.group()
        for lead in (0, 1):
            part = run[lead:]
            plain = bytes.fromhex(part[: len(part) & ~1].decode("ascii"))
            yield from _if_useful(plain)


def _inflated(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\x1f\x8b\x08")
    while at >= 0:
        yield from _zlib(data[at:], 31)
        at = data.find(b"\x1f\x8b\x08", at + 1)
    if data[:1] == b"\x78":
        yield from _zlib(data, 15)
    elif not _likely(data):
        yield from _zlib(data, -15)


def _zlib(data: bytes, bits: int) -> Iterator[bytes]:
    opened = zlib.decompressobj(bits)
    out = b""
    try:
        for at in range(0, len(data), 4096):
            out += opened.decompress(data[at : at + 4096], _MAX_PLAIN)
            if opened.eof or len(out) > _MAX_PLAIN:
                break
    except zlib.error:
        pass
    if len(out) > 3:
        yield out  # also what a broken stream gave before it broke


def _zstd(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\x28\xb5\x2f\xfd")
    while at >= 0:
        with contextlib.suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])
        at = data.find(b"\x28\xb5\x2f\xfd", at + 1)


def _brotli(data: bytes) -> Iterator[bytes]:
    if _likely(data[:512]):
        return
    try:
        yield brotli.Decompressor().process(data)
    except brotli.error:
        return


_DECODERS: tuple[tuple[str, Callable[[bytes], Iterator[bytes]]], ...] = (
    ("json escapes", _escapes),
    ("percent", _percent),
    ("references", _references),
    ("utf-16", _wide),
    ("base64", _base64),
    ("hex", _hex),
    ("inflate", _inflated),
    ("zstd", _zstd),
    ("brotli", _brotli),
)
