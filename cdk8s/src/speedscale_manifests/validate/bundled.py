"""The step `bundle`: what the controller applies itself is as good as what is applied from the files.

Called by `run` and `objects`. Pure. A bundle's hash has to be that of its content, every gap of a template has to be
one the controller knows, and each object, filled with the gaps' examples, has to fit Kubernetes' schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from speedscale_manifests.bundle import BUNDLE_LABEL, CONTENT, CONTENT_HASH, MAX_BYTES, content_hash
from speedscale_schemas import templates
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.wording import Problem

from . import kubernetes
from .files import Document
from .findings import Found, Step, named
from .reading import line_of, read
from .schemas import shorter

NAME = "bundle"


def bundle_step(documents: Sequence[Document], versions: Sequence[str]) -> Step:
    """Check every ConfigMap that is a bundle: its hash and size, and each manifest in it."""
    found: list[Found] = []
    checked = 0
    for document in documents:
        if component(document.manifest):
            data = document.manifest.get("data")
            checked += len(data) if isinstance(data, Mapping) else 0
            found += _bundle(document, data, versions)
    return Step.of(NAME, "what the controller applies itself", found, checked)


def component(manifest: Mapping[str, Any]) -> str:
    """Return the component whose bundle a manifest is, or nothing."""
    labels = manifest["metadata"].get("labels") or {}
    return str(labels.get(BUNDLE_LABEL, "")) if manifest["kind"] == "ConfigMap" else ""


def _bundle(document: Document, data: object, versions: Sequence[str]) -> Iterator[Found]:
    if not isinstance(data, Mapping) or not data:
        yield document.found(NAME, ("data",), "the bundle is empty")
        return
    metadata = document.manifest["metadata"]
    stated = (metadata.get("annotations") or {}).get(CONTENT_HASH)
    right = content_hash(data)
    if stated != right:
        reason = "the hash is not that of the content: the controller would not see the change; synthesise again"
        yield document.found(NAME, ("metadata", "annotations", CONTENT_HASH), f"{reason} (expected {right})")
    size = sum(len(key.encode()) + len(str(text).encode()) for key, text in data.items())
    if size > MAX_BYTES:
        yield document.found(NAME, ("data",), f"{size:,} bytes; expected at most {MAX_BYTES:,}")
    for key, text in data.items():
        yield from _manifest(document, key, str(text), versions)


def _manifest(document: Document, key: str, text: str, versions: Sequence[str]) -> Iterator[Found]:
    """Yield the problems of one manifest in a bundle; lines are those of the ConfigMap's file."""
    parsed = read(text.encode())
    first = line_of(document.lines, ("data", key)) + 1 if document.lines else 0

    def told(line: int, subject: str, path: str, reason: str) -> Found:
        return Found(NAME, document.file, first + line - 1 if first else 0, subject, path, reason)

    for line, path, reason in parsed.problems:
        yield told(line, f"{named(document.manifest)} [{key}]", ".".join(map(str, path)), reason)
    if len(parsed.documents) != 1 or not isinstance(parsed.documents[0], dict):
        yield told(1, named(document.manifest), key, f"{len(parsed.documents)} documents; a key holds one object")
        return
    manifest, lines = parsed.documents[0], parsed.lines[0]
    subject = f"{named(manifest)} in {named(document.manifest)}"
    try:
        forms = _filled(manifest) if _is_template(document) else [manifest]
    except ConfigError as error:
        for reason in error.problems:
            yield told(1, subject, "", reason)
        return
    wrong, version = _schema(forms, versions)
    for problem in map(shorter, wrong):
        hint = f"; {problem.hint}" if problem.hint else ""
        reason = f"{problem.value}: {problem.expected}{hint} (Kubernetes {version})"
        yield told(line_of(lines, problem.parts), subject, problem.path, reason)


def _is_template(document: Document) -> bool:
    annotations = document.manifest["metadata"].get("annotations") or {}
    return bool(annotations.get(CONTENT) != "managed")


def _filled(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a template with every gap filled, and with those left out that may be; ConfigError for unknown gaps."""
    every = templates.examples()
    fewest = {name: None if templates.GAPS[name].optional else value for name, value in every.items()}
    return [templates.fill(template, values) for values in (every, fewest)]


def _schema(forms: Sequence[Mapping[str, Any]], versions: Sequence[str]) -> tuple[list[Problem], str]:
    """Return the problems in the first version that takes none of an object's forms, and that version.

    The controller leaves a gap out where the cluster is too old for it, so one good form a version is enough.
    """
    for version in versions:
        found = [kubernetes.check(form, version) or [] for form in forms]
        if all(found):
            return min(found, key=len), version
    return [], ""
