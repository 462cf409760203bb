"""All built-in detectors, the specific before the general: of two that take one span the first names it."""

from __future__ import annotations

from . import (
    aws,
    bank_account,
    bearer,
    birth_date,
    card,
    classes,
    device,
    email,
    github,
    google,
    iban,
    ip,
    jwt,
    mac,
    names,
    national,
    parties,
    password,
    persons,
    phone,
    private_key,
    secret,
    session,
    slack,
    ssn,
    street,
    stripe,
    tokens_business,
    tokens_cloud,
    tokens_code,
    tokens_messaging,
    tokens_models,
    tokens_monitoring,
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
    tokens_code,
    tokens_cloud,
    tokens_models,
    tokens_messaging,
    tokens_business,
    tokens_monitoring,
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
    national,
    device,
    bank_account,
    names,
    parties,
    persons,
    street,
    birth_date,
)

_ALL: tuple[Detector, ...] = tuple(d for m in (*_MODULES, classes) for d in getattr(m, "DETECTORS", ()))
DETECTORS: tuple[Detector, ...] = tuple(d for d in _ALL if not d.classifies)
CLASSES: tuple[Detector, ...] = tuple(d for d in _ALL if d.classifies)
KEY_RULES: tuple[KeyRule, ...] = tuple(r for m in _MODULES for r in getattr(m, "KEY_RULES", ()))

__all__ = ["CLASSES", "DETECTORS", "KEY_RULES", "Detector", "KeyRule"]
