"""What a national identifier is: a shape, a check, and the words that have to stand before it.

A scheme becomes a detector for running text (shape, check and one of its words within 48 bytes) and names of fields.
Under an unambiguous name a value needs only to look like an identifier (`national.general`); `guarded` names are
words of other meanings, too (`sin`, `pan`, `inn`), and ask for shape and check there as well. Checks see the
identifier without separators, in upper case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from speedscale_runtime.dlp.detectors import spelling
from speedscale_runtime.dlp.detectors.base import Detector, KeyRule, Verdict, whole

KIND = "NATIONAL_ID"
GROUP = "national_id"
NEAR = 48  # bytes before a value in which its word has to stand
SEPARATOR = rb"(?:[ ./\-]|\xc2\xa0)"
_DROPPED = b" ./-()\xc2\xa0"
_GAP = f"[^\\n]{{0,{NEAR - 8}}}"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One kind of national identifier.

    `words` are the phrases that name it in text and in fields; `guarded` those of them that mean other things as well.
    `shape` is a pattern in bytes without boundaries; `check` returns why a candidate is none, or an empty string.
    `lead` is how the shape begins, for the prefilter. `valid` and `invalid` are bare identifiers.
    """

    name: str
    words: tuple[str, ...]
    shape: bytes
    check: Callable[[bytes], str]
    valid: tuple[str, ...]
    invalid: tuple[str, ...]
    guarded: tuple[str, ...] = ()
    lead: str = r"[0-9][0-9 ./\-+]{2}"


def compact(value: bytes) -> bytes:
    """Return an identifier without separators, in upper case."""
    return value.translate(None, _DROPPED).upper()


def detectors(schemes: Sequence[Scheme]) -> tuple[Detector, ...]:
    """Return the detectors of schemes for running text."""
    return tuple(_detector(s) for s in schemes)


def key_rules(schemes: Sequence[Scheme]) -> tuple[KeyRule, ...]:
    """Return the rules for guarded names of fields: shape and check of one of the schemes that share it decide."""
    named: dict[str, list[Scheme]] = {}
    for scheme in schemes:
        for name in scheme.guarded:
            named.setdefault(name, []).append(scheme)
    return tuple(_key_rule(name, sharing) for name, sharing in named.items())


def _detector(scheme: Scheme) -> Detector:
    phrases = (*scheme.words, *scheme.guarded)
    near = re.compile(rb"(?i)(?<![A-Za-z0-9])(?:" + _phrases(phrases, rb"[ _\-.]{0,2}") + rb")(?![A-Za-z0-9])")
    spelt = "|".join(r"[ _\-.+]{0,2}".join(spelling.pattern(w) for w in p.split()) for p in phrases)

    def validate(match: re.Match[bytes], data: bytes) -> Verdict:
        why = scheme.check(compact(match.group()))
        if why:
            return why
        if near.search(data, max(0, match.start() - NEAR), match.start()) is None:
            return f"no word for it in the {NEAR} bytes before"
        return whole(match, "shape and check digits, behind a word for it")

    word = scheme.guarded[0] if scheme.guarded else scheme.words[0]
    return Detector(
        name=scheme.name,
        kind=KIND,
        prefilter=(f"(?:{spelt})[^A-Za-z0-9]{_GAP}{scheme.lead}",),
        grammar=re.compile(rb"(?i)(?<![\w.\-+/])(?:" + scheme.shape + rb")(?![\w]|[.\-/]\w)"),
        validate=validate,
        before=NEAR + 24,
        after=40,
        examples=tuple(f"{word}: {v}" for v in scheme.valid),
        counter_examples=(*(f"{word}: {v}" for v in scheme.invalid), *(f"order {v}" for v in scheme.valid)),
        caseless=True,
        group=GROUP,
        near=near,
    )


def _key_rule(name: str, schemes: Sequence[Scheme]) -> KeyRule:
    shapes = [(re.compile(rb"(?i)(?:" + s.shape + rb")"), s.check) for s in schemes]

    def accept(value: bytes) -> str:
        text = value.strip()
        for zeros in (b"", b"0", b"00") if text.isdigit() else (b"",):  # numbers lose the zeros that they begin with
            padded = zeros + text
            if any(shape.fullmatch(padded) and not check(compact(padded)) for shape, check in shapes):
                return "shape and check digits under a key for it"
        return ""

    return KeyRule(
        name=f"{GROUP}_{name}",
        kind=KIND,
        names=(name,),
        accept=accept,
        numbers=True,
        examples=tuple((name, v) for s in schemes for v in s.valid),
        counter_examples=tuple((name, v) for v in schemes[0].invalid if not accept(v.encode("utf-8"))),
        group=GROUP,
    )


def _phrases(phrases: Sequence[str], joint: bytes) -> bytes:
    return b"|".join(joint.join(spelling.pattern(w).encode("utf-8") for w in p.split()) for p in phrases)
