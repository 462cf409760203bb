"""Our side of a comparison: objects out of the vendor's chart values, and a rendered chart read from a file.

Called by the verb and by the test of the built-in cases. The only part of this package that knows components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from speedscale_manifests import values as our_values
from speedscale_manifests.synth import objects
from speedscale_manifests.values.chart_import import convert
from speedscale_schemas.errors import ConfigError

from . import facts, reading

OPENSHIFT = "security.openshift.io/v1"


def ours(
    chart_values: Mapping[str, Any],
    namespace: str = facts.NAMESPACE,
    api_versions: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return our objects for the values of the chart, and what of them could not be taken over as it was.

    `api_versions` names API groups that the cluster offers beyond Kubernetes' own, `extra` values of ours that win over
    the converted ones, key by key. Raises ConfigError on bad values.
    """
    mapping, notes = convert(chart_values)
    mapping = {**mapping, "namespace": namespace, **(extra or {})}
    if OPENSHIFT in api_versions:
        mapping["preset"] = "openshift"
    values = our_values.from_mapping(mapping, "the converted chart values")
    return objects(values), [str(note) for note in notes]


def rendered(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file that `helm template` wrote; ConfigError when it is not one."""
    hint = "give what `helm template` prints"
    found = [document for document in _documents(path, hint) if document]
    for document in found:
        metadata = document.get("metadata") if isinstance(document, dict) else None
        if not (isinstance(metadata, dict) and "name" in metadata and "kind" in document):
            raise ConfigError([f"{path}: not only Kubernetes objects; {hint}"])
    if not found:
        raise ConfigError([f"{path}: no objects; {hint}"])
    return found


def chart_values(path: Path) -> dict[str, Any]:
    """Return a values file of the chart; ConfigError when it is no mapping."""
    hint = "give the file that `helm template -f` was given"
    documents = _documents(path, hint)
    found = documents[0] if documents and documents[0] is not None else {}
    if len(documents) > 1 or not isinstance(found, dict):
        raise ConfigError([f"{path}: expected one YAML mapping; {hint}"])
    return found


def namespace_of(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Return the namespace of the release: that of the operator's Deployment, else the first that an object names."""
    named = sorted(
        (o["kind"] != "Deployment", o["metadata"]["namespace"]) for o in manifests if o["metadata"].get("namespace")
    )
    return named[0][1] if named else facts.NAMESPACE


def api_versions_of(manifests: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return which further API groups the render was made for, as far as its objects show it."""
    return (OPENSHIFT,) if any(o.get("apiVersion") == OPENSHIFT for o in manifests) else ()


def _documents(path: Path, hint: str) -> list[Any]:
    try:
        return reading.documents(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError([f"{path}: cannot be read: {reason}; {hint}"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError([f"{place}: no YAML: {getattr(error, 'problem', error)}; {hint}"]) from error
