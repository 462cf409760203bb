"""Tokens: what stands in the place of a value, and how the same value always gets the same one.

`REDACTED-<KIND>-<20 lower-case hex of HMAC-SHA-256(key, canonical value)>`; bare JSON numbers get a numeric surrogate
of the same digit count instead, so that JSON stays typed. Both can be recognised again, which is what makes
redacting twice change nothing. Called by the engine only; no detection here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from .actions import Reversible, Surrogates, is_mask, is_ssn, mask, ssn
from .memory import Memory

TOKEN = re.compile(rb"REDACTED-(?:[A-Z][A-Z0-9_]*-)?(?:[0-9a-f]{20,64}(?![0-9a-f])|SIV-[a-z2-7]{28,})")
_HEX_DIGITS = 20
_BLOCK = 64
_LONGEST_REVERSIBLE = 4096
_SEPARATORS = bytes.maketrans(b"", b"")
_DROP = b" \t\r\n-.()/\xa0\xc2\xe2\x80\x89\x90\x91\x92\xaf"
_NO_DIGITS = bytes(c for c in range(256) if not 48 <= c <= 57)
_DIGIT_KINDS = frozenset(("CREDIT_CARD", "SSN"))
_FOLDED_KINDS = frozenset(("EMAIL", "NAME", "ADDRESS", "MAC", "IP6"))
_NUMBER = re.compile(rb"(-?)(\d+)(?:\.(\d+))?(?:[eE][+-]?\d+)?")


def canonical(kind: str, value: bytes) -> bytes:
    """Return the form of a value that its spellings share: no separators in a card, no upper case in an e-mail.

    `value` is the decoded value in UTF-8; what is no UTF-8 is taken as it is.
    """
    value = value.strip()
    if kind in _DIGIT_KINDS:
        digits = value.translate(_SEPARATORS, _DROP)
        return digits if digits.isdigit() else value
    if kind == "PHONE":
        return _phone(value)
    if kind in ("IBAN", "NATIONAL_ID"):
        return value.translate(_SEPARATORS, _DROP).upper()
    if kind in _FOLDED_KINDS:
        return _folded(kind, value)
    if kind == "BIRTH_DATE":
        return value.replace(b"/", b"-").replace(b".", b"-")[:10]
    return value


def _phone(value: bytes) -> bytes:
    digits = value.translate(None, _NO_DIGITS)
    if value.startswith(b"00") and len(digits) > 11:
        digits = digits[2:]
    return b"1" + digits if len(digits) == 10 and not value.startswith(b"+") else digits


def _folded(kind: str, value: bytes) -> bytes:
    if kind == "MAC":
        return value.replace(b"-", b"").replace(b":", b"").replace(b".", b"").lower()
    if kind == "IP6":
        return _ip6(value)
    if value.isascii():
        return b" ".join(value.lower().split())
    try:
        text = unicodedata.normalize("NFC", value.decode("utf-8")).casefold()
    except UnicodeDecodeError:
        return value.lower()
    return " ".join(text.split()).encode("utf-8", "surrogatepass")


def _ip6(value: bytes) -> bytes:
    import ipaddress

    try:
        return ipaddress.IPv6Address(value.decode("ascii")).compressed.encode()
    except ValueError:
        return value.lower()


def fitted(token: bytes, size: int) -> bytes:
    """Return a token cut or padded to `size` bytes, for places whose length cannot change.

    Of a short one the hash is kept, not the name. A padded one is still recognised as a token; a cut one is not, and is
    nothing that a detector takes.
    """
    if size >= len(token):
        return token + b"." * (size - len(token))
    digits = token.rpartition(b"-")[2]
    named = token[: len(token) - len(digits)]
    return token[:size] if size >= len(named) + 8 else digits[:size].ljust(size, b".")


class Tokeniser:
    """Makes tokens under one key; keeps the last ones (`limit` entries; `evictions` counts what was dropped).

    `actions` say by kind what is made instead (`keep` is settled by the engine); `older` are keys that were in use
    before: what they made is recognised.
    """

    __slots__ = ("_macs", "_reversible", "_surrogates", "actions", "memory", "others")

    def __init__(
        self,
        key: bytes,
        *,
        actions: Mapping[str, str] | None = None,
        limit: int = 65_536,
        older: Sequence[bytes] = (),
    ) -> None:
        self._macs = tuple(_Mac(k) for k in (key, *older))
        self.actions = dict(actions or {})
        self.others = any(a not in ("token", "keep") for a in self.actions.values())
        self._reversible = Reversible(key) if "reversible" in self.actions.values() else None
        self._surrogates = Surrogates(tuple(m.digest for m in self._macs))
        self.memory: Memory[tuple[str, bytes], bytes] = Memory(limit)

    @property
    def evictions(self) -> int:
        """How many tokens were dropped from memory."""
        return self.memory.evictions

    def token(self, kind: str, value: bytes) -> bytes:
        """Return what stands in the place of a value; `kind` matches [A-Z][A-Z0-9_]*."""
        known = self.memory.get((kind, value))
        if known is not None:
            return known
        made = self._acted(kind, value) if self.others else None
        if made is None:
            made = f"REDACTED-{kind}-{self._macs[0].hex(canonical(kind, value))[:_HEX_DIGITS]}".encode("ascii")
        self.memory.put((kind, value), made)
        return made

    def _acted(self, kind: str, value: bytes) -> bytes | None:
        """Return what the kind's action makes of a value; None when that is a token."""
        action = self.actions.get(kind, "token")
        if action == "mask":
            return mask(value)
        if action == "drop":
            return b""
        if action == "reversible" and self._reversible is not None and 0 < len(value) <= _LONGEST_REVERSIBLE:
            return self._reversible.token(kind, value)
        return self._surrogates.make(kind, value, canonical(kind, value)) if action == "surrogate" else None

    def spent(self, kind: str, value: bytes) -> bool:
        """Say whether a value is what an action made: redacting it again would change it for nothing."""
        action = self.actions.get(kind, "token")
        if action == "mask":
            return is_mask(value)
        return action == "surrogate" and self._surrogates.knows(kind, value)

    def made(self, value: bytes) -> bool:
        """Say whether a value is what the action of any kind made; of a surrogate no detector tells the kind."""
        return self.others and any(self.spent(kind, value) for kind in self.actions)

    def digest(self, value: bytes) -> bytes:
        """Return HMAC-SHA-256 of a value under the key in use."""
        return self._macs[0].digest(value)

    def number(self, kind: str, text: bytes) -> bytes:
        """Return the surrogate of a JSON number: as many digits, keyed, never the value unless it is a surrogate.

        A surrogate begins with 9 (8 from 16 digits on, so that doubles hold it) and ends in digits that follow from
        the rest and the key; one that comes in again is left alone.
        """
        match = _NUMBER.fullmatch(text)
        if match is None:
            return text
        if self.actions.get(kind) == "drop":
            return b"0"
        whole, fraction = match.group(2), match.group(3) or b""
        digits = self._surrogate(whole + fraction, kind)
        return digits[: len(whole)] + (b"." + digits[len(whole) :] if fraction else b"")

    def is_number(self, text: bytes, kind: str = "") -> bool:
        """Say whether a JSON number is one of our surrogates; those of SSNs are told only where the kind is."""
        match = _NUMBER.fullmatch(text)
        if match is None or match.group(1):
            return False
        if text == b"0":
            return "drop" in self.actions.values()
        digits = match.group(2) + (match.group(3) or b"")
        return self._checked(digits, kind)

    def _checked(self, digits: bytes, kind: str) -> bool:
        if kind == "SSN" and any(is_ssn(digits.decode("ascii"), m.digest) for m in self._macs):
            return True
        free, check = _shape(len(digits))
        if digits[:1] != _lead(len(digits)):
            return False
        first = digits[: 1 + free]
        return any(digits[1 + free :] == _digits(m, b"check:" + first, check) for m in self._macs)

    def _surrogate(self, digits: bytes, kind: str) -> bytes:
        if self._checked(digits, kind):
            return digits
        if kind == "SSN" and len(digits) == 9:
            return ssn(digits, self._macs[0].digest).encode("ascii")
        free, check = _shape(len(digits))
        mac = self._macs[0]
        first = _lead(len(digits)) + _digits(mac, b"number:" + digits, free)
        return first + _digits(mac, b"check:" + first, check)


class _Mac:
    """HMAC-SHA-256 under one key (RFC 2104); both pads are hashed once, a third of the time."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(b ^ 0x36 for b in block))
        self._outer = hashlib.sha256(bytes(b ^ 0x5C for b in block))

    def digest(self, value: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(value)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def hex(self, value: bytes) -> str:
        return self.digest(value).hex()


def _digits(mac: _Mac, seed: bytes, count: int) -> bytes:
    if not count:
        return b""
    number = int.from_bytes(mac.digest(seed), "big") % 10**count
    return str(number).zfill(count).encode("ascii")


def _lead(length: int) -> bytes:
    return b"8" if length >= 16 else b"9"


def _shape(length: int) -> tuple[int, int]:
    """Return how many digits are free and how many check them; few free ones where there are few at all."""
    rest = max(length - 1, 0)
    if length <= 3:
        return 0, rest
    check = rest // 2 if length < 12 else 7
    return rest - check, check
