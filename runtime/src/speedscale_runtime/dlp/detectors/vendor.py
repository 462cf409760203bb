"""How the files of vendors' tokens are written: a prefix that the vendor documents, an alphabet, a length.

A prefix of its own makes a token recognisable anywhere, so no context is asked for. All of them are of kind SECRET, so
that a token has the same replacement in a text as under the name `token`; the detector's name says whose it is.
Examples are put together here from prefix and filler, so that no file holds anything that scanners take for a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .base import Detector, Verdict, whole

_FILLER = {
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "lower": "a0b1c2d3e4f5g6h7i8j9k2m3n4p5q6r7s8t9",
    "upper": "A0B1C2D3E4F5G6H7I8J9K2M3N4P5Q6R7S8T9",
    "alnum": "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY",
    "alpha": "aBdEfGhJkLmNpQrStUvWxYzC",
    "url": "aB3-E5f_7hJ9kL1mN2pQ4rS6tU8vW0xY",
    "base64": "aB3+E5f/7hJ9kL1mN2pQ4rS6tU8vW0xY",
}
_CLASS = {
    "hex": "0-9a-f",
    "HEX": "0-9A-Fa-f",
    "lower": "0-9a-z",
    "upper": "0-9A-Z",
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "url": "0-9A-Za-z_\\-",
    "base64": "0-9A-Za-z+/",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A kind of token: `prefix` (a pattern), then `least` to `most` characters of an alphabet, then `tail` (a pattern).

    `sample` is the prefix, `sample_tail` the tail of the example where they are no plain text.
    """

    prefix: str
    alphabet: str
    least: int
    most: int = 0
    tail: str = ""
    sample: str = ""
    sample_tail: str = ""

    @property
    def body(self) -> str:
        """The pattern of the whole token."""
        most = self.most or self.least
        return f"{self.prefix}[{_CLASS[self.alphabet]}]{{{self.least},{most}}}{self.tail}"

    @property
    def head(self) -> str:
        """The pattern of as much as the prefilter needs to see."""
        prefix = self.prefix.replace("(?<=", "(?:")
        return f"{prefix}[{_CLASS[self.alphabet]}]{{{min(self.least, 8)}}}"

    def example(self, short: int = 0) -> str:
        """Return a token with filler in it, `short` characters too short."""
        filler = _FILLER[self.alphabet] * (self.least // 16 + 1)
        return (self.sample or self.prefix.replace("\\", "")) + filler[: self.least - short] + self.sample_tail


def detector(name: str, *tokens: Token, group: str = "vendor_token") -> Detector:
    """Return the detector of one vendor's tokens."""
    body = "|".join(t.body for t in tokens)
    longest = max((t.most or t.least) for t in tokens) + 200

    def validate(match: re.Match[bytes], data: bytes) -> Verdict:
        return whole(match, "a documented prefix and the length that goes with it")

    return Detector(
        name=name,
        kind="SECRET",
        prefilter=tuple(t.head for t in tokens),
        grammar=re.compile(f"(?<![A-Za-z0-9_\\-])(?:{body})(?![A-Za-z0-9])".encode("ascii")),
        validate=validate,
        before=128,
        after=longest,
        examples=tuple(t.example() for t in tokens),
        counter_examples=tuple(t.example(short=t.least - 4) for t in tokens),
        group=group,
    )
