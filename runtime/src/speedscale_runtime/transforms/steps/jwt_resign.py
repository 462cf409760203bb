"""jwt_resign: sign a JWT again, with its own algorithm and our key, so that it is valid at replay time.

The signature that it had is not checked. A token is signed at most once a minute and kept (bounded), so the
private key operation is off the path of most requests. Source: RFC 7515, 7519; vendor's documentation.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step, raw
from speedscale_runtime.transforms.placeholders import resolve

_TWO_DAYS = 2 * 86_400
_NOT_BEFORE = 1_444_435_200  # 2015-10-10
_KEEP_S = 60
_KEPT = 10_000


class JwtResign(Step):
    """`secretPath` or `key`; `iss`, `aud`, `sub`, `kid`, `claims` (k=v,…) and `prefixes` as the vendor has them."""

    signs = True

    def __init__(self, config: Config) -> None:
        self._path = config.text("secretPath")
        self._key = config.text("key")
        self._claims = {name: config.text(name) for name in ("iss", "aud", "sub")}
        for item in config.items("claims"):
            name, equals, value = item.partition("=")
            if not equals or not name:
                raise config.error(f"claims: {item!r} is no key=value")
            self._claims[name] = value
        self._claims = {k: v for k, v in self._claims.items() if v}
        self._kid = config.text("kid")
        self._prefixes = config.text("prefixes", default="Bearer ,JWTBearer ").split(",")
        config.close()
        if not self._path and not self._key:
            raise config.error("a signing key is required: secretPath (a file or ${{secret:name/key}}) or key")
        texts = [*self._claims.values(), *self._prefixes, self._kid, self._key]
        self.steady = not any("${{" in text for text in texts)

        from jwt.algorithms import get_default_algorithms  # costs a third of a second, so not on the hot path

        self._algorithms = get_default_algorithms()
        self._prepared: dict[tuple[str, str], Any] = {}
        self._signed: dict[tuple[str, ...], tuple[float, str]] = {}

    def forward(self, value: str, scope: Scope) -> str:
        if not value:
            return value
        prefix = ""
        for candidate in self._prefixes:
            resolved = resolve(candidate, scope)
            if resolved and value.startswith(resolved):
                prefix = resolved
                break
        token = value[len(prefix) :]
        overrides = {k: resolve(v, scope) for k, v in self._claims.items()}
        kid = resolve(self._kid, scope)
        wanted = (token, kid, *overrides.values())
        kept = self._signed.get(wanted)
        if kept is None or not 0 <= scope.now - kept[0] < _KEEP_S or "${{" in token:
            kept = (scope.now, self._sign(token, overrides, kid, scope))
            if len(self._signed) >= _KEPT:
                self._signed.clear()
            self._signed[wanted] = kept
        return prefix + kept[1]

    def _sign(self, token: str, overrides: dict[str, str], kid: str, scope: Scope) -> str:
        header, claims = _parts(token)
        now = int(scope.now)
        automatic = {"iat": now, "exp": now + _TWO_DAYS, "nbf": _NOT_BEFORE}
        claims.update({k: v for k, v in automatic.items() if k in claims})
        claims.update({k: resolve(v, scope) for k, v in claims.items() if isinstance(v, str)})
        claims.update({k: _typed(v, claims.get(k)) for k, v in overrides.items()})
        if kid:
            header["kid"] = kid
        signing = f"{_encode(header)}.{_encode(claims)}"
        algorithm, key = self._prepare(str(header.get("alg")), scope)
        return f"{signing}.{_b64(algorithm.sign(signing.encode(), key))}"

    def _prepare(self, name: str, scope: Scope) -> Any:
        secret = self._secret(scope)
        known = self._prepared.get((name, secret))
        if known is None:
            algorithm = self._algorithms.get(name)
            if algorithm is None or name == "none":
                raise TransformError(f"the token's algorithm {name!r} cannot be signed")
            try:
                known = (algorithm, algorithm.prepare_key(raw(secret)))
            except Exception as error:  # PyJWT and cryptography raise many kinds for a key of another kind
                raise TransformError(f"the key does not fit the algorithm {name}") from error
            self._prepared[name, secret] = known
        return known

    def _secret(self, scope: Scope) -> str:
        if not self._path:
            return resolve(self._key, scope)
        inner = self._path.strip()
        if inner.startswith("${{") and inner.endswith("}}"):
            inner = inner[3:-2].strip()
        if inner.startswith("secret:"):
            return scope.sources.secret(inner.removeprefix("secret:"))
        return scope.sources.file(resolve(self._path, scope)).decode("utf-8", "surrogateescape").rstrip("\r\n")


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    pieces = token.split(".")
    try:
        if len(pieces) != 3:
            raise ValueError
        header, claims = (json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in pieces[:2])
    except ValueError:
        raise TransformError("the value is no JWT") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise TransformError("the value is no JWT")
    return header, claims


def _typed(value: str, old: object) -> object:
    if isinstance(old, (int, float)) or (isinstance(old, list) and value.startswith("[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _encode(part: dict[str, Any]) -> str:
    return _b64(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
