"""Shared libraries without what only a linker or a debugger reads.

Called by `wheels` (some wheels come with debugging data of ten times the size of the code) and by `cache` (which
libraries a file needs). What a loader uses is named by the program headers; the rest of the file and the table of
sections go. Written here because `strip` knows the machine it was built for, and differs from version to version.
Source: ELF specification, 64 bits.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_64_LITTLE = b"\x7fELF\x02\x01"


_DYNAMIC = struct.Struct("<QQ")
_LOAD, _DYNAMIC_SEGMENT = 1, 2
_NEEDED, _STRINGS = 1, 5


def strip(data: bytes) -> bytes:
    """Return the library up to the end of its last segment; anything but a 64-bit little-endian one as it is."""
    segments = _segments(data)
    if not segments:
        return data
    fields = list(_HEADER.unpack_from(data))
    end = max(fields[5] + _SEGMENT.size * len(segments), *(segment[2] + segment[5] for segment in segments))
    fields[6] = fields[12] = fields[13] = 0  # sections: where, how many, which one holds their names
    return _HEADER.pack(*fields) + data[_HEADER.size : end]


def needs(data: bytes) -> list[str]:
    """Return the names of the libraries that a program or library is linked with; nothing for any other file."""
    segments = _segments(data)
    dynamic = next((segment for segment in segments if segment[0] == _DYNAMIC_SEGMENT), None)
    if dynamic is None:
        return []
    entries = list(_DYNAMIC.iter_unpack(data[dynamic[2] : dynamic[2] + dynamic[5] // _DYNAMIC.size * _DYNAMIC.size]))
    address = next((value for tag, value in entries if tag == _STRINGS), 0)
    loaded = (s for s in segments if s[0] == _LOAD and s[3] <= address < s[3] + s[5])
    strings = next((segment[2] + address - segment[3] for segment in loaded), 0)
    names = (strings + value for tag, value in entries if tag == _NEEDED)
    return [data[at : data.index(b"\0", at)].decode() for at in names]


def _segments(data: bytes) -> list[tuple[int, ...]]:
    """Program headers: type, flags, offset, address, physical address, size in file, size in memory, alignment."""
    if not data.startswith(_64_LITTLE):
        return []
    fields = _HEADER.unpack_from(data)
    at, size, count = fields[5], fields[9], fields[10]
    if size != _SEGMENT.size:
        return []
    return [_SEGMENT.unpack_from(data, at + number * size) for number in range(count)]
