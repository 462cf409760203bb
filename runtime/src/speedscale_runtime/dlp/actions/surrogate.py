"""Surrogates: keyed values that look like what they replace, and are recognised by a part that follows from the rest.

- CREDIT_CARD, SSN, PHONE and NATIONAL_ID of digits keep their separators: a 9 (8 from 16 digits on, which no real one
  begins with), free digits, check digits, and Luhn's digit for cards.
- An SSN of nine digits comes from those that were never given to anybody (area 9, group below 50): half a million of
  them, told by two digits, the same for a JSON number.
- IBAN keeps country, length, letters and digits where they were, and valid check digits (mod 97).
- EMAIL keeps the local part's shape; its domain follows from it and is under `.test` (reserved, RFC 2606).
- IP4 comes from 240.0.0.0/4 (reserved, RFC 1112), IP6 from 2001:db8::/32 (documentation, RFC 3849).
- BIRTH_DATE keeps its form, in the years 1800 to 1899, in which nobody alive was born.
- All others keep length, case, digits and separators; the last characters follow from those before.

What follows is a keyed hash under any key of the ring: of 20 bits, so that one value in a million is taken for a
surrogate and left. What is too short for that gets a token instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Digest = Callable[[bytes], bytes]

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
_BITS = {10: 3.32, 16: 4.0, 26: 4.7}
_CHECK_BITS = 20.0
_FREE_BITS = 16.0
_HEX_KINDS = frozenset(("UUID", "MAC", "TRACE_ID", "SPAN_ID", "MD5", "SHA1", "SHA256", "SHA384", "SHA512"))
_DATE = re.compile(r"(?:(\d{4})([-/.])(\d\d)\2(\d\d)|(\d\d)([-/.])(\d\d)\6(\d{4}))(.*)", re.DOTALL)
_NUMERIC = frozenset(("CREDIT_CARD", "SSN", "PHONE", "NATIONAL_ID"))
_LABEL = 8
_RESERVED = ".test"


class Surrogates:
    """Makes surrogates under the first digest and recognises those of all (a ring's keys, the active one first)."""

    def __init__(self, digests: tuple[Digest, ...]) -> None:
        self._digests = digests

    def make(self, kind: str, value: bytes, canonical: bytes) -> bytes | None:
        """Return the surrogate of a value, or None when it is too short to be recognised again.

        `canonical` is what the spellings of the value share: it decides, and `value` gives the shape.
        """
        text = value.decode("utf-8", "replace")
        made = self._made(kind, text, canonical, self._digests[0])
        return None if made is None else made.encode("utf-8")

    def knows(self, kind: str, value: bytes) -> bool:
        """Say whether a value is a surrogate that a key of the ring made."""
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return any(self._checked(kind, text, d) for d in self._digests)

    def _made(self, kind: str, text: str, canonical: bytes, digest: Digest) -> str | None:
        if kind == "EMAIL":
            return _email(text, canonical, digest)
        if kind == "BIRTH_DATE":
            return _date(text, canonical, digest)
        if kind in ("IP4", "IP6"):
            return _address(kind, digest(b"address:" + canonical).hex(), digest)
        if kind in _NUMERIC and _all_digits(text):
            return _numeric(kind, text, canonical, digest)
        if kind == "IBAN":
            return _iban(text, canonical, digest)
        return _shaped(text, canonical, digest, _alphabet(kind))

    def _checked(self, kind: str, text: str, digest: Digest) -> bool:
        if kind == "EMAIL":
            local, _, domain = text.strip().lower().partition("@")
            return bool(domain) and domain == _domain(local, len(domain), digest)
        if kind == "BIRTH_DATE":
            date = _DATE.fullmatch(text.strip())
            return date is not None and 1800 <= int(date.group(1) or date.group(8)) < 1900
        if kind == "IP4":
            parts = text.strip().split(".")
            reserved = len(parts) == 4 and parts[0].isdigit() and 240 <= int(parts[0]) < 255
            return reserved and text.strip() == _address(kind, "", digest, given=parts[:2])
        if kind == "IP6":
            parts = text.strip().lower().split(":")
            return parts[:2] == ["2001", "db8"] and text.strip() == _address(kind, "", digest, given=parts[2:4])
        if kind in _NUMERIC and _all_digits(text):
            digits = [c for c in text if c.isdigit()]
            return _numeric_check(kind, "".join(digits), digest)
        if kind == "IBAN":
            compact = re.sub(r"[^0-9A-Za-z]", "", text).upper()
            return len(compact) > 14 and compact[2:4] == _mod97(compact) and _tail_fits(compact[4:], digest)
        return _tail_fits(text, digest, _alphabet(kind))


def _alphabet(kind: str) -> str:
    return _HEX if kind in _HEX_KINDS else _LOWER


def _all_digits(text: str) -> bool:
    return sum(c.isdigit() for c in text) >= 7 and not any(c.isalpha() for c in text)


def _stream(digest: Digest, seed: bytes, count: int) -> list[int]:
    """Return `count` numbers below 2**16 that follow from a seed."""
    out: list[int] = []
    block = 0
    while len(out) < count:
        raw = digest(b"surrogate:%d:" % block + seed)
        out += [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
        block += 1
    return out[:count]


def _filled(template: str, numbers: list[int], alphabet: str) -> str:
    """Return a text of the template's shape; `alphabet` is for letters, and for digits where it holds some."""
    out: list[str] = []
    for char, number in zip(template, numbers, strict=False):
        if not char.isalnum():
            out.append(char)
            continue
        letters = alphabet if alphabet is _HEX or not char.isdigit() else _DIGITS
        made = letters[number % len(letters)]
        out.append(made.upper() if char.isupper() else made)
    return "".join(out)


def _split(text: str, alphabet: str) -> int | None:
    """Return where the part that checks the rest begins, or None when the text is too short for one."""
    bits = [
        0.0 if not c.isalnum() else _BITS[len(alphabet if alphabet is _HEX or not c.isdigit() else _DIGITS)]
        for c in text
    ]
    check, at = 0.0, len(text)
    while at > 0 and check < _CHECK_BITS:
        at -= 1
        check += bits[at]
    return at if check >= _CHECK_BITS and sum(bits[:at]) >= _FREE_BITS else None


def _shaped(text: str, canonical: bytes, digest: Digest, alphabet: str = _LOWER) -> str | None:
    at = _split(text, alphabet)
    if at is None:
        return None
    front = _filled(text[:at], _stream(digest, b"free:" + canonical, at), alphabet)
    made = front + _tail(front, text[at:], digest, alphabet)
    return made if _split(made, alphabet) == at and made != text else None


def _tail(front: str, template: str, digest: Digest, alphabet: str) -> str:
    return _filled(template, _stream(digest, b"check:" + front.lower().encode("utf-8"), len(template)), alphabet)


def _tail_fits(text: str, digest: Digest, alphabet: str = _LOWER) -> bool:
    at = _split(text, alphabet)
    return at is not None and text[at:].lower() == _tail(text[:at], text[at:], digest, alphabet).lower()


def ssn(digits: bytes, digest: Digest) -> str:
    """Return the surrogate of a social security number of nine digits.

    Numbers with area 9 are given to nobody but as ITIN, and those have groups from 50 on (SSA, IRS Publication 1915).
    """
    area, group, serial = _stream(digest, b"ssn:" + digits, 3)
    front = f"9{area % 100:02}{group % 50:02}{serial % 100:02}"
    return front + _check_digits(front, 2, digest)


def is_ssn(digits: str, digest: Digest) -> bool:
    """Say whether nine digits are such a surrogate."""
    return (
        len(digits) == 9 and digits[0] == "9" and digits[3] < "5" and digits[7:] == _check_digits(digits[:7], 2, digest)
    )


def _numeric(kind: str, text: str, canonical: bytes, digest: Digest) -> str:
    count = sum(c.isdigit() for c in text)
    if kind == "SSN" and count == 9:
        made = iter(ssn(canonical, digest))
        return "".join(next(made) if c.isdigit() else c for c in text)
    size = count - (kind == "CREDIT_CARD")
    check = _check_size(size)
    front = ("8" if count >= 16 else "9") + "".join(
        str(n % 10) for n in _stream(digest, b"digits:" + canonical, size - check - 1)
    )
    digits = front + _check_digits(front, check, digest)
    if kind == "CREDIT_CARD":
        digits += _luhn_digit(digits)
    left = iter(digits)
    return "".join(next(left) if c.isdigit() else c for c in text)


def _numeric_check(kind: str, digits: str, digest: Digest) -> bool:
    if kind == "SSN" and is_ssn(digits, digest):
        return True
    core = digits[:-1] if kind == "CREDIT_CARD" else digits
    check = _check_size(len(core))
    front = core[: len(core) - check]
    if digits[:1] != ("8" if len(digits) >= 16 else "9") or core != front + _check_digits(front, check, digest):
        return False
    return kind != "CREDIT_CARD" or digits[-1] == _luhn_digit(core)


def _check_size(count: int) -> int:
    return (count - 1) // 2 if count < 12 else 6


def _check_digits(front: str, count: int, digest: Digest) -> str:
    return "".join(str(n % 10) for n in _stream(digest, b"check:" + front.encode("ascii"), count))


def _luhn_digit(digits: str) -> str:
    total = sum(int(d) if i % 2 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def _mod97(iban: str) -> str:
    turned = iban[4:] + iban[:2] + "00"
    return f"{98 - int(''.join(str(int(c, 36)) for c in turned)) % 97:02}"


def _iban(text: str, canonical: bytes, digest: Digest) -> str | None:
    compact = re.sub(r"[^0-9A-Za-z]", "", text).upper()
    account = _shaped(compact[4:], canonical, digest) if len(compact) > 14 else None
    if account is None:
        return None
    made = compact[:2] + "00" + account
    left = iter(compact[:2] + _mod97(made) + account)
    return "".join(next(left) if c.isalnum() else c for c in text)


def _email(text: str, canonical: bytes, digest: Digest) -> str:
    local, _, domain = text.strip().partition("@")
    numbers = _stream(digest, b"local:" + canonical, len(local) + 1)
    made = _filled(local, numbers, _LOWER).replace("'", "x")
    return made + "@" + _domain(made.lower(), len(domain), digest)


def _domain(local: str, size: int, digest: Digest) -> str:
    label = max(size - len(_RESERVED), _LABEL)
    numbers = _stream(digest, b"domain:" + local.encode("utf-8"), min(label, 63))
    return "".join(_LOWER[n % 26] for n in numbers) + _RESERVED


def _date(text: str, canonical: bytes, digest: Digest) -> str | None:
    date = _DATE.fullmatch(text.strip())
    if date is None:
        return None
    a, b, c = _stream(digest, b"date:" + canonical, 3)
    year, month, day = str(1800 + a % 100), f"{1 + b % 12:02}", f"{1 + c % 28:02}"
    if date.group(1):
        return date.group(2).join((year, month, day)) + date.group(9)
    return date.group(6).join((f"{1 + c % 12:02}", month, year)) + date.group(9)


def _address(kind: str, seed: str, digest: Digest, given: list[str] | None = None) -> str:
    """Return an address in a reserved range: a free half, and a half that follows from it."""
    if kind == "IP4":
        free = given or [str(240 + int(seed[:2], 16) % 15), str(int(seed[2:4], 16))]
        check = [n % 256 for n in _stream(digest, b"check:" + ".".join(free).encode("utf-8"), 2)]
        return ".".join((*free, *map(str, check)))
    free = given or [seed[:4].lstrip("0") or "1", seed[4:8].lstrip("0") or "1"]
    check = [n | 4096 for n in _stream(digest, b"check:" + ":".join(free).encode("utf-8"), 4)]
    return ":".join(("2001", "db8", *free, *(f"{n:x}" for n in check)))
