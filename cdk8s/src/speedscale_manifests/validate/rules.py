"""The steps `policies` and `annotations`: our security assertions, and annotations that mean what they say.

Called by `run` and `objects`. Pure: what a rule is stands in `policy` and `lint`; here findings get their place.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from speedscale_manifests import lint, policy
from speedscale_manifests.bundle import BUNDLE_LABEL
from speedscale_manifests.objects import names, reference
from speedscale_schemas.errors import ConfigError

from .files import Document
from .findings import Found, Path, Step, named

POLICIES = "policies"
ANNOTATIONS = "annotations"
_PART = re.compile(r"\[(\d+)\]|\[([^\]]+)\]|\.?([^.\[\]]+)")


def policy_step(documents: Sequence[Document], preset: str = "", left_out: int = 0) -> Step:
    """Check every rule of `policy` over all objects, those in the bundle too; `preset` adds that cluster's rules.

    Rules look at objects together, so a part of an installation is not judged: neither other people's manifests, nor
    what is left when `left_out` objects do not fit their schema.
    """
    title = f"{len(policy.RULES)} security rules"
    if left_out:
        what = "1 object does" if left_out == 1 else f"{left_out} objects do"
        return Step.skipped(POLICIES, title, f"{what} not fit Kubernetes' schemas, and rules look at all together")
    if not any(_is_operator(document.manifest) for document in documents):
        return Step.skipped(POLICIES, title, f"no whole installation: there is no Deployment {names.OPERATOR}")
    places = {reference(document.manifest): document for document in documents}
    bundles = {_labels(document).get(BUNDLE_LABEL, ""): document for document in documents}
    found: list[Found] = []
    try:
        findings = policy.check([document.manifest for document in documents], preset)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Step.of(POLICIES, title, [_unjudged(error)], len(documents))
    except ConfigError as error:
        problems = [Found(POLICIES, "", 0, "", "", problem) for problem in error.problems]
        return Step.of(POLICIES, title, problems, len(documents))
    for finding in findings:
        if finding.rule == "bundle-hashed":  # the step `bundle` tells it, with the right hash
            continue
        text = f"{finding.message} [{finding.rule}]; {finding.remedy}"
        document = places.get(finding.object)
        if document is not None:
            place = parts(finding.path)
            found.append(document.found(POLICIES, place, text, path=finding.path, warning=finding.warning))
        else:
            box = bundles.get(finding.component)
            file = box.file if box else ""
            what = f"{finding.object} in the bundle"
            found.append(Found(POLICIES, file, 0, what, finding.path, text, finding.warning))
    return Step.of(POLICIES, title, found, len(documents))


def annotation_step(documents: Sequence[Document]) -> Step:
    """Check annotations and TrafficReplays by the rules of `speedctl lint`; its notes are left to that verb."""
    by_source: dict[str, list[Document]] = {}
    for document in documents:
        by_source.setdefault(document.file, []).append(document)
    given = []
    for document in documents:
        places = {path: (line, 1) for path, line in document.lines.items()}
        given.append(lint.Document(document.file, document.manifest, places))
    found = []
    for problem in lint.lint(given):
        if problem.severity == "note":
            continue
        owner = _owner(by_source.get(problem.source, ()), problem.line)
        text = f"{problem.message} [{problem.rule}]" + (f"; {problem.remedy}" if problem.remedy else "")
        subject = named(owner.manifest) if owner else ""
        warning = problem.severity == "warning"
        found.append(Found(ANNOTATIONS, problem.source, problem.line, subject, problem.path, text, warning))
    return Step.of(ANNOTATIONS, "annotations mean what they say", found, len(documents))


def parts(path: str) -> Path:
    """Return a written path (`spec.containers[0].image`) as names and indexes; what is no path gives the root."""
    found: list[str | int] = []
    for index, key, name in _PART.findall(path):
        found.append(int(index) if index else key or name)
    return tuple(found)


def _owner(documents: Sequence[Document], line: int) -> Document | None:
    """Return the last document of a file that begins at or before a line."""
    before = [document for document in documents if document.lines.get((), 1) <= line]
    return before[-1] if before else None


def _unjudged(error: Exception) -> Found:
    """Return the problem that an object fits its schema, and is still unlike anything a rule expects."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.name}, line {last.lineno} of policy/{PurePath(last.filename).name}"
    reason = f"a rule cannot judge these objects ({type(error).__name__}: {error}; {place}): is a field missing in one?"
    return Found(POLICIES, "", 0, "", "", reason)


def _labels(document: Document) -> Mapping[str, str]:
    found: Mapping[str, str] = document.manifest["metadata"].get("labels") or {}
    return found


def _is_operator(manifest: Mapping[str, Any]) -> bool:
    return bool(manifest["kind"] == "Deployment" and manifest["metadata"].get("name") == names.OPERATOR)
