"""Payment card numbers: 12 to 19 digits, an issuer's prefix and length (ISO/IEC 7812), Luhn, boundaries.

Published test numbers (4111…) are taken like any other. Epoch milliseconds and most ids fall to prefix or Luhn.
"""

from __future__ import annotations

import re

from .base import Detector, KeyRule, Take, Verdict
from .checks import luhn

# prefix range (inclusive, compared on as many digits) -> lengths: international schemes, then local ones
_ISSUERS: tuple[tuple[int, int, int, frozenset[int]], ...] = tuple(
    (width, low, high, frozenset(lengths))
    for width, low, high, lengths in (
        (1, 4, 4, (13, 16, 19)),
        (2, 51, 55, (16,)),
        (4, 2221, 2720, (16,)),
        (2, 34, 34, (15,)),
        (2, 37, 37, (15,)),
        (3, 300, 305, (14, 16)),
        (2, 36, 36, (14, 16, 19)),
        (2, 38, 39, (14, 16, 19)),
        (4, 6011, 6011, (16, 19)),
        (3, 644, 649, (16, 19)),
        (2, 65, 65, (16, 19)),
        (4, 3528, 3589, (16, 19)),
        (2, 35, 35, (16,)),  # what generators of test data write for JCB
        (4, 2131, 2131, (15,)),
        (4, 1800, 1800, (15,)),
        (2, 62, 62, (16, 19)),
        (4, 2200, 2204, (16, 19)),
        (3, 508, 508, (16,)),
        (2, 81, 82, (16,)),
        (3, 606, 608, (16,)),
        (3, 509, 509, (16,)),
        (4, 5019, 5019, (16,)),
        (4, 5060, 5067, (16, 18, 19)),
        (4, 5602, 5602, (16,)),
        (4, 5610, 5610, (16,)),
        (4, 8600, 8600, (16,)),
        (4, 6703, 6709, (16, 17, 18, 19)),
        (4, 6771, 6771, (16, 17, 18, 19)),
        (4, 5018, 5018, (12, 13, 16, 18, 19)),
        (4, 5020, 5020, (12, 13, 16, 18, 19)),
        (4, 5038, 5038, (12, 13, 16, 18, 19)),
        (4, 5893, 5893, (12, 13, 16, 18, 19)),
        (4, 6304, 6304, (12, 13, 16, 18, 19)),
        (4, 6759, 6759, (12, 13, 16, 18, 19)),
        (4, 6761, 6763, (12, 13, 16, 18, 19)),
    )
)


def _by_prefix() -> list[tuple[int, ...]]:
    """Return, for each first four digits, the lengths that a card may have, the longest first."""
    table: list[set[int]] = [set() for _ in range(10_000)]
    for width, low, high, lengths in _ISSUERS:
        step = 10 ** (4 - width)
        for four in range(low * step, (high + 1) * step):
            table[four] |= lengths
    return [tuple(sorted(found, reverse=True)) for found in table]


_LENGTHS = _by_prefix()
# space, dash, and their typographic kin (no-break space, U+2009, U+2010 to U+2012, U+202F) in UTF-8
_SEPARATOR = rb"(?:[ \-]|\xc2\xa0|\xe2\x80[\x89\x90-\x92\xaf])"
_GRAMMAR = re.compile(
    rb"(?<![\dA-Za-z_.])(?<!\d[-])(?:\d{4}(?:\.\d{4}){3}(?![.\d])|(?:[2-68]\d{0,3}|1800)(?:"
    + _SEPARATOR
    + rb"?\d){9,22})(?![A-Za-z_])"
)

_CUT = re.compile(_SEPARATOR + rb"|\.")


def _grouped(text: bytes) -> bool:
    """Say whether the groups are those of a card: of one length (the last may differ), or 4-6-5 and 4-6-4."""
    lengths = [len(group) for group in _CUT.split(text)]
    return lengths in ([4, 6, 5], [4, 6, 4]) or (len(set(lengths[:-1])) < 2 and lengths[-1] <= max(4, *lengths))


