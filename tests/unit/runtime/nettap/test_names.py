"""Names from DNS answers: what is learnt, for how long, and that nothing a stranger sends can hurt."""

from __future__ import annotations

import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.nettap.names import KEEP_LEAST_S, KEEP_MOST_S, Names, NotDns, addresses

S = 1_000_000_000
Record = tuple[str, int, bytes, int]


def label(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def answer(name: str, *records: Record, flags: int = 0x8180, questions: int = 1) -> bytes:
    head = b"\x12\x34" + flags.to_bytes(2, "big") + questions.to_bytes(2, "big")
    head += len(records).to_bytes(2, "big") + bytes(4)
    body = label(name) + b"\0\1\0\1"
    for owner, kind, data, ttl in records:
        whose = b"\xc0\x0c" if owner == name else label(owner)
        body += whose + kind.to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
    return head + body


def a(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


def test_an_address_is_called_what_was_asked_for_whatever_aliases_led_to_it() -> None:
    found = answer(
        "Pay.Shop",
        ("Pay.Shop", 5, label("lb.example"), 5),
        ("lb.example", 1, a("10.0.0.9"), 60),
        ("lb.example", 28, a("fd00::9"), 60),
    )
    assert list(addresses(found)) == [("pay.shop", "10.0.0.9", 60), ("pay.shop", "fd00::9", 60)]


def test_a_name_is_kept_for_its_time_and_by_network_namespace() -> None:
    names = Names()
    assert names.learn(1, answer("a.b", ("a.b", 1, a("10.0.0.9"), 5)), 0) == 1
    names.learn(
        1,
        answer(
            "c.d",
            ("c.d", 1, a("10.0.0.8"), 2**31),
        ),
        0,
    )
    assert names.known(1, "10.0.0.9", KEEP_LEAST_S * S - 1) == "a.b"
    assert names.known(1, "10.0.0.9", KEEP_LEAST_S * S) == ""
    assert names.known(1, "10.0.0.8", KEEP_MOST_S * S) == ""
    assert names.known(2, "10.0.0.9", 0) == ""


def test_the_newest_answer_holds_and_the_number_is_bounded() -> None:
    names = Names(most=3)
    for i in range(10):
        names.learn(1, answer(f"n{i}", (f"n{i}", 1, a(f"10.0.0.{i % 5}"), 60)), 0)
    assert len(names) == 3
    assert [names.known(1, f"10.0.0.{i}", 1) for i in range(5)] == ["", "", "n7", "n8", "n9"]


@pytest.mark.parametrize(
    "message",
    [
        answer("a.b", ("a.b", 1, a("10.0.0.9"), 5), flags=0x0100),  # a question
        answer("a.b", ("a.b", 1, a("10.0.0.9"), 5), flags=0x8183),  # there is no such name
        answer("a.b", ("a.b", 1, a("10.0.0.9"), 5), flags=0xA180),  # another kind of message
        answer("a.b", ("a.b", 1, b"1234567", 5)),  # no address
        answer("a.b", ("a.b", 16, b"\x03abc", 5)),
        answer("a b\\", ("a b\\", 1, a("10.0.0.9"), 5)),  # no name of a host
    ],
)
def test_what_names_nothing_is_passed_over(message: bytes) -> None:
    assert list(addresses(message)) == []


@pytest.mark.parametrize(
    "message",
    [
        b"",
        answer("a.b", ("a.b", 1, a("10.0.0.9"), 5))[:-9],
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + b"\xc0\x0c",  # a name that points at itself
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + b"\x40abc",
        b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + b"\x3f" * 400,
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(message: bytes) -> None:
    with pytest.raises(NotDns):
        list(addresses(message))


@given(st.binary(max_size=300))
def test_no_message_does_more_than_that(message: bytes) -> None:
    with contextlib.suppress(NotDns):
        assert len(list(addresses(b"\0\0\x81\x80\0\1\0\x40" + message))) <= 64
