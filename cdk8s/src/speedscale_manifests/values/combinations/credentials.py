"""No secret stands in values: they are committed. Judged for each layer alone, also where a later one overrides it."""

from __future__ import annotations

from collections.abc import Iterator

from speedscale_manifests.values import secrets
from speedscale_manifests.values.places import Path

from .rule import Finding, Rule, Tree, leaves

API_KEY_REMEDY = "make a Secret with the keys SPEEDSCALE_API_KEY and SPEEDSCALE_APP_URL and name it in `apiKeySecret`"
_GENERAL = "keep it in a Secret (External Secrets and Sealed Secrets can make it) and name that instead"
_REMEDIES: tuple[tuple[Path, str], ...] = (
    (("forwarder", "exporters"), "put the headers into a Secret and name it in the exporter's `headersSecret`"),
    (("backend", "s3"), "put the keys into a Secret and name it in `backend.s3.credentialsSecret`"),
    (("dlp",), "put the key into a Secret and name it in `dlp.keySecret`"),
    (("certificates",), "keep keys in the Secrets `speedscale-webhook-certs` and `speedscale-certs`"),
    (("http_proxy",), "let the proxy admit the cluster's addresses; an address without user and password stays"),
    (("https_proxy",), "let the proxy admit the cluster's addresses; an address without user and password stays"),
)


def _api_key(tree: Tree) -> Iterator[Finding]:
    if tree.get("apiKey"):
        yield Finding(("apiKey",), "a key never stands in git", API_KEY_REMEDY)


def _secret(tree: Tree) -> Iterator[Finding]:
    for path, value in leaves(tree):
        told = "" if path == ("apiKey",) else secrets.found(path, value)
        if told:
            remedy = next((text for start, text in _REMEDIES if path[: len(start)] == start), _GENERAL)
            yield Finding(path, f"this is {told}, and values stand in git", remedy)


RULES = (
    Rule("api-key", "refuse", "`apiKey` is never set", _api_key),
    Rule("secret-in-values", "refuse", "no value looks like a secret", _secret),
)
