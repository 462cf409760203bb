"""The table of this member's verbs, read by speedctl's root without importing their modules."""

from __future__ import annotations

from speedscale_schemas.verbs import Verb

_HERE = "speedscale_manifests.cli"


def _verb(name: str, module: str, help: str, group: str = "Installation") -> Verb:
    return Verb(name, "manifests", f"{_HERE}.{module}", help, group)


VERBS: tuple[Verb, ...] = (
    _verb("values", "values", "show, check, change, begin and import the installation's values"),
    _verb("synth", "synth", "write the installation's manifests from values, for GitOps or Helm"),
    _verb("validate", "validate", "check values, manifests, policies, kustomizations and a cluster's verdict"),
    _verb("parity", "parity", "compare the installation with the vendor's chart: what is missing, what differs, why"),
    _verb("diff", "diff", "compare a cluster with the manifests in git, knowing the fields that others own"),
    _verb("lint", "lint", "find wrong annotations and TrafficReplays in manifests"),
)
