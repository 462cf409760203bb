"""ConfigMap `speedscale-operator-override`: which keys it may hold, and what is wrong with a change to it.

Called by the operator, which sets aside what is refused, and by the inspector, which does not write it in the first
place. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from . import settings
from .errors import ConfigError
from .validation import schema

SERVICE: Final = "operator"

PROCESS: Final = frozenset({"POD_NAME", "POD_NAMESPACE", "KUBECONFIG", "SPEEDSCALE_API_KEY", "SPEEDSCALE_APP_URL"})
"""Keys of the Deployment and the Secret, which come last: where the environment has them, its word holds."""

COMPONENT_KEYS: Final = frozenset(
    {
        "FORWARDER_CONFIG",
        "INSPECTOR_CONFIG",
        "COLLECTOR_CONFIG",
        "GENERATOR_CONFIG",
        "RESPONDER_CONFIG",
        "REDIS_CONFIG",
        "SIDECAR_CONFIG",
        "IMAGE_REGISTRY",
        "IMAGE_TAG",
        "IMAGE_PULL_POLICY",
        "IMAGE_PULL_SECRETS",
        "COMPONENT_IMAGE_TAGS",
        "GLOBAL_ANNOTATIONS",
        "GLOBAL_LABELS",
        "GLOBAL_POD_SECURITY_CONTEXT",
        "GLOBAL_SECURITY_CONTEXT",
        "DEPLOY_DEMO",
        "WITH_INSPECTOR",
        "WITH_DLP",
        "SPEEDSCALE_DLP_CONFIG",
        "SPEEDSCALE_FILTER_RULE",
        "PRIVILEGED_SIDECARS",
        "DISABLE_SMARTDNS",
    }
)
"""What is written into components and templates when they are synthesised, hence into the bundle in git."""


def changed(before: Mapping[str, str], put: Mapping[str, str], taken: frozenset[str], profile: str) -> dict[str, str]:
    """Return the override after a change; ConfigError with everything that the operator would not take.

    Stricter than the operator, which tolerates keys that nobody knows: what a person types is more likely misspelt.
    Only what is put is judged by name; the whole is judged by value, since a mistake sets the whole override aside.
    """
    problems = [problem for key in sorted(put) for problem in _refused(key, profile)]
    problems += [f"{key}: both set and unset" for key in sorted(taken & put.keys())]
    problems += [f"{key}: is not in the override" for key in sorted(taken - before.keys())]
    after = {key: text for key, text in before.items() if key not in taken} | dict(put)
    known = schema(f"settings/{SERVICE}")["properties"]
    try:
        settings.parse(SERVICE, {key: text for key, text in after.items() if key in known})
    except ConfigError as error:
        problems += [text.removeprefix("environment: ") for text in error.problems]
    if problems:
        raise ConfigError(problems)
    return after


def _refused(key: str, profile: str) -> list[str]:
    known = schema(f"settings/{SERVICE}")["properties"]
    if key == "PROFILE":
        return ["PROFILE: the rights that belong to a profile stand in git; change the value and synthesise"]
    if key in PROCESS:
        return [f"{key}: comes from the Deployment or the backend's Secret, and is never overridden"]
    if key in COMPONENT_KEYS and profile == "gitops":
        return [f"{key}: in profile gitops components are what git says; change the values and synthesise"]
    if key not in known:
        near = difflib.get_close_matches(key, known, 1)
        return [f"{key}: no setting of the operator" + (f"; did you mean {near[0]!r}?" if near else "")]
    return []
