"""Street addresses by the name they stand under; the city and the postal code stay."""

from __future__ import annotations

import re

from .base import KeyRule

_STREETS = (
    "straße", "rue", "adresse ligne", "calle", "indirizzo residenza", "logradouro", "rua", "straat",
    "straatnaam", "ulica", "gatuadress", "vejnavn", "gateadresse", "katuosoite", "sokak", "улица",
    "ulice", "via residenza", "ligne adresse", "stras",
    "番地", "丁目", "街道", "详细地址", "도로명주소", "상세주소", "utcanév",
)  # fmt: skip
_ADDRESSES = (
    "adresse", "anschrift", "lieferadresse", "rechnungsadresse", "adresse postale", "dirección", "domicilio",
    "indirizzo", "endereço", "morada", "adres", "adress", "osoite", "adresi", "cím", "adresa", "διεύθυνση",
    "адрес", "адреса", "住所", "地址", "收货地址", "주소", "عنوان", "العنوان", "כתובת", "पता", "ที่อยู่",
    "địa chỉ", "alamat",
)  # fmt: skip


_NUMBER = rb"(?:[Nn][or]?\.? ?)?\d{1,6}(?:[ ]?[A-Za-z]{1,3})?(?: ?[\-/+] ?\d{0,5}[A-Za-z]{0,2}){0,3}"
_NOTHING = frozenset((b"none", b"null", b"undefined", b"n/a"))


def _accept(value: bytes) -> str:
    text = value.strip()
    if not 2 < len(text) <= 250 or text.lower() in _NOTHING or re.search(rb"[A-Za-z\x80-\xff]", text) is None:
        return ""
    return "stands under a key for a street"


def _accept_number(value: bytes) -> str:
    """Accept the number of a house, which is a digit or two; a street's name makes it an address."""
    text = value.strip()
    return "stands under a key for the number of a house" if re.fullmatch(_NUMBER, text) else ""


def _accept_full(value: bytes) -> str:
    text = value.strip()
    if b"@" in text or b"://" in text or not _accept(value):
        return ""
    if not text.isascii() and len(text) >= 6:
        return "words of another script under a key for an address"
    words = text.split()
    if len(words) < 2 or not (any(48 <= c <= 57 for c in text) or b", " in text or len(words) > 3):
        return ""
    return "number and words under a key for an address"


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
            "address 3",
            "address3",
            "addressline3",
            "street line",
            "address street",
            "po box",
            "residential address",
            "permanent address",
            "addr line",
            "addrline1",
            "addrline2",
            "street lines",
            "address lines",
            "post office box",
            "post office box number",
            "postofficebox",
            *_STREETS,
        ),
        exact=("line1", "line2", "via"),
        excluded=frozenset(("type", "id", "view", "count", "valid", "verified")),
        accept=_accept,
        examples=(
            ("street", "12 Elm Street"),
            ("addressLine1", "Hauptstraße 5"),
            ("address_line_2", "Apt 4"),
            ("Straße", "Am Markt 1"),
        ),
        counter_examples=(("streetType", "residential"), ("street", ""), ("address2", "None")),
    ),
    KeyRule(
        name="house_number",
        kind="ADDRESS",
        names=(
            "house number",
            "house no",
            "apartment number",
            "building number",
            "hausnummer",
            "hausnr",
            "huisnummer",
            "número casa",
            "numéro rue",
            "civico",
            "dům číslo",
            "numer domu",
        ),
        excluded=frozenset(("type", "id", "required", "count")),
        accept=_accept_number,
        numbers=True,
        examples=(("houseNumber", "12"), ("Hausnummer", "54-84"), ("buildingNumber", "44a")),
        counter_examples=(("houseNumber", "none of them"), ("house", "12")),
        group="street",
    ),
    KeyRule(
        name="address",
        kind="ADDRESS",
        names=(
            "address",
            "billing address",
            "shipping address",
            "delivery address",
            "mailing address",
            "postal address",
            "formatted address",
            "full address",
            "addr",
            "addresses",
            *_ADDRESSES,
        ),
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
                "name",
                "space",
                "range",
                "family",
                "resolver",
                "peer",
                "listen",
                "base",
                "city",
                "country",
                "state",
                "county",
                "region",
                "province",
                "zip",
                "locality",
            )
        ),
        accept=_accept_full,
        examples=(
            ("address", "12 Elm Street, Springfield"),
            ("shippingAddress", "5 Rue de Rivoli, Paris"),
            ("住所", "東京都千代田区1-1"),
            ("addr", "12 Elm Street, Springfield"),
        ),
        counter_examples=(
            ("ip_address", "10 abc"),
            ("address", "0x00ff00ff"),
            ("address", "localhost"),
            ("network_address", "a b 1"),
            ("address.city", "San Noe del Alto 2"),
        ),
        group="street",
    ),
)
