"""The steps `kubernetes` and `crd`: every object against the schema of its kind.

Called by `run` and, for objects without files, by `objects`. Pure. What neither Kubernetes nor a definition among the
documents describes (cert-manager, OpenShift, Argo) is named as not checked, never passed over in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from speedscale_schemas import trafficreplay
from speedscale_schemas.wording import Problem, problems

from . import definitions, kubernetes
from .custom import custom
from .files import Document
from .findings import Found, Step

KUBERNETES = "kubernetes"
CRD = "crd"
_DEFINITION = "CustomResourceDefinition"
_FEW = 12
Tick = Callable[[int], None]


def kubernetes_step(documents: Sequence[Document], versions: Sequence[str], tick: Tick = lambda _: None) -> Step:
    """Check every object in each version of Kubernetes; the same problem of several versions is told once."""
    found: list[Found] = []
    checked = 0
    for document in documents:
        told: dict[str, list[str]] = {}
        places: dict[str, Found] = {}
        known = False
        for version in versions:
            wrong = kubernetes.check(document.manifest, version)
            known = known or wrong is not None
            for problem in map(shorter, wrong or ()):
                place = document.told(KUBERNETES, problem)
                key = f"{place.path}: {problem.value}: {_gist(problem.expected)}"
                told.setdefault(key, []).append(version)
                places.setdefault(key, place)
        for key, where in told.items():
            found.append(_versioned(places[key], where))
        checked += known
        tick(checked)
    title = f"schemas of Kubernetes {_range(versions)}"
    return Step.of(KUBERNETES, title, found, checked)


def crd_step(documents: Sequence[Document]) -> Step:
    """Check definitions by the rules of structural schemas, and custom resources with unknown fields refused."""
    definitive = [document for document in documents if document.manifest["kind"] == _DEFINITION]
    wrong = [(document, list(definitions.check(document.manifest))) for document in definitive]
    validators = _validators(document for document, problems in wrong if not problems)
    found = [document.found(CRD, path, reason) for document, problems in wrong for path, reason in problems]
    unchecked: Counter[str] = Counter()
    checked = 0
    newest = kubernetes.versions()[-1]
    for document in documents:
        manifest = document.manifest
        kind = (str(manifest["apiVersion"]), str(manifest["kind"]))
        if kind[1] == _DEFINITION:
            checked += 1
        elif kind == (trafficreplay.API_VERSION, trafficreplay.KIND):
            checked += 1
            found += [document.told(CRD, problem) for problem in trafficreplay.validate(manifest)]
        elif kind in validators:
            checked += 1
            errors = validators[kind].iter_errors(manifest)
            found += [document.told(CRD, problem) for problem in problems(errors, manifest, "")]
        elif not kubernetes.is_builtin(kind[0], newest):
            unchecked[f"{kind[1]} ({kind[0]})"] += 1
    notes = [f"not checked, their definitions are not here: {_listed(unchecked)}"] if unchecked else []
    return Step.of(CRD, "custom resources and their definitions", found, checked, notes=notes)


def _validators(documents: Iterable[Document]) -> Mapping[tuple[str, str], Draft202012Validator]:
    """Return a validator for each kind and version that one of these definitions serves."""
    made: dict[tuple[str, str], Draft202012Validator] = {}
    for document in documents:
        for api, kind, schema in _served(document.manifest):
            made[api, kind] = Draft202012Validator(custom(schema))
    return made


def _served(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    kind = (spec.get("names") or {}).get("kind")
    for version in spec.get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if isinstance(schema, Mapping) and kind:
            yield f"{spec.get('group')}/{version.get('name')}", str(kind), schema


def shorter(problem: Problem) -> Problem:
    """Return a problem of Kubernetes' schemas without what nobody reads: dozens of known keys, and null for all."""
    head, _, known = problem.expected.partition("; known are ")
    if known and (problem.hint or known.count(",") > _FEW):
        return replace(problem, expected=head)
    return replace(problem, expected=problem.expected.replace(" or null, found", ", found"))


def _gist(expected: str) -> str:
    """Return what was expected without what differs from version to version."""
    return expected.partition("; known are")[0].partition(" Kubernetes ")[0]


def _versioned(found: Found, versions: Sequence[str]) -> Found:
    if f"Kubernetes {versions[0]}" in found.reason:
        return found
    reason = f"{found.reason} (Kubernetes {_range(versions)})"
    return Found(found.step, found.file, found.line, found.object, found.path, reason)


@lru_cache(maxsize=64)
def _spelled(versions: tuple[str, ...]) -> str:
    known = kubernetes.versions()
    if len(versions) > 2 and versions == known[known.index(versions[0]) : known.index(versions[-1]) + 1]:
        return f"{versions[0]} to {versions[-1]}"
    return " and ".join(versions) if len(versions) <= 2 else ", ".join(versions)


def _range(versions: Sequence[str]) -> str:
    return _spelled(tuple(versions))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} × {number}" if number > 1 else name for name, number in sorted(counts.items()))
