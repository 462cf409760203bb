"""The types of annotation values: text in, a Python value or a reason out.

Called by the table (each row names a type) and by `parse`. Pure. A reader raises ValueError whose message says what
is wrong; what would be right is the type's `accepted`. Accepted texts are those of the vendor's reference: a boolean
is `true` or `false` and nothing else, because a mistyped boolean must not pass as false. Quantities are in
`quantities`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type of values: its name, what it accepts in words, how a text is read, an example.

    `options` are the words of an enumeration or boolean, else empty.
    """

    name: str
    accepted: str
    read: Reader
    example: str
    options: tuple[str, ...] = ()


def choice(*options: str) -> ValueType:
    """Return the type of an enumeration."""

    def read(text: str) -> str:
        if text not in options:
            raise ValueError("is none of the accepted words")
        return text

    return ValueType("choice", ", ".join(options), read, options[-1], options)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return text == "true"


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("is no port number")
    return int(text)


def _items(text: str) -> list[str]:
    if not text.strip():
        raise ValueError("is empty; leave the annotation out instead")
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise ValueError("has an empty item (a comma too many)")
    return items


def _each(text: str, read: Reader) -> tuple[Any, ...]:
    """Read a comma-separated list and say which item is wrong; an item that is given twice counts once."""
    found: dict[Any, None] = {}
    for item in _items(text):
        try:
            found[read(item)] = None
        except ValueError as error:
            raise ValueError(f"has the item {item[:60]!r}, which {error}") from None
    return tuple(found)


def _ports(text: str) -> tuple[int, ...]:
    return _each(text, _port)


def _network(text: str) -> str:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is no IPv4 address or CIDR block") from None
    if isinstance(network, IPv6Network):
        raise ValueError("is IPv6; only IPv4 can be bypassed")
    return str(network.network_address) if network.prefixlen == 32 else str(network)


def _networks(text: str) -> tuple[str, ...]:
    items = _items(text)
    if "*" in items:
        if len(set(items)) > 1:
            raise ValueError("has * beside other items; * stands alone")
        return ("*",)
    return _each(text, _network)


# Host names in the wild have upper case and underscores; both resolve.
_HOST_LABEL = r"[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*\.?")
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def _host(text: str) -> str:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            return str(IPv4Address(text))
        except ValueError:
            raise ValueError("is neither a host name nor an IPv4 address") from None
    if len(text) > 253 or not _HOST.fullmatch(text):
        raise ValueError("is a URL, not a host name" if "://" in text else "is no host name")
    return text


def _name_of_host(text: str) -> str:
    if re.fullmatch(r"[0-9.]+(?:/[0-9]+)?", text):
        raise ValueError("is an address, not a host name; addresses go into the annotation that ends in -ips")
    return _host(text)


def _hosts(text: str) -> tuple[str, ...]:
    return _each(text, _name_of_host)


def _object_name(text: str) -> str:
    if len(text) > 253 or not _SUBDOMAIN.fullmatch(text):
        raise ValueError("is no name of a Kubernetes object")
    return text


def _object_names(text: str) -> tuple[str, ...]:
    return _each(text, _object_name)


def _file(text: str) -> str:
    """Read the key of a Secret (`tls.key`), or a full path in the container."""
    if text.startswith("/"):
        if text.endswith("/") or ".." in text.split("/") or "\0" in text:
            raise ValueError("is no full path of a file")
    elif len(text) > 253 or not re.fullmatch(r"[-._a-zA-Z0-9]+", text) or text.startswith(".."):
        raise ValueError("is neither a file name in a Secret nor a full path")
    return text


_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def _variables(text: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.lstrip(" \t").removesuffix("\r")  # blanks at the end belong to the value
        if not line:
            continue
        name, equals, value = line.partition("=")
        if not equals or not _VARIABLE.fullmatch(name):
            raise ValueError(f"has a line {number} that is not NAME=value")
        if name in found:
            raise ValueError(f"names {name} twice")
        found[name] = value
    if not found:
        raise ValueError("is empty; leave the annotation out instead")
    return tuple(found.items())


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; leave the annotation out instead")
    return text


def _line(text: str) -> str:
    if len(text) > 512 or "\n" in text:
        raise ValueError("is longer than a line of 512 characters")
    return _text(text)


def _id(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        hint = " (a variable that was not filled in?)" if set("${}<>") & set(text) else ""
        raise ValueError(f"is no id{hint}")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)  # ValueError for a broken IPv6 address, in urllib's words
    if not parts.scheme or not parts.hostname or re.search(r"\s", text) or len(text) > 2048:
        raise ValueError("is no URL with scheme and host")
    return text


_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def duration_s(text: str) -> float:
    """Return the seconds that a Go duration means (`10m`, `1h30m`); ValueError for what is none or not above zero."""
    if len(text) > 32 or not re.fullmatch(rf"(?:{_DURATION_PART.pattern})+", text):
        raise ValueError("is no duration (a number needs a unit)" if text.isdigit() else "is no duration")
    total = sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(text))
    if total <= 0:
        raise ValueError("is no time at all")
    return total


def _duration(text: str) -> str:
    duration_s(text)
    return text


BOOLEAN = ValueType("boolean", "true, false", _boolean, "true", ("true", "false"))
PORT = ValueType("port", "a port from 1 to 65535", _port, "8080")
PORTS = ValueType("ports", "ports from 1 to 65535, separated by commas", _ports, "5432,6379")
NETWORKS = ValueType(
    "addresses",
    "IPv4 addresses and CIDR blocks, separated by commas, or * alone",
    _networks,
    "10.10.0.40,10.200.10.0/24",
)
HOST = ValueType("host", "a host name or an IPv4 address", _host, "localhost")
HOSTS = ValueType("hosts", "host names, separated by commas", _hosts, "example.com,payments.internal")
SECRET = ValueType("secret", "the name of a Secret: lower-case letters, digits, - and .", _object_name, "payments-tls")
SECRETS = ValueType("secrets", "names of Secrets, separated by commas", _object_names, "shop-login,shop-token")
FILE = ValueType("file", "a file name in the Secret, or a full path without one", _file, "tls.pem")
VARIABLES = ValueType("variables", "lines NAME=value", _variables, "GRPC_GO_LOG_SEVERITY_LEVEL=info")
TEXT = ValueType("text", "text", _text, "-Xmx512m")
LINE = ValueType("line", "a line of at most 512 characters", _line, "v1.4.2")
ID = ValueType("id", "an id: letters, digits, . _ and -", _id, "5f3f1c1e-6a0e-5a42-9d55-0d3a3c3a6f10")
URL = ValueType("url", "a URL with scheme and host", _url, "https://staging.example.com")
DURATION = ValueType("duration", "a duration with units h, m, s, ms", _duration, "10m")
