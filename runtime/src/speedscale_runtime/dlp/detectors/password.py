"""Passwords, passphrases, PINs and card security codes by the name they stand under."""

from __future__ import annotations

from .base import KeyRule

_NOT_A_VALUE = frozenset(
    (
        "policy",
        "strength",
        "required",
        "length",
        "expired",
        "expires",
        "expiry",
        "reset",
        "changed",
        "field",
        "hint",
        "attempts",
        "enabled",
        "url",
        "uri",
        "link",
        "at",
        "date",
        "type",
        "min",
        "max",
        "rules",
        "age",
    )
)


def _accept(value: bytes) -> str:
    return "stands under a key for a password" if value.strip() else ""


def _accept_code(value: bytes) -> str:
    return "a short code under a key for it" if value.isdigit() and 3 <= len(value) <= 12 else ""


KEY_RULES = (
    KeyRule(
        name="password",
        kind="PASSWORD",
        names=("password", "passwd", "passphrase", "passcode", "pwd", "userpassword", "passwordhash", "passwords"),
        exact=("pass", "psw", "pw"),
        excluded=_NOT_A_VALUE,
        accept=_accept,
        numbers=True,
        nested=True,
        examples=(("password", "hunter2"), ("userPassword", "x"), ("DB_PASSWORD", "s3"), ("new-password", "a b")),
        counter_examples=(
            ("password_policy", "strict"),
            ("passwordless", "yes"),
            ("compass", "north"),
            ("password", ""),
        ),
    ),
    KeyRule(
        name="security_code",
        kind="SECURITY_CODE",
        names=(
            "cvv",
            "cvc",
            "cvv2",
            "cvc2",
            "security code",
            "securitycode",
            "card code",
            "pin code",
            "one time password",
            "verification code",
            "mfa code",
        ),
        exact=("pin", "cid", "card pin", "otp"),
        excluded=_NOT_A_VALUE,
        accept=_accept_code,
        numbers=True,
        examples=(("cvv", "123"), ("pin", "0420"), ("securityCode", "9876")),
        counter_examples=(("cvv", "matched"), ("spin", "123"), ("pinned", "1234")),
        group="password",
    ),
)
