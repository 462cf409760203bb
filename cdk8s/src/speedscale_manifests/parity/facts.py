"""What the vendor's chart renders, restated as data: cases, the chart values of each, and the fields of each object.

Called by the verb and by tests (`load`), and by `restate`, which writes the files. Reads only `facts/` beside it.

`facts/cases.yaml` says with which values each case was rendered; `facts/<section>.yaml` holds each object's fields
under the cases that have them with that value: `all`, or case names. Sections are numbered as in the survey.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from . import reading
from .flatten import Facts, Fields

CHART = "speedscale-operator 2.5.602"
NAMESPACE = "speedscale"
SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("02", "configmap", r"ConfigMap/speedscale-operator"),
    ("03", "operator", r"Deployment/speedscale-operator"),
    ("04", "service", r"Service/speedscale-operator"),
    ("05", "webhooks", r"(Mutating|Validating)WebhookConfiguration/.*"),
    ("06", "rbac", r"(ServiceAccount|Role|RoleBinding|ClusterRole|ClusterRoleBinding|Rights)/speedscale-operator.*"),
    ("07", "jobs", r"Job/.*"),
    ("08", "secrets", r"Secret/.*"),
    ("09", "nettap", r".*/(speedscale-)?nettap"),
    ("10", "crd", r"CustomResourceDefinition/.*"),
)
OTHER = "other"
ALL = "all"
RIGHTS = "Rights/"


@dataclass(frozen=True, slots=True)
class Case:
    """One render of the chart: its values, the API groups the cluster was said to have, the fields of its objects."""

    name: str
    about: str
    values: Mapping[str, Any]
    api_versions: tuple[str, ...]
    facts: Facts


@cache
def load() -> tuple[Case, ...]:
    """Return the four cases, in the order of `cases.yaml`."""
    folder = files(__package__) / "facts"
    cases = {
        name: Case(name, case["about"], case["values"], tuple(case.get("apiVersions", ())), {})
        for name, case in described().items()
    }
    for number, title, _ in SECTIONS:
        for item in reading.document((folder / file_name(number, title)).read_text("utf-8")):
            for names, fields in item["fields"].items():
                for case in names.split() if names != ALL else cases:
                    cases[case].facts.setdefault(item["object"], {}).update(_spread(item["object"], fields))
    return tuple(cases.values())


def described() -> dict[str, Any]:
    """Return what `cases.yaml` says of each case: `about`, `values`, perhaps `apiVersions`."""
    found: dict[str, Any] = reading.document((files(__package__) / "facts" / "cases.yaml").read_text("utf-8"))
    return found


def case(name: str) -> Case:
    """Return one case; KeyError when there is none of that name."""
    return {c.name: c for c in load()}[name]


def case_names() -> tuple[str, ...]:
    """Return the names of the cases."""
    return tuple(c.name for c in load())


def section(object_name: str) -> str:
    """Return the section that an object of the vendor belongs to: "02" to "10", or `other`."""
    bare = object_name.partition("@")[0]
    return next((number for number, _, pattern in SECTIONS if re.fullmatch(pattern, bare)), OTHER)


def file_name(number: str, title: str) -> str:
    """Return the name of a section's file."""
    return f"{number}-{title}.yaml"


def entries(cases: Sequence[tuple[str, Facts]], number: str) -> list[dict[str, Any]]:
    """Return one section as it is written: each object with its fields, by the cases that hold them with that value."""
    names = [name for name, _ in cases]
    objects = sorted({item for _, facts in cases for item in facts if section(item) == number})
    return [{"object": item, "fields": _by_cases(item, names, dict(cases))} for item in objects]


def _by_cases(item: str, names: list[str], facts: Mapping[str, Facts]) -> dict[str, Fields]:
    where: dict[tuple[str, str], list[str]] = {}
    values: dict[tuple[str, str], Any] = {}
    for name in names:
        for path, value in facts[name].get(item, {}).items():
            key = path, json.dumps(value, sort_keys=True)
            where.setdefault(key, []).append(name)
            values[key] = value
    groups: dict[str, Fields] = {}
    for key in sorted(where):
        label = ALL if where[key] == names else " ".join(where[key])
        groups.setdefault(label, {})[key[0]] = values[key]
    return {label: _gathered(item, groups[label]) for label in sorted(groups, key=lambda g: (g != ALL, g))}


def _gathered(item: str, fields: Fields) -> Fields:
    """Return rights with the verbs of one resource on one line: `apps/deployments get list`."""
    if not item.startswith(RIGHTS):
        return fields
    verbs: dict[tuple[str, str], list[str]] = {}
    for path, places in fields.items():
        resource, _, verb = path.rpartition(" ")
        verbs.setdefault((resource, json.dumps(places)), []).append(verb)
    return {f"{resource} {' '.join(found)}": json.loads(places) for (resource, places), found in verbs.items()}


def _spread(item: str, fields: Fields) -> Fields:
    """Undo `_gathered`."""
    if not item.startswith(RIGHTS):
        return fields
    spread: Fields = {}
    for line, places in fields.items():
        resource, *verbs = line.split()
        spread.update({f"{resource} {verb}": places for verb in verbs})
    return spread
