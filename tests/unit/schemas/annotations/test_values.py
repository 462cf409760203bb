"""Each type of values: what is accepted, as what, and what is refused with which reason."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_schemas.annotations import quantities, values
from speedscale_schemas.annotations.values import ValueType

GOOD: list[tuple[ValueType, str, Any]] = [
    (values.BOOLEAN, "true", True),
    (values.BOOLEAN, "false", False),
    (values.PORT, "1", 1),
    (values.PORT, "65535", 65535),
    (values.PORTS, "5432, 6379,5432", (5432, 6379)),
    (values.NETWORKS, "*", ("*",)),
    (values.NETWORKS, "10.10.0.40,10.200.10.0/24", ("10.10.0.40", "10.200.10.0/24")),
    (values.NETWORKS, "10.200.10.7/24, 8.8.8.8/32", ("10.200.10.0/24", "8.8.8.8")),
    (values.HOST, "localhost", "localhost"),
    (values.HOST, "127.0.0.1", "127.0.0.1"),
    (values.HOSTS, "example.com,my_svc.Internal.", ("example.com", "my_svc.Internal.")),
    (values.SECRET, "my-tls.v2", "my-tls.v2"),
    (values.SECRETS, "a,b", ("a", "b")),
    (values.FILE, "tls.key", "tls.key"),
    (values.FILE, "/etc/tls/tls.key", "/etc/tls/tls.key"),
    (values.VARIABLES, "A=1\n \n B=x=y \r\nC=", (("A", "1"), ("B", "x=y "), ("C", ""))),
    (values.TEXT, "-Da=b -Xmx1g", "-Da=b -Xmx1g"),
    (values.ID, "5f3f1c1e-6a0e", "5f3f1c1e-6a0e"),
    (values.URL, "https://a.example:8443/x?y", "https://a.example:8443/x?y"),
    (values.DURATION, "1h30m", "1h30m"),
    (quantities.CPU, "10m", "10m"),
    (quantities.CPU, "0.5", "0.5"),
    (quantities.CPU, "2", "2"),
    (quantities.BYTES, "32Mi", "32Mi"),
    (quantities.BYTES, "1e9", "1e9"),
    (quantities.BYTES, "0", "0"),
]
BAD: list[tuple[ValueType, str, str]] = [
    *[(values.BOOLEAN, text, "neither true nor false") for text in ("True", "TRUE", "yes", "1", "", " true", "t")],
    *[(values.PORT, text, "no port") for text in ("0", "65536", "-1", "80a", "", "８０", "1e3", "0x50")],
    (values.PORTS, "80,", "a comma too many"),
    (values.PORTS, "", "leave the annotation out"),
    (values.PORTS, "80-90", "'80-90'"),
    (values.NETWORKS, "10.0.0.0/33", "no IPv4 address"),
    (values.NETWORKS, "::1", "IPv6"),
    (values.NETWORKS, "*,10.0.0.1", "stands alone"),
    (values.NETWORKS, "example.com", "no IPv4 address"),
    (values.HOST, "http://localhost", "a URL"),
    (values.HOST, "1.2.3", "neither a host name"),
    (values.HOST, "a..b", "no host name"),
    (values.HOSTS, "a b", "no host name"),
    (values.HOSTS, "10.0.0.0/8", "ends in -ips"),
    (values.SECRET, "My-Secret", "no name"),
    (values.SECRET, "a/b", "no name"),
    (values.SECRET, "a" * 254, "no name"),
    (values.SECRETS, "a,B", "'B'"),
    (values.FILE, "/etc/../x", "no full path"),
    (values.FILE, "sub/tls.key", "neither a file name"),
    (values.FILE, "..data", "neither a file name"),
    (values.VARIABLES, "A", "line 1"),
    (values.VARIABLES, "A=1\nB C=2", "line 2"),
    (values.VARIABLES, "A=1\nA=2", "A twice"),
    (values.VARIABLES, "\n", "empty"),
    (values.TEXT, "  ", "empty"),
    (values.LINE, "a\nb", "line of 512"),
    (values.ID, "$SNAPSHOT", "a variable that was not filled in"),
    (values.ID, "a b", "no id"),
    (values.URL, "my-svc:8080", "scheme and host"),
    (values.URL, "http://", "scheme and host"),
    (values.URL, "http://[::1", ""),
    (values.DURATION, "10", "a number needs a unit"),
    (values.DURATION, "10 m", "no duration"),
    (values.DURATION, "0s", "no time"),
    (values.DURATION, "1d", "no duration"),
    (quantities.CPU, "500", "500m"),
    (quantities.CPU, "-1", "no quantity"),
    (quantities.CPU, "1 ", "no quantity"),
    (quantities.CPU, "1K", "no quantity"),
    (quantities.BYTES, "256m", "less than 1Mi"),
    (quantities.BYTES, "256", "less than 1Mi"),
    (quantities.BYTES, "1GB", "no quantity"),
]
ALL = [v for v in vars(values).values() if isinstance(v, ValueType)] + [quantities.CPU, quantities.BYTES]


@pytest.mark.parametrize(("type", "text", "value"), GOOD, ids=lambda v: getattr(v, "name", None) or repr(v))
def test_accepted(type: ValueType, text: str, value: Any) -> None:
    assert type.read(text) == value


@pytest.mark.parametrize(("type", "text", "reason"), BAD, ids=lambda v: getattr(v, "name", None) or repr(v))
def test_refused_with_a_reason(type: ValueType, text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        type.read(text)
    assert reason in str(caught.value)


def test_every_type_has_a_good_and_a_bad_case() -> None:
    assert {t.name for t in ALL} - {t.name for t, _, _ in GOOD} == {"line"}
    assert {t.name for t in ALL} == {t.name for t, _, _ in BAD}


@given(st.sampled_from(ALL), st.text(max_size=60))
def test_no_text_raises_anything_but_value_error(type: ValueType, text: str) -> None:
    with contextlib.suppress(ValueError):
        type.read(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", "0.1"),
        ("1.5Gi", "1610612736"),
        ("2k", "2000"),
        ("1e3", "1000"),
        ("1E", "1e18"),
        ("3u", "0.000003"),
        (".5", "0.5"),
    ],
)
def test_amounts(text: str, number: str) -> None:
    assert quantities.amount(text) == Decimal(number)


def test_durations_in_seconds() -> None:
    assert values.duration_s("1h30m") == 5400.0
    assert values.duration_s("1.5s500ms") == 2.0
