"""Opaque credentials by the name they stand under: API keys, access tokens, client secrets.

Words are compared whole, so that `monkey`, `keyword`, `tokens` and `public_key` are no hits; a name that ends in
what describes a secret (`token_type`, `secret_name`) is none either.
"""

from __future__ import annotations

import re

from .base import KeyRule

_DESCRIBES = frozenset(
    (
        "name", "id", "ids", "type", "version", "file", "path", "url", "uri", "length", "count", "limit",
        "expires", "expiry", "expiration", "ttl", "at", "in", "endpoint", "public", "page", "next", "prev",
        "previous", "continuation", "cursor", "pagination", "scope", "status", "enabled", "required",
        "usage", "budget", "max", "min", "total", "ref", "index", "position", "kind", "format", "balance",
        "price", "decimals", "decimal", "contract", "standard", "logo", "supply", "holders", "prefix",
        "bucket", "rate", "cost", "class", "list", "split", "label", "description", "provider", "method",
        "mode", "level", "valid", "verified", "invalid", "error", "age", "header", "issuer", "hint",
        "address", "symbol", "sync", "resume", "question", "failed", "failure", "spec",
    )
)  # fmt: skip
_WORDS = frozenset(
    (b"true", b"false", b"null", b"none", b"undefined", b"bearer", b"basic", b"yes", b"no", b"{}", b"[]")
)
_OF_PAGES = re.compile(
    rb"(?i)(?:next|prev|previous|page|pagination|continuation|sync|resume)[a-z_]{0,16}(?:token|marker)"
)


def _accept(value: bytes) -> str:
    text = value.strip()
    if len(text) < 4 or text.lower() in _WORDS or _OF_PAGES.fullmatch(text):
        return ""
    if text.startswith((b"${", b"{{", b"<")) and text.endswith((b"}", b"}}", b">")):
        return ""
    return "stands under a key for a credential"


KEY_RULES = (
    KeyRule(
        name="secret",
        kind="SECRET",
        names=(
            "secret",
            "secrets",
            "api keys",
            "api key",
            "apikey",
            "access token",
            "accesstoken",
            "refresh token",
            "refreshtoken",
            "auth token",
            "authtoken",
            "id token",
            "idtoken",
            "client secret",
            "clientsecret",
            "private key",
            "privatekey",
            "secret key",
            "secretkey",
            "access key",
            "bearer",
            "csrf",
            "xsrf",
            "csrftoken",
            "xsrftoken",
            "auth key",
            "authkey",
            "signing key",
            "encryption key",
            "security token",
            "session token",
            "device token",
            "credential",
            "credentials",
            "jwt",
            "token",
            "app key",
            "appkey",
            "subscription key",
            "authorization",
            "assertion",
            "signing secret",
            "webhook secret",
            "shared secret",
            "account key",
            "storage key",
            "service key",
            "master key",
            "api secret",
            "consumer secret",
            "consumer key",
            "private token",
            "deploy key",
            "connection string",
            "code verifier",
            "amz signature",
            "sas token",
            "registration token",
            "push token",
            "fcm token",
            "identity token",
            "otp secret",
            "public token",
            "hmac key",
            "aes key",
            "session key",
            "ssh private key",
            "ssh key",
            "service account key",
            "totp secret",
            "auth header",
            "authentication",
        ),
        excluded=_DESCRIBES,
        accept=_accept,
        nested=False,
        examples=(
            ("apiKey", "9f8e7d6c5b4a"),
            ("X-API-KEY", "abcd1234"),
            ("client_secret", "shhh-123"),
            ("accessToken", "opaque.value"),
            ("token", "abcdef"),
            ("sshKey", "B2LLi0nCwT9ZRjGV"),
        ),
        counter_examples=(
            ("monkey", "banana1"),
            ("keyword", "banana1"),
            ("public_key", "abcd1234"),
            ("token_type", "Bearer"),
            ("tokens", "1234"),
            ("next_page_token", "abcdef"),
            ("secret_name", "db-creds"),
            ("secretary", "Miss Moneypenny"),
            ("token", "true"),
            ("input_token", "nextToken"),
            ("sshPublicKey", "ssh-ed25519 AAAA"),
            ("authorId", "abcdef"),
            ("authenticationFailed", "Authentication failed"),
        ),
    ),
)
