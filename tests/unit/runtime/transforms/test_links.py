"""Which values are found to come from earlier answers, and what is never replaced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run, SmartTable, compile_set, find_links
from speedscale_runtime.transforms.smart import worth

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2ln"


def pair(
    uri: str = "/", *, headers: dict[str, str] | None = None, body: object = None, answer: object = None,
    answer_headers: dict[str, list[str]] | None = None,
) -> RRPair:  # fmt: skip
    made = RRPair(
        {
            "http": {
                "req": {"uri": uri, "headers": {k: [v] for k, v in (headers or {}).items()}},
                "res": {"statusCode": 200, "headers": answer_headers or {}},
            }
        }
    )
    made.request_body = _bytes(body)
    made.response_body = _bytes(answer)
    return made


def _bytes(body: object) -> bytes:
    return b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()


KINDS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("JSON token as Bearer", {"answer": {"access_token": "opaque-token-9"}}, {"headers": {"Authorization": "Bearer opaque-token-9"}}, "opaque-token-9", "oauth2"),  # noqa: E501
    ("JWT", {"answer": {"token": JWT}}, {"headers": {"Authorization": f"Bearer {JWT}"}}, JWT, "jwt"),
    ("text JWT", {"answer": JWT}, {"headers": {"Authorization": f"Bearer {JWT}"}}, JWT, "jwt"),
    ("session cookie", {"answer_headers": {"Set-Cookie": ["sid=s3ssion; Path=/"]}}, {"headers": {"Cookie": "a=b; sid=s3ssion"}}, "s3ssion", "cookie"),  # noqa: E501
    ("id in the path", {"answer": {"order": {"id": 70012}}}, {"uri": "/orders/70012"}, "70012", "id"),
    ("id in the query", {"answer": [{"uuid": "c0ffee-11"}]}, {"uri": "/o?ref=c0ffee-11"}, "c0ffee-11", "id"),
    ("id in a JSON body", {"answer": {"cartId": "cart-77"}}, {"body": {"x": ["cart-77"]}}, "cart-77", "id"),
    ("id in a form", {"answer": {"cartId": "cart-77"}}, {"body": "cart=cart-77&n=1"}, "cart-77", "id"),
    ("Location", {"answer_headers": {"Location": ["http://h/orders/a1b2c3"]}}, {"uri": "/orders/a1b2c3"}, "a1b2c3", "id"),  # noqa: E501
    ("CSRF header", {"answer_headers": {"X-CSRF-Token": ["tok123456"]}}, {"headers": {"X-CSRF-Token": "tok123456"}}, "tok123456", "csrf"),  # noqa: E501
    ("ETag", {"answer_headers": {"ETag": ['W/"ab-12"']}}, {"headers": {"If-None-Match": 'W/"ab-12"'}}, 'W/"ab-12"', "value"),  # noqa: E501
    ("CSRF form field", {"answer": '<form><input type="hidden" name="csrf" value="tok/+9=="></form>'}, {"body": "csrf=tok%2F%2B9%3D%3D"}, "tok/+9==", "csrf"),  # noqa: E501
    ("redacted", {"answer": {"token": "REDACTED-JWT-00112233445566778899"}}, {"headers": {"Authorization": "Bearer REDACTED-JWT-00112233445566778899"}}, "REDACTED-JWT-00112233445566778899", "jwt"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("_", "gives", "uses", "value", "kind"), KINDS)
def test_links_are_found(_: str, gives: dict[str, Any], uses: dict[str, Any], value: str, kind: str) -> None:
    links = find_links([pair(**gives), pair(**uses)])
    assert [(p.recorded, p.kind) for p in links.at(0)] == [(value, kind)]
    assert links.pairs() == ((0, 1),)


NOT_LINKED: list[tuple[str, list[RRPair]]] = [
    ("too short", [pair(answer={"id": 1}), pair("/o/1")]),
    ("a word", [pair(answer={"status": "pending"}), pair(body={"status": "pending"})]),
    ("a small number without an id's name", [pair(answer={"total": 10000}), pair("/o?limit=10000")]),
    ("a sentence", [pair(answer={"id": "12 main street"}), pair(body={"a": "12 main street"})]),
    ("the client's own value", [pair("/o/abc-123"), pair(answer={"id": "abc-123"}), pair("/o/abc-123")]),
    ("echoed by the answer", [pair("/o/abc-123", answer={"id": "abc-123"}), pair("/o/abc-123")]),
    (
        "a header of both sides",
        [
            pair(answer_headers={"Content-Type": ["application/vnd.x1+json"]}),
            pair(headers={"Content-Type": "application/vnd.x1+json"}),
        ],
    ),
    ("a long word", [pair(answer={"type": "application/json"}), pair(headers={"Accept": "application/json"})]),
    ("never used later", [pair("/o/abc-123"), pair(answer={"id": "abc-123"})]),
]


@pytest.mark.parametrize(("_", "pairs"), NOT_LINKED)
def test_what_is_not_linked(_: str, pairs: list[RRPair]) -> None:
    assert len(find_links(pairs)) == 0


def test_a_vuser_learns_and_the_next_login_wins() -> None:
    recorded = [pair(answer={"access_token": "recorded-1"}), pair(headers={"Authorization": "Bearer recorded-1"})]
    links = find_links(recorded)
    run = Run(compile_set({}), links=links)
    for live in ("live-a", "live-b"):
        assert run.wants_response(recorded[0], 0)
        run.response(recorded[0], pair(answer={"access_token": live}), 0)
        made = run.request(recorded[1], 1)
        assert made.http_request is not None
        assert made.http_request["headers"]["Authorization"] == [f"Bearer {live}"]
    assert not run.wants_response(recorded[1], 1)
    assert run.table.learned == {"oauth2": 1}


def test_a_changed_shape_of_the_answer_teaches_nothing() -> None:
    recorded = [pair(answer={"token": "recorded-1"}), pair("/x/recorded-1")]
    run = Run(compile_set({}), links=find_links(recorded))
    for live in (pair(answer={"other": "x"}), pair(answer="<html>"), pair(), RRPair({})):
        run.response(recorded[0], live, 0)
    assert run.request(recorded[1], 1) is recorded[1]


def test_the_table_is_bounded() -> None:
    table = SmartTable(limit=2)
    for number in range(5):
        table.learn(f"recorded-{number}", "live", overwrite=False)
    assert (len(table), table.refused) == (2, 3)
    assert table.learn("recorded-0", "later", overwrite=False) == "live"


@given(st.text(max_size=5).filter(lambda t: not t.isdigit()) | st.integers(0, 9999).map(str) | st.just("aaaaaaaa"))
def test_short_and_dull_values_are_never_worth_it(value: str) -> None:
    assert not worth(value)


@given(
    st.lists(st.text("ab12/-", min_size=6, max_size=9), min_size=1, max_size=4, unique=True),
    st.text("ab12/- ", max_size=60),
)
def test_replacing_by_the_same_values_changes_nothing(keys: list[str], value: str) -> None:
    table = SmartTable()
    for key in keys:
        table.learn(key, key + "x", overwrite=True)
        table.learn(key, key, overwrite=True)
    uses = table.uses(None, lambda: value)
    assert table.replace(value, uses) == value


def test_only_whole_words_are_replaced_and_never_twice() -> None:
    table = SmartTable()
    table.learn("token-1", "token-2", overwrite=True)
    table.learn("token-2", "token-3", overwrite=True)
    value = "token-1 token-2 token-11 xtoken-1"
    assert table.replace(value, table.uses(None, lambda: value)) == "token-2 token-3 token-11 xtoken-1"
