"""jwt_resign keeps the algorithm, renews the times, and signs once a minute."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Scope, SmartTable, Sources, TransformError
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.steps.jwt_resign import JwtResign

SECRET = "a secret that is long enough for every one of the HMAC algorithms, sixty-four bytes"
NOW = 1_780_000_000


def scope(sources: Sources | None = None, now: float = NOW) -> Scope:
    return Scope(
        pair=RRPair({}), side="request", service="generator", variables={"sub": "u-7"}, counters={}, table=SmartTable(),
        rng=random.Random(1), now=now, sources=sources or Sources(),
    )  # fmt: skip


def token(algorithm: str, **claims: object) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'old'})}.{part(claims)}.bm8tc2lnbmF0dXJl"


def step(**config: str) -> JwtResign:
    return JwtResign(Config(config, "jwt_resign"))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_shared_secrets(algorithm: str) -> None:
    one = step(key=SECRET, claims="role=admin", kid="new", sub="${{sub}}")
    made = one.forward("Bearer " + token(algorithm, iat=1, exp=2, nbf=3, sub="x", n=5), scope())
    assert made.startswith("Bearer ")
    claims = jwt.decode(made[7:], SECRET, algorithms=[algorithm], options={"verify_exp": False, "verify_iat": False})
    assert claims == {"iat": NOW, "exp": NOW + 172_800, "nbf": 1_444_435_200, "sub": "u-7", "n": 5, "role": "admin"}
    assert jwt.get_unverified_header(made[7:]) == {"alg": algorithm, "typ": "JWT", "kid": "new"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_private_keys_from_a_secret(algorithm: str, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
    folder = tmp_path / "secrets" / "auth"
    folder.mkdir(parents=True)
    folder.joinpath("key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + b"\n")
    made = step(secretPath="${{secret:auth/key.pem}}").forward(token(algorithm, a=1), scope(Sources([tmp_path])))
    assert jwt.decode(made, key.public_key(), algorithms=[algorithm]) == {"a": 1}


def test_a_token_is_signed_once_a_minute() -> None:
    one = step(key=SECRET)
    first = one.forward(token("HS256", iat=1), scope())
    assert one.forward(token("HS256", iat=1), scope(now=NOW + 59)) == first
    assert one.forward(token("HS256", iat=1), scope(now=NOW + 61)) != first


def test_what_cannot_be_signed_is_said_without_the_token() -> None:
    for algorithm, message in (("none", "cannot be signed"), ("RS256", "does not fit")):
        with pytest.raises(TransformError, match=message) as error:
            step(key="no pem").forward(token(algorithm, secret="s3cr3t"), scope())
        assert "s3cr3t" not in str(error.value)
    assert step(key=SECRET).forward("", scope()) == ""


@pytest.mark.parametrize("reference", ["../up/key", "a/../../b", "a", "a/b/c", "/etc/passwd", "a/.."])
def test_secrets_never_leave_their_folder(reference: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "key").write_text("x")
    with pytest.raises(TransformError):
        Sources([tmp_path]).secret(reference)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    root = tmp_path / "root"
    (root / "secrets" / "a").mkdir(parents=True)
    (root / "secrets" / "a" / "b").symlink_to(tmp_path / "outside")
    with pytest.raises(TransformError):
        Sources([root]).secret("a/b")