def issuer(digits: bytes) -> bool:
    """Say whether prefix and length belong to a card scheme."""
    return len(digits) >= 12 and len(digits) in _LENGTHS[int(digits[:4])]


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group()
    positions = [i for i, c in enumerate(text) if 48 <= c <= 57]
    digits = text if len(positions) == len(text) else bytes(text[p] for p in positions)
    bare = digits is text
    why = "no issuer's prefix and length"
    for count in _LENGTHS[int(digits[:4])]:
        if count > len(digits):
            continue
        why = "fails the Luhn check"
        end = positions[count - 1] + 1
        if end < len(text) and text[end : end + 1].isdigit():
            continue  # would cut a group of digits in two
        if luhn(digits[:count]):
            if len(set(digits[:count])) == 1:
                return "one digit repeated"
            if not bare and not _grouped(text[:end]):
                why = "groups of digits as no card has them"
                continue
            following = data[match.start() + end : match.start() + end + 1]
            if bare and count == len(digits) and following.isalnum():
                return "digits go on into a word"
            return Take(match.start(), match.start() + end, "issuer prefix and length, Luhn")
    return why


def _accept(value: bytes) -> str:
    digits = re.sub(rb"[ \-]", b"", value)
    return "a card number by its key" if digits.isdigit() and 12 <= len(digits) <= 19 else ""


DETECTORS = (
    Detector(
        name="card",
        kind="CREDIT_CARD",
        prefilter=(
            r"(?:^|[^0-9A-Za-z_.])[2-68](?:[ \-+]?[0-9]){11}",
            r"(?:^|[^0-9A-Za-z_.])1800[ \-+]?[0-9]{6}[ \-+]?[0-9]{5}",
            r"[2-6][0-9]{3}(?:\xc2\xa0|\xe2\x80[\x89\x90-\x92\xaf]|\.)[0-9]{4}",
        ),
        grammar=_GRAMMAR,
        validate=_validate,
        before=72,
        after=64,
        examples=(
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "card 4111 1111 1111 1111 12/27",
            "2223003122003222",
            "3502641507725776",
            "180071776337829",
            "4111.1111.1111.1111",
            "4111\u00a01111\u00a01111\u00a01111",
        ),
        counter_examples=(
            "1700000000000",
            "4111111111111112",
            "9111111111111111",
            "0000000000000000",
            "c0a8012e-7c5f-4d98-9b02-3b2af96f5df7",
            "3141592653589793",
            "c366 355 9023 354-10-195-4192-1860",
            "445 3930 1632 8510 6660 10913",
        ),
    ),
)
KEY_RULES = (
    KeyRule(
        name="card_key",
        kind="CREDIT_CARD",
        names=(
            "card number",
            "cardnumber",
            "card no",
            "cc number",
            "ccnumber",
            "credit card",
            "creditcard",
            "debit card",
            "card num",
            "primary account number",
            "payment card",
            "kreditkarte",
            "kreditkartennummer",
            "kartennummer",
            "numéro carte",
            "número tarjeta",
            "numéro de carte",
            "número de tarjeta",
            "tarjeta crédito",
            "número cartão",
            "número do cartão",
            "numero carta",
            "kaartnummer",
            "numer karty",
            "kortnummer",
            "kart numarası",
            "číslo karty",
            "номер карты",
            "カード番号",
            "卡号",
            "카드번호",
        ),
        exact=("ccnum", "card pan", "cc", "cc num"),
        accept=_accept,
        numbers=True,
        examples=(
            ("cardNumber", "4242 4242 4242 4241"),
            ("cardPan", "4111111111111112"),
            ("numeroTarjeta", "576769851576"),
        ),
        counter_examples=(("cardNumber", "**** 4242"), ("ccnum", "left")),
        group="card",
    ),
)
