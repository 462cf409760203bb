"""Rules about secrets: none in git, in no form.

The patterns are few and certain: a false alarm here would teach people to look away. Values files have their own, wider
check where they are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .model import Finding, Rule, Scene

_MATERIAL = {
    "private key": (("PRIVATE KEY-----",), re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    "AWS access key": (("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    "GitHub token": (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    ),
    "Slack token": (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    "Stripe key": (("k_live_",), re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}")),
    "JSON Web Token": (("eyJ",), re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    "password in an address": (("://",), re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@$]+:[^\s/@$]+@")),
}
"""What material looks like: texts without one of which there is none, and the pattern."""

_NAMED = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|TOKEN|API_KEY|SECRET_KEY|SECRET_ACCESS_KEY|CLIENT_SECRET)$")


def _objects(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.of("Secret"):
        yield item.finding(rule, "data", "a Secret stands in git")


def _material(scene: Scene, rule: str) -> Iterator[Finding]:
    for item in scene.items:
        # What came out of the bundle was seen as text of its ConfigMap.
        if item.bundled:
            continue
        everything = "\n".join(_strings(item.manifest))
        for kind, (marks, pattern) in _MATERIAL.items():
            if any(mark in everything for mark in marks):
                for path, text in _texts(item.manifest, ""):
                    if pattern.search(text):
                        yield item.finding(rule, path, f"looks like a {kind}", what=kind)


def _environment(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        for index, entry in enumerate(container.spec.get("env") or ()):
            value = str(entry.get("value") or "")
            if value and not value.startswith("/") and _NAMED.search(str(entry.get("name", ""))):
                yield container.finding(rule, f"env[{index}].value", f"{entry['name']} is written out")


def _strings(node: Any) -> Iterator[str]:
    """Yield every text of a manifest but its keys, fast."""
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            rest.extend(node.values())
        elif isinstance(node, list):
            rest.extend(node)


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, f"{path}[{index}]")


_HOW = "put it in a Secret in the cluster (External Secrets, Sealed Secrets) and name that in the values"

RULES: tuple[Rule, ...] = (
    Rule("no-secret-objects", "no Secret is among the manifests", _HOW, _objects),
    Rule("no-secret-material", "no text looks like a key, token or password", _HOW, _material),
    Rule("no-secret-variables", "no variable carries a password or token", _HOW, _environment),
)
