"""The query string of a signature: decoded, sorted by name, in the one-key form.

The vendor wrote one key `http:queryparams` with all parameters, later one key a parameter. We write the first form,
because it is also what stands for "no query", and read both (`joined`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from . import keys
from .text import utf8


def canonical_query(raw: str) -> bytes:
    """Return a raw query string as `name=value&…`: decoded, stably sorted by name; empty for an empty query.

    Order among values of one name is kept, since servers read meaning into it.
    """
    if not raw:
        return b""
    if "=" in raw and not any(c in raw for c in "&%+;"):
        return utf8(raw)
    return _join(parse_qsl(raw, keep_blank_values=True, errors="surrogateescape"))


def from_params(params: Mapping[str, object]) -> bytes:
    """Return the same form for an RRPair's `queryParams` (name → list of decoded values)."""
    pairs: list[tuple[str, str]] = []
    for name, values in params.items():
        listed = values if isinstance(values, list) else [values]
        pairs += [(name, str(value)) for value in listed]
    return _join(pairs)


def joined(signature: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the signature with one-key-a-parameter queries in the one-key form; others unchanged."""
    parts = [(k[len(p) :], v) for k, v in signature.items() for p in keys.QUERY_PREFIXES if k.startswith(p)]
    if not parts:
        return dict(signature)
    kept = {k: v for k, v in signature.items() if not k.startswith(keys.QUERY_PREFIXES)}
    kept[keys.QUERY] = _join((name, value.decode("utf-8", "surrogateescape")) for name, value in parts)
    return kept


def _join(pairs: Iterable[tuple[str, str]]) -> bytes:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    return utf8("&".join(f"{name}={value}" for name, value in ordered))
