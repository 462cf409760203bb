"""Security and delivery as named assertions over the objects of an installation.

Called by `speedctl validate`, by every preset's test and by users over their own overlays. `check` returns what breaks
a rule and is not exempt; `RULES` and `EXEMPTIONS` are the tables behind it. Pure. Objects come as plain JSON that
Kubernetes' own schemas accept: a rule may take for granted what these require, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from speedscale_manifests.objects import Manifest

from . import (
    bundled,
    containers,
    delivery,
    network,
    pods,
    presets,
    references,
    rights,
    secrets,
    shape,
    webhooks,
)
from .exemptions import EXEMPTIONS, Exemption, exempt
from .model import Finding, Rule
from .staging import stage

__all__ = ["EXEMPTIONS", "RULES", "Exemption", "Finding", "Rule", "check", "exempt", "findings"]

RULES: tuple[Rule, ...] = (
    *pods.RULES,
    *containers.RULES,
    *rights.RULES,
    *secrets.RULES,
    *references.RULES,
    *webhooks.RULES,
    *network.RULES,
    *delivery.RULES,
    *shape.RULES,
    *bundled.RULES,
    *presets.RULES,
)


def findings(objects: Iterable[Manifest], preset: str = "") -> list[Finding]:
    """Return every breach of every rule, exempt or not, in the order of `RULES`.

    `preset`: as in the values; rules of that kind of cluster are held besides. Raises ConfigError when the bundle
    cannot be read.
    """
    scene = stage(objects, preset)
    return [finding for rule in RULES for finding in rule.findings(scene)]


def check(objects: Iterable[Manifest], preset: str = "") -> list[Finding]:
    """Return every breach that is not exempt; arguments and errors as for `findings`."""
    return [finding for finding in findings(objects, preset) if not exempt(finding)]
