"""ConfigMap, override and environment as one: what counts, and what of it was refused and why.

Like the Deployment's `envFrom`: the override wins key by key, the backend's Secret wins over both. Unlike the
environment it is read live, so a key that left the override is gone at once. Two rules are added:

- In profile gitops the components stand in git. An override of a component would either do nothing or be undone by
  the next sync, so it is refused, all such keys together. PROFILE itself is refused in both profiles: the rights that
  belong to it stand in git.
- A mistake in the override sets the whole override aside, never a part of it; a mistake in the ConfigMap keeps
  what held before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.overrides import COMPONENT_KEYS, PROCESS
from speedscale_schemas.validation import schema

from .model import SERVICE, Settings

OVERRIDE = "speedscale-operator-override"
BASE = "speedscale-operator"

STARTED_WITH = frozenset(
    {"WEBHOOK_HOST", "WEBHOOK_PORT", "HEALTH_HOST", "HEALTH_PORT", "SNAPSHOT_DIR"}
    | {"ADMISSION_MAX_BYTES", "ADMISSION_DEADLINE_S", "SHUTDOWN_GRACE_S", "BACKEND_CA_FILE", "ANALYSE_TIMEOUT"}
)
"""Keys that the ConfigMap does not carry: the environment's word holds until a ConfigMap says otherwise."""


class Refused(StrEnum):
    """Why something of the ConfigMaps does not count."""

    COMPONENT_IN_GIT = "component_in_git"
    PROFILE_IN_GIT = "profile_in_git"
    OVERRIDE_INVALID = "override_invalid"
    CONFIG_INVALID = "config_invalid"


@dataclass(frozen=True, slots=True)
class Composed:
    """Settings with what was refused: `problems` by reason, each a sentence; `unknown` keys are tolerated."""

    settings: Settings
    problems: tuple[tuple[Refused, str], ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """All problems in one line, empty when there is none."""
        return "; ".join(text for _, text in self.problems)


def compose(
    environ: Mapping[str, str],
    base: Mapping[str, str] | None,
    override: Mapping[str, str] | None,
    *,
    last: Settings | None = None,
) -> Composed:
    """Return what counts now.

    `base` and `override` are the ConfigMaps' data, None when there is none. Without `base` the environment stands
    for both, which is how a start before the first reading, or outside of a cluster, works. `last` is kept when
    `base` has mistakes; without it ConfigError tells them all.
    """
    if base is None:
        return Composed(Settings.parse(environ))
    first = {key: text for key, text in environ.items() if key in STARTED_WITH}
    own = {key: text for key, text in environ.items() if key in PROCESS}
    problems: list[tuple[Refused, str]] = []
    try:
        settings = Settings.parse({**first, **base, **own})
    except ConfigError as error:
        if last is None:
            raise
        told = _about(BASE, error)
        return Composed(last, ((Refused.CONFIG_INVALID, f"{told}; the settings of before stay in force"),))
    taken = _allowed(override or {}, settings.profile, problems)
    if taken:
        try:
            settings = Settings.parse({**first, **base, **taken, **own})
        except ConfigError as error:
            told = _about(OVERRIDE, error)
            problems.append((Refused.OVERRIDE_INVALID, f"{told}; nothing of the override is in force"))
    unknown = sorted((base.keys() | (override or {}).keys()) - _known())
    return Composed(settings, tuple(problems), tuple(unknown))


def of_process(environ: Mapping[str, str]) -> Settings:
    """Return what the Deployment says about the process itself, everything else by default.

    For the supervisor, and for a start whose environment is wrong because of the override: that must not keep a pod
    from starting that a running one would shrug off.
    """
    return Settings.parse({key: text for key, text in environ.items() if key in PROCESS | STARTED_WITH})


def _allowed(override: Mapping[str, str], profile: str, problems: list[tuple[Refused, str]]) -> dict[str, str]:
    refused = {"PROFILE"} & override.keys()
    if refused:
        why = "the rights that belong to a profile stand in git; change the value `profile` and synthesise"
        problems.append((Refused.PROFILE_IN_GIT, f"ConfigMap {OVERRIDE}: PROFILE is refused: {why}"))
    bound = sorted(COMPONENT_KEYS & override.keys()) if profile == "gitops" else []
    if bound:
        are = "is" if len(bound) == 1 else "are"
        why = "in profile gitops components are what git says; change the values and synthesise"
        problems.append((Refused.COMPONENT_IN_GIT, f"ConfigMap {OVERRIDE}: {', '.join(bound)} {are} refused: {why}"))
    refused |= set(bound)
    return {key: text for key, text in override.items() if key not in refused}


def _known() -> frozenset[str]:
    return frozenset(schema(f"settings/{SERVICE}")["properties"])


def _about(name: str, error: ConfigError) -> str:
    return f"ConfigMap {name}: " + "; ".join(text.removeprefix("environment: ") for text in error.problems)
