"""The table of this member's verbs, read by speedctl's root without importing their modules."""

from __future__ import annotations

from speedscale_schemas.verbs import Verb

_HERE = "speedscale_controller.cli"


def _verb(name: str, module: str, help: str, group: str = "Cluster") -> Verb:
    return Verb(name, "controller", f"{_HERE}.{module}", help, group)


VERBS: tuple[Verb, ...] = (
    _verb("infra", "infra", "show workloads, add and remove sidecars, run replays, push snapshots"),
    _verb("doctor", "doctor", "find out what is wrong with an installation, or will be with one to come"),
    _verb("nettap", "nettap", "what each node's kernel allows for capture without sidecars, and what is captured"),
    _verb("uninstall", "uninstall", "take sidecars out of workloads, then remove the installation"),
)
