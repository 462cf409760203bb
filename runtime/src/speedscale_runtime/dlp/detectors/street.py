"""Street addresses by the name they stand under; the city and the postal code stay."""

from __future__ import annotations

import re

from .base import KeyRule


def _accept(value: bytes) -> str:
    text = value.strip()
    return "stands under a key for a street" if 2 < len(text) <= 250 and re.search(rb"[A-Za-z\x80-\xff]", text) else ""


def _accept_full(value: bytes) -> str:
    text = value.strip()
    if b"@" in text or b"://" in text or b" " not in text or not any(48 <= c <= 57 for c in text):
        return ""
    return "number and words under a key for an address" if _accept(value) else ""


KEY_RULES = (
    KeyRule(
        name="street",
        kind="ADDRESS",
        names=(
            "street",
            "street address",
            "streetaddress",
            "address line",
            "address line 1",
            "addressline1",
            "addressline2",
            "address 1",
            "address1",
            "address2",
            "addr1",
            "addr2",
            "home address",
            "street name",
        ),
        exact=("line1", "line2"),
        excluded=frozenset(("type", "id", "view")),
        accept=_accept,
        examples=(("street", "12 Elm Street"), ("addressLine1", "Hauptstraße 5"), ("address_line_2", "Apt 4")),
        counter_examples=(("streetType", "residential"), ("street", "")),
    ),
    KeyRule(
        name="address",
        kind="ADDRESS",
        names=("address", "billing address", "shipping address", "mailing address", "postal address"),
        excluded=frozenset(
            (
                "ip",
                "mac",
                "email",
                "mail",
                "url",
                "network",
                "host",
                "remote",
                "server",
                "bind",
                "id",
                "type",
                "wallet",
                "contract",
                "forwarder",
                "memory",
            )
        ),
        accept=_accept_full,
        examples=(("address", "12 Elm Street, Springfield"), ("shippingAddress", "5 Rue de Rivoli, Paris")),
        counter_examples=(
            ("ip_address", "10 abc"),
            ("address", "0x00ff00ff"),
            ("address", "localhost"),
            ("network_address", "a b 1"),
        ),
        group="street",
    ),
)
