"""Names and values in running text: `password=…`, `"token": "…"`, `api_key: …`, `Set-Cookie: sid=…`, SQL comparisons.

Also what is left of JSON that was cut. Works outward from where the prefilter saw a name.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edit, Edits
from speedscale_runtime.dlp.tokens import TOKEN
from speedscale_runtime.dlp.triggers import KEY

from .base import Asks, Hits
from .escapes import unescape
from .json_text import bare_number
from .percent import unquote

_NAME = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-" + bytes(range(0x80, 0x100))
_NAME_AFTER = re.compile(rb"[A-Za-z0-9_.\-\[\]]{0,64}")
_BETWEEN = re.compile(
    rb"\\?[\"'`]?\]?\s{0,4}(?:=>|:=|==|=|:|>|\bis\b|\beq\b|\bLIKE\b)\s{0,4}"
    rb"(?:\"\"\"((?:[^\"]|\"(?!\"\")){0,8192})\"\"\"|\\?\"((?:[^\"\\]|\\[^\"]){0,8192})"
    rb"|'((?:[^'\\]|\\.|''){0,8192})'?|`([^`]{0,8192})`?"
    rb"|((?:Bearer|Basic|Token) +)?([^\s&,;\"'<>(){}\[\]\\]{1,8192}))",
    re.IGNORECASE,
)


_WORDS = re.compile(rb"[^ ]+(?= |\Z)")
_SENTENCE = re.compile(rb"(?i)\bis\s{1,4}\Z")
_SPENT = 64  # bytes in which what an action made of several words ends


def edits(engine: Asks, data: bytes, hits: Hits) -> Edits:
    """Return the edits of the values behind the names that fired."""
    out: Edits = []
    done = 0
    for pattern, end in hits:
        if pattern != KEY or end <= done:
            continue
        at = min(end, len(data))
        start = _name_start(data, at)
        if start == at and at > 0:
            at -= 1  # the pattern took the character behind the name with it
            start = _name_start(data, at)
        name_end = _NAME_AFTER.match(data, at).end()  # type: ignore[union-attr]
        done = name_end
        name = data[start:name_end].strip(b"[]")
        rule = engine.names.rule(name)
        if rule is None or rule.person:
            continue
        between = _BETWEEN.match(data, name_end)
        if between is None:
            continue
        engine.spend(between.end() - name_end)
        group = next((g for g in (1, 2, 3, 4, 6) if between.group(g) is not None), 0)
        if group:
            found = _value(engine, data, between, group, rule)
            if found:
                done = max(done, found[-1].end)
                out += found
    return out


def _name_start(data: bytes, end: int) -> int:
    """Return where the name that ends at an offset begins, at most 64 bytes before."""
    window = data[max(0, end - 64) : end]
    return end - len(window) + len(window.rstrip(_NAME))


def _value(engine: Asks, data: bytes, between: re.Match[bytes], group: int, rule: KeyRule) -> Edits:
    start, end = between.span(group)
    raw = data[start:end]
    value = unescape(raw)[0] if group == 2 and b"\\" in raw else raw
    if group == 6:
        if (
            rule.kind == "SECRET"
            and raw.isalpha()
            and (_SENTENCE.search(data, between.start(), start) or data[end : end + 1] == b"(")
        ):
            return []  # "the secret is assumed to be …", `token = makeToken()`
        if b"%" in raw:
            value = unquote(raw, form=True)[0]
        if value.isdigit() and bare_number(data, start, end):
            return engine.number(raw, start, rule, (), b"")
        if value.endswith(b".") and rule.kind != "PASSWORD":
            value, end = value[:-1], end - 1
        value, end = (value, end) if TOKEN.fullmatch(value) else _more(data, value, end, rule)
        raw = data[start:end]
        if engine.tokens.others and begins_spent(engine, data[start : start + _SPENT], rule.kind):
            return []
    found = engine.by_key(value, rule)
    if not found:
        return []
    if len(found) == 1 and found[0].end - found[0].start == len(value):
        note = found[0].notes
        return [Edit(start, end, found[0].new, note)]
    if value == raw[: len(value)]:
        return [Edit(start + e.start, start + e.end, e.new, e.notes) for e in found]
    return [engine.edit(start, end, rule.kind, value, rule.name, "stands behind a name for it")]


_WORDS_OF_NAMES = re.compile(
    rb"(?: (?:(?:van|von|der|de|da|di|la|del) ){0,2}[A-Z\xc3-\xc5][A-Za-z'\x80-\xff\-]{1,30}){1,3}"
)
_REST_OF_ADDRESS = re.compile(rb"(?:[^\r\n;|\"'<>{}()=:\\&]|&(?![\w.\-\[\]%+$~*\x80-\xff]{0,512}=)){1,120}")
_NEXT_NAME = re.compile(rb",? +[\w.\-]{1,40}\Z")


def _more(data: bytes, value: bytes, end: int, rule: KeyRule) -> tuple[bytes, int]:
    """Return a value without quotes with the words that belong to it: `Full name: Ada Byron`, an address to its end."""
    if rule.kind == "NAME" and value[:1].isupper() and (more := _WORDS_OF_NAMES.match(data, end)) is not None:
        stop = more.end()
    elif rule.kind == "ADDRESS" and (rest := _REST_OF_ADDRESS.match(data, end)) is not None:
        stop = rest.end()
        if data[stop : stop + 1] in (b"=", b":") and (name := _NEXT_NAME.search(data, end, stop)) is not None:
            stop = name.start()  # the name of the next value
        stop -= len(data[end:stop]) - len(data[end:stop].rstrip(b" \t,"))
    else:
        return value, end
    return (data[end - len(value) : stop], stop) if data[end - len(value) : end] == value else (value, end)


def begins_spent(engine: Asks, text: bytes, kind: str) -> bool:
    """Say whether a text begins with what an action made of a value of several words: its first is no value then."""
    ends = [m.end() for m in _WORDS.finditer(text)][1:5]
    return any(engine.tokens.spent(kind, text[:end].rstrip(b".,;")) for end in ends)
