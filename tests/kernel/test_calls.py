"""Plain reads and writes, in all their forms: what was captured is what the application sent and received."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tap import Tap

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel

FORMS = (
    "read",
    "send",
    "sendto",
    "vectors",
    "many_parts",
    "messages",
    "preadv2",
    "peek",
    "not_blocking",
    "dup",
    "fork",
    "threads",
)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_call(tap: Tap, form: str) -> None:
    client, server = tap.python("calls.py", form)
    sent, _ = tap.check(client)
    tap.check(server)
    assert sent.first.role == wire.Role.CLIENT
    assert tap.of(server.local, server.remote, wire.Direction.SENT)[0].first.role == wire.Role.SERVER


def test_ipv6(tap: Tap) -> None:
    client, server = tap.python("calls.py", "send", "v6")
    sent, _ = tap.check(client)
    tap.check(server)
    loopback = bytes(15) + b"\x01"
    assert (sent.first.family, sent.first.local_address, sent.first.remote_address) == (6, loopback, loopback)


def test_16_mib_in_one_call(taps: Callable[..., Tap]) -> None:
    tap = taps(NETTAP_RING_BYTES=str(128 << 20))
    tap.capture()
    client, server = tap.python("calls.py", "large")
    tap.check(client)
    tap.check(server)
