"""Refused requests that hold redacted values are named, with what to do; values that answers hand out are not meant."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.withheld import Withheld
from speedscale_runtime.rrpair import RRPair

PASSWORD = "REDACTED-PASSWORD-0123456789abcdef0123"
JWT = "REDACTED-JWT-0123456789abcdef0123"


def request(body: str = "", **headers: str) -> RRPair:
    req: dict[str, Any] = {"method": "POST", "url": "/x", "headers": {k: [v] for k, v in headers.items()}}
    return RRPair({"http": {"req": req, "res": {"statusCode": 200}}}, body.encode(), b"")


def answer(status: int, body: str = "", **headers: str) -> Answer:
    return Answer(status, {k: [v] for k, v in headers.items()}, body.encode())


def test_a_refused_login_names_endpoint_kind_and_remedy() -> None:
    seen = Withheld()
    seen.take("POST /login", request(f'{{"password":"{PASSWORD}"}}'), answer(200, f'{{"token":"{JWT}"}}'), answer(401))
    seen.take("GET /me", request(Authorization=f"Bearer {JWT}"), answer(200), answer(401))
    assert "1 refused request holds redacted values: POST /login (PASSWORD)" in seen.notice()
    assert "--transform-set" in seen.notice()
    assert "/me" not in seen.notice(), "its token came from an answer: smart replacement is for that"


def test_basic_credentials_are_looked_into() -> None:
    seen = Withheld()
    coded = base64.b64encode(f"jane:{PASSWORD}".encode()).decode()
    seen.take("GET /basic", request(Authorization=f"Basic {coded}"), answer(200), answer(401))
    assert "GET /basic (PASSWORD)" in seen.notice()


@pytest.mark.parametrize(("before", "after"), [(200, 200), (401, 401), (200, 500), (200, 0)])
def test_only_what_was_accepted_before_and_is_refused_now_counts(before: int, after: int) -> None:
    seen = Withheld()
    seen.take("POST /login", request(PASSWORD), answer(before), answer(after))
    assert seen.notice() == ""


def test_many_endpoints_are_summed_up() -> None:
    seen = Withheld()
    for name in ("a", "b", "b", "c", "d", "e"):
        seen.take(name, request(PASSWORD), answer(200), answer(403))
    assert (
        "6 refused requests hold redacted values: b (PASSWORD), a (PASSWORD), c (PASSWORD) and 2 more" in seen.notice()
    )
