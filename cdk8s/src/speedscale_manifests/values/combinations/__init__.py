"""What several values demand of each other: a table of named rules, each with a reason and a remedy.

The schema judges one value; these judge what it cannot say. Called by `loading` on valid trees only. A rule that is
not in `LAYER` or `MERGED` does not run; the table is also the list in the documentation.
"""

from __future__ import annotations

from speedscale_manifests.values.layers import DEFAULT, Layer, Merged
from speedscale_manifests.values.places import Place, Refusal, Warned, text

from . import cluster, credentials, exporters, objects, traffic
from .rule import Finding, Rule

LAYER: tuple[Rule, ...] = credentials.RULES
"""Judged for each layer alone."""
MERGED: tuple[Rule, ...] = (*cluster.RULES, *traffic.RULES, *exporters.RULES, *objects.RULES)
"""Judged over the sum of all layers."""


def check_layer(layer: Layer) -> list[Refusal]:
    """Return what is refused in one layer, whatever later ones say."""
    tree = dict(layer.tree)
    return [_refusal(rule, finding, layer.place(finding.path)) for rule in LAYER for finding in rule.find(tree)]


def check(merged: Merged) -> tuple[list[Refusal], list[Warned]]:
    """Return refusals, ordered by place, and warnings, of a merged tree that the schema accepts."""
    refusals: list[Refusal] = []
    warnings: list[Warned] = []
    for rule in MERGED:
        for finding in rule.find(merged.tree):
            place = _place(merged, finding)
            if rule.level == "refuse":
                refusals.append(_refusal(rule, finding, place))
            else:
                warnings.append(Warned(rule.name, text(finding.path), str(place), finding.reason, finding.remedy))
    return sorted(refusals, key=lambda refusal: refusal.place), warnings


def _place(merged: Merged, finding: Finding) -> Place:
    """Return who set the path that is to blame, else who set the cause."""
    place = merged.place(finding.path)
    return merged.place(finding.cause) if place == DEFAULT and finding.cause else place


def _refusal(rule: Rule, finding: Finding, place: Place) -> Refusal:
    return Refusal(place, text(finding.path), finding.reason, finding.remedy, rule.name)


__all__ = ["LAYER", "MERGED", "Rule", "check", "check_layer"]
