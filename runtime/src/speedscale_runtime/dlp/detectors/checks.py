"""Check digits that several kinds of numbers share. Arguments are ASCII digits (bytes) unless it says otherwise.

Called by the detectors; pure arithmetic, no patterns. Each function names its source.
"""

from __future__ import annotations

from collections.abc import Sequence

_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_D5 = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_P8 = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def luhn(digits: bytes) -> bool:
    """Say whether digits pass the Luhn check (ISO/IEC 7812-1 annex B)."""
    backwards = digits[::-1]
    doubled = backwards[1::2].translate(_DOUBLED)
    return (sum(backwards[::2]) + sum(doubled) - 48 * len(digits)) % 10 == 0


def weighted(digits: bytes, weights: Sequence[int]) -> int:
    """Return the sum of digit times weight, over as many as there are weights."""
    return sum((d - 48) * w for d, w in zip(digits, weights, strict=False))


def verhoeff(digits: bytes) -> bool:
    """Say whether digits pass the check over the dihedral group of order ten (Verhoeff, 1969)."""
    state = 0
    for i, digit in enumerate(reversed(digits)):
        state = int(_D5[state][int(_P8[i % 8][digit - 48])])
    return state == 0


def mod_11_10(digits: bytes) -> bool:
    """Say whether digits pass the hybrid system modulo 11 and 10 (ISO/IEC 7064)."""
    product = 10
    for digit in digits[:-1]:
        total = (digit - 48 + product) % 10 or 10
        product = total * 2 % 11
    return (product + digits[-1] - 48) % 10 == 1


def mod_11_2(text: bytes) -> bool:
    """Say whether digits, the last of them perhaps X, pass the pure system modulo 11, radix 2 (ISO/IEC 7064)."""
    state = 0
    for char in text:
        state = (state * 2 + (10 if char in b"Xx" else char - 48)) % 11
    return state == 1


def mod_97(text: bytes) -> bool:
    """Say whether letters and digits, letters counting from ten, leave one modulo 97 (ISO/IEC 7064, ISO 13616)."""
    return int("".join(str(int(chr(c), 36)) for c in text)) % 97 == 1


def day(month: int, day: int) -> bool:
    """Say whether month and day can be those of a date."""
    return 1 <= month <= 12 and 1 <= day <= (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]
