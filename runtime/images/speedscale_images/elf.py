"""Shared libraries without what only a linker or a debugger reads.

Called by `wheels`: some wheels come with symbols and debugging data of ten times the size of the code. What a loader
uses is named by the program headers; the rest of the file and the table of sections go. Written here because
`strip` knows the machine it was built for, and differs from version to version. Source: ELF specification, 64 bits.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_64_LITTLE = b"\x7fELF\x02\x01"


def strip(data: bytes) -> bytes:
    """Return the library up to the end of its last segment; anything but a 64-bit little-endian one as it is."""
    if not data.startswith(_64_LITTLE):
        return data
    fields = list(_HEADER.unpack_from(data))
    at, size, count = fields[5], fields[9], fields[10]
    if size != _SEGMENT.size or count == 0:
        return data
    segments = (_SEGMENT.unpack_from(data, at + number * size) for number in range(count))
    end = max(at + size * count, *(segment[2] + segment[5] for segment in segments))
    fields[6] = fields[12] = fields[13] = 0  # sections: where, how many, which one holds their names
    return _HEADER.pack(*fields) + data[_HEADER.size : end]
