"""Where redirected connections were meant to go, and which of them are our own."""

from __future__ import annotations

import socket
import struct

import pytest

from speedscale_runtime.proxy import destination
from speedscale_runtime.proxy.destination import Own, address, loops, original

PORTS = frozenset((4140, 4143))


class Kernel:
    """A socket whose options are those of a redirected connection."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        self.answers = answers

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        if level not in self.answers:
            raise OSError(2, "no such connection")
        assert option == 80
        return self.answers[level][:size]


V4 = struct.pack("!2xH4s8x", 8080, socket.inet_aton("10.1.2.3"))
V6 = struct.pack("!2xHI16sI", 443, 0, socket.inet_pton(socket.AF_INET6, "fd00::7"), 0)


@pytest.mark.parametrize(
    ("local", "answers", "found"),
    [
        (("127.0.0.1", 4140), {socket.IPPROTO_IP: V4}, ("10.1.2.3", 8080)),
        (("::ffff:127.0.0.1", 4140, 0, 0), {socket.IPPROTO_IP: V4}, ("10.1.2.3", 8080)),
        (("::1", 4140, 0, 0), {socket.IPPROTO_IPV6: V6}, ("fd00::7", 443)),
        (("::1", 4140, 0, 0), {socket.IPPROTO_IP: V4}, None),
        (("127.0.0.1", 4140), {}, None),
    ],
)
def test_the_kernel_is_asked_in_the_family_of_the_connection(
    local: tuple[object, ...], answers: dict[int, bytes], found: object
) -> None:
    assert original(Kernel(answers), local) == found


@pytest.mark.parametrize(
    ("target", "local", "expected"),
    [
        (("10.0.0.5", 4143), ("10.0.0.5", 4143), True),
        (("127.0.0.1", 4140), ("127.0.0.1", 4140), True),
        (("127.9.9.9", 4140), ("127.0.0.1", 4140), True),
        (("::1", 4143), ("::1", 4140, 0, 0), True),
        (("10.0.0.7", 4143), ("127.0.0.1", 4140), True),  # the pod's own address
        (("10.0.0.8", 4143), ("127.0.0.1", 4140), False),  # another pod's sidecar
        (("10.0.0.7", 8080), ("10.0.0.7", 4143), False),
        (("10.0.0.5", 4143), ("::ffff:10.0.0.5", 4143, 0, 0), True),
    ],
)
def test_our_own_listeners_are_no_destination(
    target: tuple[str, int], local: tuple[object, ...], expected: bool
) -> None:
    assert loops(target, local, PORTS, "10.0.0.7") is expected


def test_ourselves_are_known_by_both_ends_of_a_connection() -> None:
    own = Own()
    pair = own.add(("10.0.0.7", 40000), ("192.0.2.1", 443))
    assert own.holds(("::ffff:10.0.0.7", 40000, 0, 0), ("192.0.2.1", 443))
    assert not own.holds(("10.0.0.7", 40000), ("192.0.2.2", 443)), "a port may serve another user as well"
    own.remove(pair)
    own.remove(pair)
    assert not own.holds(("10.0.0.7", 40000), ("192.0.2.1", 443))
    assert not own.holds((), ("192.0.2.1", 443))


def test_addresses_are_plain() -> None:
    assert address(("::ffff:10.0.0.1", 80, 0, 0)) == ("10.0.0.1", 80)
    assert destination.plain("fe80::1%eth0") == "fe80::1"
