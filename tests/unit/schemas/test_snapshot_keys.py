"""Keys of a snapshot's traffic and the selectors that choose among them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.snapshot_keys import Selector, TrafficKey, parse_key, select

KEYS = ["shop:api.example.com:443", "shop:db:5432", "cart:api.example.com:80", "svc:db:5432", "shop:[2001:db8::1]:443"]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("shop:db:5432", ["shop:db:5432"]),
        ("svc:sho", ["shop:api.example.com:443", "shop:db:5432", "shop:[2001:db8::1]:443"]),
        ("host:API.example.com", ["shop:api.example.com:443", "cart:api.example.com:80"]),
        ("host:2001:db8::1", ["shop:[2001:db8::1]:443"]),
        ("glob:*:5432", ["shop:db:5432", "svc:db:5432"]),
        ("svc:db:5432", ["svc:db:5432"]),
    ],
)
def test_selectors(selector: str, chosen: list[str]) -> None:
    assert select(KEYS, [selector]) == chosen


def test_no_selector_chooses_everything_and_several_add_up() -> None:
    assert select(KEYS, []) == KEYS
    assert select(KEYS, ["shop:db:5432", "cart:api.example.com:80"]) == [KEYS[1], KEYS[2]]


def test_a_selector_that_names_nothing_is_refused_with_what_is_near() -> None:
    with pytest.raises(ConfigError, match=r"shop:dp:5432.*names none.*shop:db:5432") as caught:
        select(KEYS, ["shop:dp:5432", "host:nowhere"])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", ["", "svc:", "glob:"])
def test_an_empty_selector_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Selector.parse(text)


@pytest.mark.parametrize("text", ["shop", "shop:db", "shop:db:x", "shop:db:70000", "shop::80"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="service:host:port"):
        parse_key(text)


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True),
    st.sampled_from(["db", "a.example", "2001:db8::1", "::1"]),
    st.integers(0, 65535),
)
def test_a_key_survives_its_text(service: str, host: str, port: int) -> None:
    assert parse_key(str(TrafficKey(service, host, port))) == TrafficKey(service, host, port)
