"""Changes of a CustomResourceDefinition, classified: what breaks objects that exist, what is safe, what is words only.

Called by `compare` for CRDs in the place of the plain field differences below `spec.versions`. Pure. "Breaking"
means that an object which was valid or kept a field may be refused or lose it. What cannot be decided (a changed
pattern or CEL rule) counts as breaking, with that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .fields import differences
from .model import Change, Manifest, Risk

_WORDS = frozenset(("description", "title", "example", "externalDocs"))
_LOWER = frozenset(("minimum", "minLength", "minItems", "minProperties"))
_UPPER = frozenset(("maximum", "maxLength", "maxItems", "maxProperties"))
_MERGE = frozenset(("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"))
Node = Mapping[str, Any]


def changes(old: Manifest, new: Manifest) -> Iterator[Change]:
    """Yield the changes below `spec.versions` of a CRD, each with its risk and reason."""
    before, after = _versions(old), _versions(new)
    for name in dict.fromkeys([*before, *after]):
        path = f"spec.versions[{name}]"
        if name not in after:
            note = "clients of this version fail, and stored objects of it block the change until they are migrated"
            yield Change(path, name, None, Risk.BREAKING, note)
        elif name not in before:
            yield Change(path, None, name, Risk.NONE, "a version more")
        else:
            yield from _version(before[name], after[name], path)


def _versions(manifest: Manifest) -> dict[str, Node]:
    spec = manifest.get("spec") or {}
    return {str(version.get("name")): version for version in spec.get("versions") or ()}


def _version(old: Node, new: Node, path: str) -> Iterator[Change]:
    if old.get("served") and not new.get("served"):
        yield Change(f"{path}.served", True, False, Risk.BREAKING, "clients of this version fail")
    elif old.get("served") != new.get("served"):
        yield Change(f"{path}.served", old.get("served"), new.get("served"))
    if old.get("storage") != new.get("storage"):
        note = "objects stay stored in the old version until each is written again (kubectl get, kubectl replace)"
        yield Change(f"{path}.storage", old.get("storage"), new.get("storage"), Risk.NOTE, note)
    for name in ("status", "scale"):
        had, has = (name in (version.get("subresources") or {}) for version in (old, new))
        if had and not has:
            yield Change(f"{path}.subresources.{name}", {}, None, Risk.BREAKING, f"clients that write {name} fail")
        elif has and not had:
            note = "status written with the object is ignored from now on" if name == "status" else ""
            yield Change(f"{path}.subresources.{name}", None, {}, Risk.NOTE if note else Risk.NONE, note)
    yield from differences(
        old.get("additionalPrinterColumns", []),
        new.get("additionalPrinterColumns", []),
        f"{path}.additionalPrinterColumns",
    )
    schemas = [(version.get("schema") or {}).get("openAPIV3Schema") or {} for version in (old, new)]
    yield from _schema(schemas[0], schemas[1], f"{path}.schema")


def _schema(old: Node, new: Node, path: str) -> Iterator[Change]:
    """Yield the changes of one node of a schema and of those below it."""
    for key in sorted({*old, *new} - {"properties", "items", "additionalProperties", "required"}):
        if old.get(key) != new.get(key):
            risk, note = _judge(key, old.get(key), new.get(key))
            yield Change(f"{path}.{key}", old.get(key), new.get(key), risk, note)
    yield from _properties(old, new, path)
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _schema(before, after, path + suffix)
        elif before != after:
            risk = Risk.BREAKING if before is not None else Risk.NOTE
            yield Change(f"{path}.{key}", before, after, risk, "values that fitted may fit no more")


def _properties(old: Node, new: Node, path: str) -> Iterator[Change]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    needed, needs = set(old.get("required") or ()), set(new.get("required") or ())
    for name in dict.fromkeys([*before, *after]):
        where = f"{path}.{name}"
        if name not in after:
            note = "field removed: the API server prunes it from stored objects and refuses it under strict validation"
            kept = new.get("x-kubernetes-preserve-unknown-fields") is True
            yield Change(where, before[name].get("type", "any"), None, Risk.NOTE if kept else Risk.BREAKING, note)
        elif name not in before:
            default = "default" in after[name]
            risky = name in needs and not default
            note = "required, without a default: existing objects lack it" if risky else "field added"
            yield Change(where, None, after[name].get("type", "any"), Risk.BREAKING if risky else Risk.NONE, note)
        else:
            if name in needs - needed:
                yield Change(f"{where} (required)", False, True, Risk.BREAKING, "existing objects may lack it")
            elif name in needed - needs:
                yield Change(f"{where} (required)", True, False, Risk.NONE, "no longer required")
            yield from _schema(before[name], after[name], where)


def _judge(key: str, old: Any, new: Any) -> tuple[Risk, str]:
    if key in _WORDS:
        return Risk.NONE, "words only"
    if key in _LOWER:
        return _bound(old, new, tighter=lambda a, b: b > a)
    if key in _UPPER:
        return _bound(old, new, tighter=lambda a, b: b < a)
    if key in _MERGE:
        return Risk.BREAKING, "server-side apply merges the list otherwise: fields may get another owner or be dropped"
    judge = _JUDGES.get(key)
    if judge is not None:
        return judge(old, new)
    if new is None:
        return Risk.NONE, "restriction removed"
    return (
        Risk.BREAKING,
        "validation added" if old is None else "validation changed: whether it is tighter cannot be told",
    )


def _bound(old: Any, new: Any, tighter: Callable[[Any, Any], bool]) -> tuple[Risk, str]:
    if new is None or (old is not None and not tighter(old, new)):
        return Risk.NONE, "range widened"
    return Risk.BREAKING, "range narrowed"


def _type(old: Any, new: Any) -> tuple[Risk, str]:
    if new is None or (old == "integer" and new == "number"):
        return Risk.NONE, "type widened"
    return Risk.BREAKING, "type changed"


def _enum(old: Any, new: Any) -> tuple[Risk, str]:
    if new is None:
        return Risk.NONE, "any value allowed"
    gone = [value for value in old if value not in new] if isinstance(old, Sequence) else []
    if old is None or gone:
        what = f"no longer allowed: {', '.join(map(str, gone))}" if gone else "only listed values allowed"
        return Risk.BREAKING, what
    return Risk.NONE, "values added"


def _rules(old: Any, new: Any) -> tuple[Risk, str]:
    before = [rule.get("rule") for rule in old or ()]
    added = [rule.get("rule") for rule in new or () if rule.get("rule") not in before]
    if added:
        return Risk.BREAKING, f"rule added or changed: {'; '.join(map(str, added))}"
    return Risk.NONE, "rules removed or reworded"


def _flag(*, loses: bool, note: str) -> Callable[[Any, Any], tuple[Risk, str]]:
    """Return the judge of a boolean whose change to not-`loses`… takes something away."""

    def judge(old: Any, new: Any) -> tuple[Risk, str]:
        return (Risk.BREAKING, note) if bool(old) is loses and bool(new) is not loses else (Risk.NONE, "")

    return judge


_JUDGES: dict[str, Callable[[Any, Any], tuple[Risk, str]]] = {
    "type": _type,
    "enum": _enum,
    "x-kubernetes-validations": _rules,
    "nullable": _flag(loses=True, note="null is refused from now on"),
    "x-kubernetes-preserve-unknown-fields": _flag(loses=True, note="unknown fields are pruned from now on"),
    "x-kubernetes-int-or-string": _flag(loses=True, note="only one of number and text is allowed from now on"),
    "uniqueItems": _flag(loses=False, note="items must differ from now on"),
    "exclusiveMinimum": _flag(loses=False, note="the bound itself is refused from now on"),
    "exclusiveMaximum": _flag(loses=False, note="the bound itself is refused from now on"),
    "default": lambda old, new: (Risk.NOTE, "objects without the field behave otherwise"),
}
