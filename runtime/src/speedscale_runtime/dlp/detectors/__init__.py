"""All built-in detectors, the specific before the general: of two that take one span the first names it."""

from __future__ import annotations

from . import (
    aws,
    bearer,
    birth_date,
    card,
    email,
    github,
    google,
    iban,
    ip,
    jwt,
    mac,
    names,
    national_id,
    password,
    phone,
    private_key,
    secret,
    session,
    slack,
    ssn,
    street,
    stripe,
    url_credentials,
)
from .base import Detector, KeyRule

_MODULES = (
    private_key,
    jwt,
    aws,
    github,
    slack,
    stripe,
    google,
    url_credentials,
    bearer,
    email,
    iban,
    card,
    ssn,
    phone,
    ip,
    mac,
    password,
    session,
    secret,
    national_id,
    names,
    street,
    birth_date,
)

DETECTORS: tuple[Detector, ...] = tuple(d for m in _MODULES for d in getattr(m, "DETECTORS", ()))
KEY_RULES: tuple[KeyRule, ...] = tuple(r for m in _MODULES for r in getattr(m, "KEY_RULES", ()))

__all__ = ["DETECTORS", "KEY_RULES", "Detector", "KeyRule"]
