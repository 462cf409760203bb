"""Why nothing matched: the nearest recorded requests, what differs, and that the work is bounded."""

from __future__ import annotations

import pytest

from speedscale_runtime.signatures import Difference, Neighbours, explain
from speedscale_runtime.signatures import explain as _explain
from speedscale_runtime.signatures.explain import EXAMINED_MAX


def signed(method: str, path: str, host: str = "h", query: str = "", body: str = "") -> dict[str, bytes]:
    found = {
        "http:host": host.encode(),
        "http:method": method.encode(),
        "http:url": path.encode(),
        "http:queryparams": query.encode(),
    }
    return {**found, "http:requestBodyJSON": body.encode()} if body else found


def test_a_place_inside_a_json_body_is_named() -> None:
    asked = signed("POST", "/o", body='{"items":[{"n":1},{"n":2}],"user":{"id":"7"}}')
    recorded = signed("POST", "/o", body='{"items":[{"n":1},{"n":3}],"user":{"id":"7","vip":true}}')
    assert explain(asked, [recorded]) == [
        Difference(0, "http:requestBodyJSON", "items[1].n", "3", "2"),
        Difference(0, "http:requestBodyJSON", "user.vip", "true", None),
    ]


def test_a_parameter_is_named() -> None:
    found = explain(signed("GET", "/s", query="a=1&b=2"), [signed("GET", "/s", query="a=1&c=3")])
    assert found == [
        Difference(0, "http:queryparams", "b", None, "2"),
        Difference(0, "http:queryparams", "c", "3", None),
    ]


def test_a_body_on_one_side_only_is_named() -> None:
    (found,) = explain(signed("POST", "/o", body="{}"), [signed("POST", "/o")])
    assert (found.key, found.recorded, found.asked) == ("http:requestBodyJSON", None, "{}")


def test_hashes_are_shown_in_hexadecimal() -> None:
    asked = {**signed("POST", "/o"), "http:requestBodyHash": bytes(32)}
    (found,) = explain(asked, [signed("POST", "/o")])
    assert found.asked == "sha256 " + "00" * 32


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        (signed("GET", "/users/8"), 0),
        (signed("POST", "/users/7"), 0),
        (signed("GET", "/orders", host="other"), 1),
        (signed("POST", "/pay", body='{"amount":12,"currency":"EUR"}'), 2),
    ],
)
def test_the_nearest_comes_first(asked: dict[str, bytes], nearest: int) -> None:
    index = Neighbours()
    index.add(signed("GET", "/users/7"))
    index.add(signed("GET", "/orders"))
    index.add(signed("POST", "/pay", body='{"amount":10,"currency":"EUR"}'))
    index.add(signed("POST", "/pay", body='{"to":"x","memo":"a long text that has nothing to do with it"}'))
    assert index.nearest(asked)[0] == nearest


def test_something_is_near_even_when_nothing_is() -> None:
    index = Neighbours()
    index.add(signed("GET", "/a", host="x"))
    assert index.nearest(signed("PUT", "/zzz", host="y")) == [0]
    assert Neighbours().explain(signed("GET", "/")) == []


def test_of_very_many_recorded_requests_only_a_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Neighbours()
    for number in range(20_000):
        index.add(signed("GET", f"/item/{number}"))
    seen = 0
    real = index.signature

    def counted(number: int) -> dict[str, bytes]:
        nonlocal seen
        seen += 1
        return real(number)

    monkeypatch.setattr(index, "signature", counted)
    assert index.nearest(signed("GET", "/item/20001"))
    assert seen <= EXAMINED_MAX


def test_long_values_are_cut_and_many_differences_end() -> None:
    asked = "{" + ",".join(f'"k{n}":"{"x" * 500}"' for n in range(50)) + "}"
    found = _explain(signed("POST", "/o", body=asked), [signed("POST", "/o", body="{}")])
    assert len(found) == 8
    assert all(len(d.asked or "") <= 120 for d in found)
