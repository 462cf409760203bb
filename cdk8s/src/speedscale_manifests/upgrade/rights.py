"""What each subject may do, before and after: what a security review of an upgrade reads.

Called by `compare`. Effective rights, not rules: a verb that moves from one role to another is no change, a binding
that becomes cluster-wide is one. Pure. Source: Kubernetes, Using RBAC Authorization.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .model import Manifest, RightsChange

_GROUP = "rbac.authorization.k8s.io"


class Right(NamedTuple):
    """One verb on one resource: in a namespace or everywhere (""), of one name or all ("")."""

    scope: str
    group: str
    resource: str
    name: str
    verb: str


def changes(old: Iterable[Manifest], new: Iterable[Manifest]) -> tuple[RightsChange, ...]:
    """Return the subjects whose rights differ, by name, with what they gain and lose."""
    before, after = granted(old), granted(new)
    found = []
    for subject in sorted({*before, *after}):
        had, has = before.get(subject, frozenset()), after.get(subject, frozenset())
        gained = [right for right in has - had if not _covered(right, had)]
        lost = [right for right in had - has if not _covered(right, has)]
        if gained or lost:
            found.append(RightsChange(subject, _told(gained), _told(lost, has)))
    return tuple(found)


def granted(manifests: Iterable[Manifest]) -> dict[str, frozenset[Right]]:
    """Return the rights of each subject that the bindings among the manifests name."""
    objects = [manifest for manifest in manifests if str(manifest.get("apiVersion", "")).startswith(f"{_GROUP}/")]
    roles = {_identity(role): role for role in objects if role.get("kind") in ("Role", "ClusterRole")}
    found: dict[str, set[Right]] = defaultdict(set)
    for binding in objects:
        if binding.get("kind") not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        scope = str(binding["metadata"].get("namespace", "")) if binding["kind"] == "RoleBinding" else ""
        reference = binding.get("roleRef") or {}
        space = scope if reference.get("kind") == "Role" else ""
        role = roles.get((str(reference.get("kind")), space, str(reference.get("name"))))
        rights = set(_rights(role, scope)) if role is not None else {_foreign(reference, scope)}
        for subject in binding.get("subjects") or ():
            found[_subject(subject)] |= rights
    return {subject: frozenset(rights) for subject, rights in found.items()}


def _identity(role: Manifest) -> tuple[str, str, str]:
    metadata = role["metadata"]
    return str(role["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])


def _subject(subject: Mapping[str, Any]) -> str:
    space = subject.get("namespace")
    return f"{subject.get('kind')} {f'{space}/' if space else ''}{subject.get('name')}"


def _foreign(reference: Mapping[str, Any], scope: str) -> Right:
    """Return the right to all that a role outside of these manifests grants."""
    return Right(
        scope, "", f"(all of {reference.get('kind')} {reference.get('name')}, which is not among these)", "", ""
    )


def _rights(role: Manifest, scope: str) -> Iterator[Right]:
    for rule in role.get("rules") or ():
        verbs: Sequence[str] = rule.get("verbs") or ()
        for verb in verbs:
            for url in rule.get("nonResourceURLs") or ():
                yield Right("", "", url, "", verb)
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    for name in rule.get("resourceNames") or ("",):
                        yield Right(scope, group, resource, name, verb)


def _covered(right: Right, others: Iterable[Right]) -> bool:
    """Return whether another right of the same subject contains this one."""
    return any(
        other.scope in ("", right.scope)
        and other.group in ("*", right.group)
        and _covers_resource(other.resource, right.resource)
        and other.name in ("", right.name)
        and other.verb in ("*", right.verb)
        for other in others
    )


def _covers_resource(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    return (wide.startswith("*/") and narrow.endswith(wide[1:])) or (
        wide.startswith("/") and wide.endswith("*") and narrow.startswith(wide[:-1])
    )


def _told(rights: Iterable[Right], left: Iterable[Right] = ()) -> tuple[str, ...]:
    """Return rights as lines, the verbs of one resource together, those on everything first.

    `left` are rights the subject still has: a line says in which namespaces it keeps what it loses elsewhere.
    """
    verbs: dict[tuple[str, str, str, str, str], set[str]] = defaultdict(set)
    others = [other for other in left if other.scope]
    for right in rights:
        kept = {other.scope for other in others if _covered(right._replace(scope=other.scope), (other,))}
        verbs[*right[:4], ", ".join(sorted(kept))].add(right.verb)
    lines = []
    for (scope, group, resource, name, kept_in), found in sorted(verbs.items()):
        where = f"in {scope}" if scope else "in the whole cluster"
        what = f"{resource}.{group}" if group else resource
        named = f" {name!r}" if name else ""
        doing = f"{', '.join(sorted(found))} " if any(found) else ""
        lines.append(f"{doing}{what}{named} {where}" + (f" (still in {kept_in})" if kept_in else ""))
    return tuple(lines)
