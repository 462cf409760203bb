"""What the replay put in place of recorded values is read off its requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_runtime.report.learning import learn
from speedscale_runtime.report.volatile import Learnt


def learnt_from(old: dict[str, Any], new: dict[str, Any], bodies: tuple[Any, Any] = (b"", b"")) -> Learnt:
    learnt = Learnt()
    learn(old, new, bodies, learnt)
    return learnt


@pytest.mark.parametrize(
    ("old", "new", "recorded", "replayed"),
    [
        ({"uri": "/orders/7001/items"}, {"uri": "/orders/9123/items"}, "7001", "9123"),
        ({"uri": "/o?id=7001&x=1"}, {"uri": "/o?x=1&id=9123"}, "7001", "9123"),
        ({"uri": "/a%20b1/x"}, {"uri": "/c%20d1/x"}, "a b1", "c d1"),
        (
            {"headers": {"Authorization": ["Bearer old-token"]}},
            {"headers": {"authorization": ["Bearer new-token"]}},
            "old-token",
            "new-token",
        ),
        (
            {"headers": {"Cookie": ["sid=abc123; t=1"]}},
            {"headers": {"Cookie": ["sid=xyz789; t=1"]}},
            "abc123",
            "xyz789",
        ),
    ],
)
def test_requests_show_what_was_replaced(old: Any, new: Any, recorded: str, replayed: str) -> None:
    assert learnt_from(old, new).explains(recorded, replayed)


def test_leaves_of_bodies_count() -> None:
    old, new = ({"a": [{"id": n}], "s": s} for n, s in ((7001, "cart-1"), (9123, "cart-2")))
    learnt = learnt_from({}, {}, (json.dumps(old).encode(), json.dumps(new).encode()))
    assert learnt.explains("7001", "9123")
    assert learnt.explains("cart-1", "cart-2")


def test_fields_of_forms_count() -> None:
    assert learnt_from({}, {}, (b"csrf=old-one&a=1", b"a=1&csrf=new-one")).explains("old-one", "new-one")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"uri": "/a/1"}, {"uri": "/a/2"}),  # too short to tell from chance
        ({"headers": {"Host": ["recorded.example"]}}, {"headers": {"Host": ["127.0.0.1"]}}),
        ({"uri": "/a/b/c1"}, {"uri": "/other"}),
    ],
)
def test_what_says_nothing_is_not_learnt(old: Any, new: Any) -> None:
    learnt = learnt_from(old, new)
    assert not learnt.explains("1", "2")
    assert not learnt.explains("recorded.example", "127.0.0.1")
    assert not learnt.explains("c1", "other")
