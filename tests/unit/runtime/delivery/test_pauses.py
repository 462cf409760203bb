"""What a Retry-After header asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from speedscale_runtime.delivery.pauses import LONGEST_S, retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        (" 7 ", 7),
        ("99999999999999999999", LONGEST_S),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2015 07:27:59 GMT", 0),
        ("Wed, 21 Oct 2215 07:28:00 GMT", LONGEST_S),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 0),
        ("Wed, 21 Oct 2015 09:28:30 +0200", 30),
        ("Wed, 99 Oct 2015 07:28:30 GMT", 0),
    ],
)
def test_seconds_or_a_date_within_bounds(text: str | None, seconds: float) -> None:
    now = datetime(2015, 10, 21, 7, 28, tzinfo=UTC)
    assert retry_after(text, lambda: now) == seconds


def test_without_a_clock_of_the_caller_s_it_is_the_machine_s() -> None:
    assert retry_after("Wed, 21 Oct 2015 07:28:30 GMT") == 0
