"""Values that are to be found, and hard negatives: what looks like one and is none. Seeded, nobody's."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import uuid

from . import locales
from .locales import Locale, digits, fill, luhn_digit

_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CARDS = (("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("65", 16),
          ("3530", 16), ("36", 14), ("62", 16), ("62", 19), ("6759", 16))  # fmt: skip
_IBANS = (("DE", "##################"), ("FR", "#######################"), ("GB", "WEST##############"),
          ("NL", "ABNA##########"), ("ES", "####################"), ("PL", "########################"),
          ("CH", "#################"), ("SE", "####################"), ("NO", "###########"))  # fmt: skip


def text(rng: random.Random, count: int, alphabet: str = _ALNUM) -> str:
    """Return random characters of an alphabet."""
    return "".join(rng.choice(alphabet) for _ in range(count))


def mail(rng: random.Random, place: Locale) -> str:
    """Return an e-mail address; domains are reserved ones or sub-domains of them."""
    word = text(rng, 5, "abcdefghijklmnop")
    if rng.random() < 0.06 and not place.first[0].isascii():
        word = place.first[0].lower()
    local = rng.choice(
        (f"{word}.{text(rng, 4, 'qrstuv')}", f"{word}{digits(rng, 2)}", f"{word}+tag", f"{word}_{digits(rng, 3)}")
    )
    return f"{local}@{rng.choice(('example.com', 'mail.example.org', 'correo.example.es', 'xn--bcher-kva.example'))}"


def phone(rng: random.Random, place: Locale) -> str:
    """Return a phone number as it is written there."""
    return fill(rng, rng.choice(place.phones))


def card(rng: random.Random) -> str:
    """Return a card number with its issuer's prefix, length and check digit, in one of its groupings."""
    prefix, length = rng.choice(_CARDS)
    body = prefix + digits(rng, length - len(prefix) - 1)
    number = body + luhn_digit(body)
    if length == 16 and rng.random() < 0.5:
        return rng.choice((" ", "-")).join(number[i : i + 4] for i in range(0, 16, 4))
    return number


def iban(rng: random.Random) -> str:
    """Return an IBAN with its check digits, in one piece or in groups of four."""
    country, template = rng.choice(_IBANS)
    body = fill(rng, template)
    check = 98 - int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
    number = f"{country}{check:02}{body}"
    return number if rng.random() < 0.6 else " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def birth(rng: random.Random) -> str:
    """Return a date of birth."""
    y, m, d = locales.date(rng)
    return rng.choice((f"{y}-{m:02}-{d:02}", f"{d:02}.{m:02}.{y}", f"{m:02}/{d:02}/{y}", f"{y}{m:02}{d:02}"))


def address4(rng: random.Random) -> str:
    """Return a public IPv4 address."""
    return f"{rng.choice((8, 52, 81, 93, 151, 203))}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def address6(rng: random.Random) -> str:
    """Return an IPv6 address, long or shortened."""
    tail = [f"{rng.randrange(1, 65536):x}" for _ in range(6)]
    return rng.choice((f"2001:db8:{':'.join(tail)}", f"2001:db8::{tail[0]}:{tail[1]}", f"fe80::{':'.join(tail[:4])}"))


def hardware(rng: random.Random) -> str:
    """Return a hardware address."""
    return rng.choice((":", "-")).join(f"{rng.randrange(1, 255):02x}" for _ in range(6))


def jwt(rng: random.Random) -> str:
    """Return a JSON Web Token."""

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    payload = json.dumps({"sub": digits(rng, 6), "iat": 1700000000}).encode()
    header = part(b'{"alg":"HS256","typ":"JWT"}')
    return f"{header}.{part(payload)}.{part(rng.randbytes(32))}"


