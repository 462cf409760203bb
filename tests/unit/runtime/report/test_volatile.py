"""Values that change by themselves, and those that must not be mistaken for them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speedscale_runtime.report.volatile import Learnt, pattern

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


@pytest.mark.parametrize(
    ("recorded", "replayed", "key", "wanted"),
    [
        ("2026-01-02T03:04:05Z", "2026-05-06T07:08:09.123456Z", "x", "date"),
        ("2026-01-02", "2027-01-02", "x", "date"),
        ("Fri, 02 Jan 2026 03:04:05 GMT", "Sat, 03 Jan 2026 03:04:06 GMT", "x", "date"),
        (1767323045, 1777323045, "createdAt", "date"),
        (1767323045, 1777323045, "amount", ""),
        (1767323045123, 1777323045124, "anything", "date"),
        ("1767323045", "1777323045", "exp", "date"),
        ("3f0e6f6e-52f1-4a1e-9e0c-0d3a0f6f2b11", "00000000-52f1-4a1e-9e0c-0d3a0f6f2b12", "x", "uuid"),
        ("order 3f0e6f6e-52f1-4a1e-9e0c-0d3a0f6f2b11 ok", "order 00000000-52f1-4a1e-9e0c-0d3a0f6f2b12 ok", "x", "uuid"),
        ("order 3f0e6f6e-52f1-4a1e-9e0c-0d3a0f6f2b11 ok", "order 00000000-52f1-4a1e-9e0c-0d3a0f6f2b12 no", "x", ""),
        (f"Bearer {JWT}", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.b3RoZXI", "x", "jwt"),
        ("507f1f77bcf86cd799439011", "507f191e810c19729de860ea", "x", "id"),
        ("ord_a8Fk2xQ97b", "ord_z1Gh7kPq48", "x", "id"),
        ("REDACTED-EMAIL-0123456789abcdef0123", "someone@example.com", "x", "redacted"),
        ("Bearer REDACTED-JWT-0123456789abcdef0123", "Bearer abc", "x", "redacted"),
        ("Bearer REDACTED-JWT-0123456789abcdef0123", "Basic abc", "x", ""),
        ("Bearer REDACTED-JWT-0123456789abcdef0123", "Bearer REDACTED-JWT-99999999999999999999", "x", "redacted"),
        ("REDACTED-EMAIL-0123456789abcdef0123", "REDACTED-EMAIL-99999999999999999999", "x", ""),
        ("REDACTED-EMAIL-0123456789abcdef0123", "REDACTED-JWT-0123456789abcdef0123", "x", ""),
        ("a REDACTED-JWT-0123456789abcdef0123", "b REDACTED-JWT-99999999999999999999", "x", ""),
        (771, 772, "id", ""),
        ("771", "772", "id", ""),
        ("confirmed", "cancelled", "status", ""),
        ("order1234", "order1235", "id", ""),
        ("19.90", "29.90", "price", ""),
        (True, False, "x", ""),
        ("deadbeefcafe", "feedfacecafe", "x", ""),
        (None, "x", "x", ""),
    ],
)
def test_what_makes_two_values_volatile(recorded: object, replayed: object, key: str, wanted: str) -> None:
    assert pattern(recorded, replayed, key) == wanted


def test_what_the_replay_put_in_place_is_known() -> None:
    learnt = Learnt()
    learnt.add("7001", "9123")
    assert pattern(7001, 9123, "id", learnt) == "replaced"
    assert pattern("/orders/7001/items", "/orders/9123/items", "href", learnt) == "replaced"
    assert pattern(7001, 9124, "id", learnt) == ""


def test_the_memory_of_replacements_is_bounded_and_says_so() -> None:
    learnt = Learnt(limit=2)
    learnt.update({"aaaa": "1", "bbbb": "2", "cccc": "3"})
    assert learnt.left_out == 1
    assert not learnt.explains("cccc", "3")


@example("¹", "0")  # a digit that is no number
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_get_an_answer(a: str, b: str) -> None:
    assert isinstance(pattern(a, b), str)


@given(st.text(alphabet="REDACT-EMIL0123456789abcdef ", max_size=200), st.text(max_size=40))
def test_a_text_full_of_tokens_takes_no_time(a: str, b: str) -> None:
    assert isinstance(pattern(a, b), str)
