"""`sidecar.patch` of a TrafficReplay: from its text to a strategic merge patch, or why it cannot be applied.

Called by `model` with each look, and by admission. The text is base64 of a patch in YAML or JSON, as the vendor's
custom resource has it. What it may change is the pod template and the labels and annotations of the workload: nothing
that selects pods, scales, or says how a rollout goes, since those are others' while a replay runs. Pure and total.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from speedscale_kube import strategic
from speedscale_schemas.annotations import is_ours

MAX_BYTES: Final = 32 * 1024
"""Of the patch as compact JSON: it is remembered on the TrafficReplay and, with what it changed, on the workload."""
_DEEPEST: Final = 60
_ALLOWED: Final = "only spec.template and the labels and annotations under metadata can be patched"
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OURS: Final = ("speedscale-goproxy", "speedscale-initproxy-")


def read(text: str, path: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the patch of a field `path`, and every problem; the patch is empty where there is one."""
    try:
        document = _document(text)
    except ValueError as error:
        return {}, (f"{path}: {error}",)
    found = tuple(dict.fromkeys(f"{path}: {where}{': ' if where else ''}{why}" for where, why in _problems(document)))
    return ({}, found) if found else (document, ())


def sound(document: object) -> bool:
    """Say whether a patch that somebody may have written into the memory can be applied."""
    return isinstance(document, dict) and not any(True for _ in _problems(document))


def _document(text: str) -> Any:
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64; write it by: base64 -w0 patch.yaml") from None
    try:
        written = raw.decode("utf-8")
        _sized(written)
        found = json.loads(json.dumps(yaml.load(written, Loader=_Loader), allow_nan=False))
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where is not None else ""
        raise ValueError(f"its content is neither JSON nor YAML{line}") from None
    except TypeError:
        raise ValueError("its content has a value that JSON has not (a date, a set); put it in quotes") from None
    except UnicodeDecodeError:
        raise ValueError("its content is no UTF-8 text") from None
    return found


def _sized(text: str) -> None:
    """Refuse what would grow or nest without bound when it is read: the reader itself has none."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("has a YAML alias (*name); write out what it stands for")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError("its content is nested too deeply")


def _problems(document: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(document, Mapping):
        what = "a JSON Patch (a list of operations)" if isinstance(document, list) else "no object"
        yield "", f"its content is {what}; expected a strategic merge patch: the part of the workload that changes"
        return
    try:
        size = len(json.dumps(document, separators=(",", ":")))
        wrong = list(strategic.problems(document))
    except (RecursionError, ValueError):
        yield "", "its content is nested too deeply"
        return
    if size > MAX_BYTES:
        yield "", f"has {size:,} bytes, {MAX_BYTES:,} are the most"
    yield from ((_dotted(where), why) for where, why in wrong)
    if not wrong:
        yield from _places(document)


def _places(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what stands where it may not."""
    yield from _fields("", document, {"apiVersion", "kind", "metadata", "spec"})
    meta, spec = document.get("metadata"), document.get("spec")
    yield from _metadata("metadata", meta, {"name", "namespace"})
    yield from _fields("spec", spec, {"template"})
    template = spec.get("template") if isinstance(spec, Mapping) else None
    yield from _fields("spec.template", template, {"metadata", "spec"})
    if not isinstance(template, Mapping):
        return
    yield from _metadata("spec.template.metadata", template.get("metadata"), frozenset())
    pod = template.get("spec")
    yield from _fields("spec.template.spec", pod, None)
    for name in ("containers", "initContainers"):
        for item in (pod.get(name) if isinstance(pod, Mapping) else None) or ():
            if isinstance(item, Mapping) and str(item.get("name", "")).startswith(_OURS):
                where = f"spec.template.spec.{name}"
                yield where, f"{item['name']} is the sidecar's; annotate the workload (sidecar.speedscale.com/…)"


def _metadata(path: str, meta: Any, more: frozenset[str] | set[str]) -> Iterator[tuple[str, str]]:
    yield from _fields(path, meta, {"labels", "annotations", *more})
    for name in ("labels", "annotations") if isinstance(meta, Mapping) else ():
        texts = meta.get(name)
        yield from _fields(f"{path}.{name}", texts, None)
        for key, text in texts.items() if isinstance(texts, Mapping) else ():
            if is_ours(key):
                yield f"{path}.{name}", f"{key} cannot be patched; write it on the workload itself"
            elif not (text is None or isinstance(text, str)):
                yield f"{path}.{name}", f"{key} has to be a text or null; put it in quotes"


def _fields(path: str, node: Any, known: set[str] | None) -> Iterator[tuple[str, str]]:
    """Yield what is no object, and fields beside those that are known."""
    if node is None:
        return
    if not isinstance(node, Mapping):
        yield path, "expected an object"
        return
    if "$patch" in node or "$retainKeys" in node:
        yield path, "a directive stands here; use them below spec.template.spec"
    for name in sorted(set(node) - known - {"$patch", "$retainKeys"}) if known is not None else ():
        yield f"{path}.{name}".lstrip("."), _ALLOWED


def _dotted(pointer: str) -> str:
    return pointer.lstrip("/").replace("/", ".")
