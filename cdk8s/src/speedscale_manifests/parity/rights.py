"""What each service account may do, from roles and bindings, whichever objects grant it.

Called by `flatten` (rights of a set of objects) and `compare` (does one right cover another). Pure.

A right is `apps/deployments get` → the places where it holds, each `everywhere` or `in <namespace>`, with
` named <name>` where the rule names an object. A role that is not among the objects is a right of its own
(`ClusterRole/view *`), so that it is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .shapes import mapping, mappings, texts

EVERYWHERE = "everywhere"
EVERY_VERB = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch", "*")
Rights = dict[str, list[str]]


def rights_of(objects: Iterable[Mapping[str, Any]], namespace: str) -> dict[str, Rights]:
    """Return the rights of every service account that a binding in `objects` names: `Rights/<account>` → rights."""
    manifests = list(objects)
    roles = {}
    for role in filter(_is_role, manifests):
        roles[_role_key(role["kind"], {"namespace": namespace, **(role.get("metadata") or {})})] = (
            role.get("rules") or []
        )
    held: dict[str, dict[str, set[str]]] = {}
    for binding in manifests:
        if binding.get("kind") not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        ref = mapping(binding.get("roleRef"))
        home = mapping(binding.get("metadata")).get("namespace") or namespace
        place = EVERYWHERE if binding["kind"] == "ClusterRoleBinding" else f"in {home}"
        rules = roles.get(_role_key(str(ref.get("kind")), {"namespace": home, "name": ref.get("name")}))
        granted = [(f"{ref.get('kind')}/{ref.get('name')} *", "")] if rules is None else list(_expanded(rules))
        for account in _accounts(binding, home, namespace):
            rights = held.setdefault(account, {})
            for right, name in granted:
                rights.setdefault(right, set()).add(place + (f" named {name}" if name else ""))
    return {account: {r: _reduced(places) for r, places in sorted(rights.items())} for account, rights in held.items()}


def covers(wide: Iterable[str], narrow: Iterable[str]) -> bool:
    """Say whether every place of `narrow` lies within `wide`."""
    held = set(wide)
    return all(not held.isdisjoint(_wider(place)) for place in narrow)


def told(places: Iterable[str]) -> str:
    """Return places for people, those of the same names together: `in pay, shop named a, b; everywhere named c`."""
    names: dict[str, list[str]] = {}
    for place in places:
        where, _, name = place.partition(" named ")
        names.setdefault(where, []).extend([name] if name else [])
    same: dict[tuple[str, ...], list[str]] = {}
    for where, of_where in names.items():
        same.setdefault(tuple(sorted(of_where)), []).append(where)
    parts = []
    for of_names, wheres in same.items():
        inside = sorted(where.removeprefix("in ") for where in wheres if where != EVERYWHERE)
        text = EVERYWHERE if EVERYWHERE in wheres else f"in {', '.join(inside)}"
        parts.append(text + (f" named {', '.join(of_names)}" if of_names else ""))
    return "; ".join(sorted(parts))


def _is_role(manifest: Mapping[str, Any]) -> bool:
    return manifest.get("kind") in ("Role", "ClusterRole")


def _role_key(kind: str, metadata: Mapping[str, Any]) -> tuple[str, str, str]:
    return kind, str(metadata.get("namespace") or "") if kind == "Role" else "", str(metadata.get("name"))


def _accounts(binding: Mapping[str, Any], home: str, namespace: str) -> Iterator[str]:
    for subject in mappings(binding.get("subjects")):
        if subject.get("kind") == "ServiceAccount":
            where = subject.get("namespace") or home
            yield f"Rights/{subject.get('name')}" + ("" if where == namespace else f"@{where}")


def _expanded(rules: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (right, object name or "") for each verb on each resource."""
    for rule in rules:
        for verb in texts(rule.get("verbs")):
            for each in EVERY_VERB if verb == "*" else (verb,):
                for url in texts(rule.get("nonResourceURLs")):
                    yield f"url:{url} {each}", ""
                for group in texts(rule.get("apiGroups")):
                    for resource in texts(rule.get("resources")):
                        for name in texts(rule.get("resourceNames")) or ("",):
                            yield f"{group or 'core'}/{resource} {each}", name


def _wider(place: str) -> set[str]:
    """Return the places that include a place, itself too."""
    where, _, name = place.partition(" named ")
    named = {f"{EVERYWHERE} named {name}", place} if name else set()
    return {EVERYWHERE, where} | named


def _reduced(places: set[str]) -> list[str]:
    """Return the places without those that another of them includes."""
    return sorted(p for p in places if not (_wider(p) - {p}) & places)