def secret(rng: random.Random) -> str:
    """Return a secret with a prefix of its vendor."""
    hexes = "0123456789abcdef"
    makes = (
        lambda: "AKIA" + text(rng, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
        lambda: "ghp_" + text(rng, 36),
        lambda: "github_pat_" + text(rng, 22) + "_" + text(rng, 59),
        lambda: "glpat-" + text(rng, 20),
        lambda: "xoxb-" + digits(rng, 12) + "-" + digits(rng, 12) + "-" + text(rng, 24),
        lambda: "sk_live_" + text(rng, 24),
        lambda: "AIza" + text(rng, 35),
        lambda: "SG." + text(rng, 22) + "." + text(rng, 43),
        lambda: "npm_" + text(rng, 36),
        lambda: "dop_v1_" + text(rng, 64, hexes),
        lambda: "shpat_" + text(rng, 32, hexes),
        lambda: "sk-ant-api03-" + text(rng, 93) + "AA",
        lambda: "sk-proj-" + text(rng, 48),
        lambda: "hf_" + text(rng, 34),
        lambda: "hvs." + text(rng, 90),
        lambda: "dapi" + text(rng, 32, hexes),
        lambda: digits(rng, 10) + ":AA" + text(rng, 33),
        lambda: "pypi-AgEIcHlwaS5vcmc" + text(rng, 80),
        lambda: "glsa_" + text(rng, 32) + "_" + text(rng, 8, hexes),
        lambda: "lin_api_" + text(rng, 40),
        lambda: "whsec_" + text(rng, 32),
    )
    return rng.choice(makes)()


def opaque(rng: random.Random) -> str:
    """Return a secret without a shape of its own, as it stands under a name for it."""
    return rng.choice((text(rng, 24), text(rng, 40, "0123456789abcdef"), text(rng, 12) + "!x9"))


def negative(rng: random.Random) -> tuple[str, object]:
    """Return a field (name and JSON value) that has nothing personal in it but looks like it."""
    sha = hashlib.sha256(rng.randbytes(8)).hexdigest()
    body = rng.choice("1790") + digits(rng, 14)
    makes: tuple[tuple[str, object], ...] = (
        ("id", str(uuid.UUID(int=rng.getrandbits(128), version=4))),
        ("createdAt", 1_600_000_000_000 + rng.randrange(10**11)),
        ("updated", f"2026-0{rng.randrange(1, 9)}-1{rng.randrange(10)}T0{rng.randrange(10)}:00:00.123Z"),
        ("orderId", f"ORD-{digits(rng, 10)}"),
        ("orderNumber", rng.randrange(10**9, 10**10)),
        ("sha256", sha),
        ("commit", sha[:40]),
        ("etag", f'W/"{sha[:32]}"'),
        ("image", f"registry.example.com/shop/cart@sha256:{sha}"),
        ("thumbnail", base64.b64encode(rng.randbytes(45)).decode()),
        ("version", f"{rng.randrange(9)}.{rng.randrange(20)}.{rng.randrange(90)}-rc.1+build.{digits(rng, 4)}"),
        ("appVersion", f"{rng.randrange(1, 9)}.{rng.randrange(20)}.{rng.randrange(90)}.{rng.randrange(200)}"),
        ("latitude", round(rng.uniform(-90, 90), 6)),
        ("location", f"{rng.uniform(-90, 90):.6f},{rng.uniform(-180, 180):.6f}"),
        ("ledgerRef", body + luhn_digit(body)),
        ("monkey", "banana-42"),
        ("keyword", "garden chairs"),
        ("public_key", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" + text(rng, 40)),
        ("license", "Apache-2.0"),
        ("tokenType", "Bearer"),
        ("max_tokens", rng.randrange(256, 8192)),
        ("nextPageToken", text(rng, 20)),
        ("secretName", "db-credentials"),
        ("passwordPolicy", "strong"),
        ("isbn", f"978-3-16-148410-{rng.randrange(10)}"),
        ("ean", "4006381333931"),
        ("tracking", f"1Z{text(rng, 16, 'ABCDEFGH0123456789')}"),
        ("sku", f"{digits(rng, 3)}-{digits(rng, 3)}-{text(rng, 2)}"),
        ("price", round(rng.uniform(1, 9000), 2)),
        ("amount", rng.randrange(10**6)),
        (
            "userAgent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
        ),
        ("duration", f"{digits(rng, 2)}:{digits(rng, 2)}:{digits(rng, 2)}"),
        ("pod", f"checkout-{text(rng, 9, 'abcdef0123456789')}-{text(rng, 5, 'bcdfghjk2456')}"),
        ("arn", "arn:aws:s3:::assets-bucket/catalog"),
        ("color", f"#{sha[:6]}"),
        ("url", f"https://shop.example.com/items/{digits(rng, 6)}?page=2&sort=price"),
        ("fileName", f"invoice_{digits(rng, 8)}.pdf"),
        ("productName", "Garden chair, oak"),
        ("hostname", "cart-0.cart.shop.svc.cluster.local"),
        ("status", "shipped"),
        ("description", "Fits 4 to 6 people; 120 x 80 cm. Rated 4.5 by 1234 buyers since 2019."),
        ("traceparent", f"00-{sha[:32]}-{sha[:16]}-01"),
        ("objectId", sha[:24]),
        ("npmPackage", "left-pad@1.3.0"),
        ("asset", "logo@2x.png"),
        ("cron", "*/15 2 1-7 * 1-5"),
        ("currencyPair", "EUR/USD 1.0842 1.0844"),
        ("serial", f"SN{digits(rng, 12)}"),
        ("matrix", [rng.randrange(100) for _ in range(6)]),
        ("timestamps", [1_700_000_000 + rng.randrange(10**6) for _ in range(3)]),
        ("localAddress", "127.0.0.1:8080"),
        ("scope", "openid profile orders.read"),
        ("pin_count", 4),
        ("compass", "north"),
        ("ssnVerified", True),
        ("emailVerified", False),
        ("phoneCountry", "DE"),
        ("addressType", "residential"),
        ("namespace", "checkout"),
        ("cardBrand", "visa"),
        ("cardLast4Shown", True),
        ("sessionTimeout", 3600),
        ("cacheKey", f"items:{digits(rng, 6)}:v2"),
        ("dimension", f"{digits(rng, 3)}x{digits(rng, 3)}"),
        ("snowflake", str(rng.randrange(10**17, 10**18))),
    )
    return rng.choice(makes)
