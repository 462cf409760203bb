"""Names of the traffic in a snapshot (`service:host:port`), and selectors that choose mocks by them.

Used by snapshot, responder, controller and speedctl. Pure. Source: the vendor's snapshot manifest (`inTraffic`,
`outTraffic`) and the selectors of its CLI.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from .errors import ConfigError
from .validation import nearest

_KINDS = ("svc", "host", "glob")


class TrafficKey(NamedTuple):
    """Who spoke with whom: the recorded service, and the host and port of the destination (0 when unknown)."""

    service: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.service}:{host}:{self.port}"


def parse_key(text: str) -> TrafficKey:
    """Return the parts of `service:host:port`; ValueError where the text is none. IPv6 hosts stand in brackets."""
    head, _, port = text.rpartition(":")
    bracketed = head.endswith("]")
    service, _, host = head.removesuffix("]").partition(":[" if bracketed else ":")
    if (":" in host and not bracketed) or not port.isdigit() or int(port) > 65535 or not host:
        raise ValueError(f"{text!r} is no service:host:port")
    return TrafficKey(service, host, int(port))


@dataclass(frozen=True, slots=True)
class Selector:
    """One way to name traffic: `kind` is `key` (exact), `svc` (substring), `host` (exact) or `glob` (whole key)."""

    kind: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read an exact key, `svc:<substring>`, `host:<name>` or `glob:<pattern>`; ConfigError for an empty one."""
        kind, colon, value = text.partition(":")
        if colon and kind in _KINDS and not _is_key(text):
            if not value:
                raise ConfigError([f"selector {text!r}: nothing stands behind {kind}:"])
            return cls(kind, value)
        if not text:
            raise ConfigError(["selector: empty; give a key service:host:port, svc:…, host:… or glob:…"])
        return cls("key", text)

    def matches(self, key: TrafficKey) -> bool:
        """Say whether this selector names the key; host names compare without letter case."""
        if self.kind == "svc":
            return self.value in key.service
        if self.kind == "host":
            return self.value.lower() == key.host.lower()
        if self.kind == "glob":
            return fnmatchcase(str(key), self.value)
        return self.value == str(key)


def select(keys: Iterable[str], selectors: Iterable[str]) -> list[str]:
    """Return the keys that at least one selector names, in the keys' order; all keys when there is no selector.

    ConfigError lists every selector that names nothing, with the nearest keys: a typing error must not
    silently mock less.
    """
    listed = list(keys)
    parsed = [(text, Selector.parse(text)) for text in selectors]
    if not parsed:
        return listed
    chosen: set[str] = set()
    problems: list[str] = []
    for text, selector in parsed:
        found = [key for key in listed if selector.matches(parse_key(key))]
        if not found:
            near = nearest(text, listed) or listed[:5]
            problems.append(f"selector {text!r} names none of the traffic; there is {', '.join(near) or 'nothing'}")
        chosen.update(found)
    if problems:
        raise ConfigError(problems)
    return [key for key in listed if key in chosen]


def _is_key(text: str) -> bool:
    """Whether `svc:db:5432` is the key of a service called svc rather than a selector."""
    try:
        parse_key(text)
    except ValueError:
        return False
    return not text.startswith("glob:")
