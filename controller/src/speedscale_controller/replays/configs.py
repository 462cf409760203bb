"""Test configs: a ConfigMap `speedscale-testconfig-<id>` beside the replay or the operator, else one of the backend.

A built-in one is never looked for elsewhere.

Called by `seeing`. A config that breaks its schema is refused with every problem.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from speedscale_kube import Client, Ref
from speedscale_schemas import builtins
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

KIND = "test-config"
KEY = "testconfig.json"


class Source(Protocol):
    """A backend with test configs (`snapshots.Backend`)."""

    @property
    def url(self) -> str: ...
    def test_config(self, id_: str) -> Mapping[str, Any] | None: ...


def find(
    client: Client, id_: str, namespace: str, own_namespace: str, backend: Source | None = None
) -> Mapping[str, Any]:
    """Return a test config by its id; ConfigError names what there is, or what is wrong with it."""
    if id_ not in builtins.names(KIND):
        for place in dict.fromkeys((namespace, own_namespace)):
            ref = Ref("v1", "ConfigMap", place, f"speedscale-testconfig-{id_.lower()}")
            found = client.find(ref)
            if found is not None:
                return _read(found, str(ref))
        remote = backend.test_config(id_) if backend is not None else None
        if backend is not None and remote is not None:
            return _checked(remote, f"backend {backend.url}: test config {id_}")
    return builtins.document(KIND, id_)


def _read(obj: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    text = (obj.get("data") or {}).get(KEY)
    if text is None:
        raise ConfigError([f"{where}: has no key {KEY}"])
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{where}: {KEY}: no JSON: {error}"]) from error
    return _checked(document, where)


def _checked(document: Any, where: str) -> Mapping[str, Any]:
    problems = [str(problem) for problem in check(KIND, document, source=where)]
    if problems:
        raise ConfigError(problems)
    made: Mapping[str, Any] = document
    return made
