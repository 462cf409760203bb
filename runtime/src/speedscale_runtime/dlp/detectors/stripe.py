"""Stripe keys by prefix: secret, restricted and webhook ones; publishable keys are public (stripe.com/docs/keys)."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "prefix of a Stripe secret")


DETECTORS = (
    Detector(
        name="stripe",
        kind="STRIPE_KEY",
        prefilter=(r"[rs]k_(?:live|test)_[A-Za-z0-9]{10}", r"whsec_[A-Za-z0-9+/]{16}"),
        grammar=re.compile(
            rb"(?<![A-Za-z0-9_])(?:[rs]k_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/=]{16,128})(?![A-Za-z0-9_])"
        ),
        validate=_validate,
        before=36,
        after=260,
        examples=("sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc", "rk_live_" + "a1b2c3d4e5f6"),
        counter_examples=(
            "pk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
            "sk_test_x",
            "task_test_" + "4eC39HqLyjWDarjtT1",
        ),
    ),
)
