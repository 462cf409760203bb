"""What addresses are called, learnt from the DNS answers that captured workloads were given (RFC 1035, 3596).

Fed with DNS messages as they were on the wire, asked when a record is written whose request says no name (no Host, no
SNI). The name is the one that was asked for, whatever aliases it led through: it is what the application called it. It
is kept by network namespace, as pods may be given different answers, for as long as the answer says, at least
`KEEP_LEAST_S`, because a connection outlives the answer it began with. Bounded; messages of strangers, so nothing here
trusts a length. Pure.
"""

from __future__ import annotations

import re
import socket
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

KEPT_MAX: Final = 16384
KEEP_LEAST_S: Final = 300
KEEP_MOST_S: Final = 86400
ANSWERS_MAX: Final = 64
_RESPONSE, _OPCODE, _CODE = 0x8000, 0x7800, 0x000F
_A, _AAAA, _IN = 1, 28, 1
_JUMPS_MAX: Final = 16
_NAME = re.compile(r"[0-9a-z_](?:[0-9a-z._-]{0,251}[0-9a-z_])?")


class NotDns(ValueError):
    """Bytes that are no DNS message that can be read."""


class Names:
    """Names by network namespace and address."""

    def __init__(self, most: int = KEPT_MAX) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[int, str], tuple[str, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def learn(self, netns: int, message: bytes, now_ns: int) -> int:
        """Take a DNS message; return how many addresses it named. NotDns when it cannot be read."""
        found = 0
        for name, host, ttl_s in addresses(message):
            until = now_ns + min(max(ttl_s, KEEP_LEAST_S), KEEP_MOST_S) * 1_000_000_000
            self._kept[netns, host] = name, until
            self._kept.move_to_end((netns, host))
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
            found += 1
        return found

    def known(self, netns: int, host: str, now_ns: int) -> str:
        """Return the name of an address, "" when none is known (any more)."""
        found = self._kept.get((netns, host))
        return found[0] if found is not None and now_ns < found[1] else ""


def addresses(message: bytes) -> Iterator[tuple[str, str, int]]:
    """Yield name asked for, address and seconds to live of each address in an answer; NotDns."""
    if len(message) < 12:
        raise NotDns("shorter than a header")
    flags, questions, answers = (int.from_bytes(message[i : i + 2], "big") for i in (2, 4, 6))
    if not flags & _RESPONSE or flags & _OPCODE or flags & _CODE or questions != 1:
        return
    name, pos = _name(message, 12)
    pos += 4
    asked = name.lower()
    if _NAME.fullmatch(asked) is None:
        return
    for _ in range(min(answers, ANSWERS_MAX)):
        _, pos = _name(message, pos)
        if pos + 10 > len(message):
            if flags & 0x0200:  # it says itself that it was cut
                return
            raise NotDns("a record ends early")
        kind, klass = int.from_bytes(message[pos : pos + 2], "big"), int.from_bytes(message[pos + 2 : pos + 4], "big")
        ttl_s, size = (
            int.from_bytes(message[pos + 4 : pos + 8], "big"),
            int.from_bytes(message[pos + 8 : pos + 10], "big"),
        )
        data = message[pos + 10 : pos + 10 + size]
        pos += 10 + size
        if klass == _IN and len(data) == size and (kind, size) in ((_A, 4), (_AAAA, 16)):
            yield asked, socket.inet_ntop(socket.AF_INET if kind == _A else socket.AF_INET6, data), ttl_s


def _name(message: bytes, pos: int) -> tuple[str, int]:
    """Return a name without its final dot, and the position behind it (RFC 1035 section 4.1.4); NotDns."""
    labels: list[str] = []
    length, behind, jumps = 0, 0, 0
    while True:
        if pos >= len(message):
            raise NotDns("a name ends early")
        size = message[pos]
        if size & 0xC0 == 0xC0:
            if pos + 2 > len(message) or jumps == _JUMPS_MAX:
                raise NotDns("a pointer leads nowhere")
            behind = behind or pos + 2
            pos, jumps = int.from_bytes(message[pos : pos + 2], "big") & 0x3FFF, jumps + 1
            continue
        if size & 0xC0:
            raise NotDns("a label of a kind that nobody uses")
        if size == 0:
            return ".".join(labels), behind or pos + 1
        length += size + 1
        if length > 255 or pos + 1 + size > len(message):
            raise NotDns("a name is too long")
        labels.append(message[pos + 1 : pos + 1 + size].decode("latin-1"))
        pos += 1 + size
