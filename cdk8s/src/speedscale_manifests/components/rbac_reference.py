"""The page `docs/rbac.md`: every right of every account, with its reason.

Called by `make gen` through `page`. It shows the defaults and what changes with the values that change rights; the
tables themselves are in `rbac_grants` and beside the other components' rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from speedscale_manifests.objects import Grant
from speedscale_manifests.values import Values, from_mapping

from . import inspector, nettap, rbac_grants, replay_collector

_HEAD = """# Rights

<!-- Written by `make gen`; change the grants in `speedscale_manifests.components`, not this page. -->

Every rule of every Role, and why it is there. There is no wildcard, and no right to write rights: accounts, Roles and
bindings stand in git. A rule that names objects holds for those alone; `list` and `watch` of a named object work with
`fieldSelector=metadata.name=…`.

What it amounts to: whoever can create workloads in a namespace can run as any ServiceAccount of that namespace. The
operator can, because replays are workloads. `namespaceSelector` bounds where.
"""

_VARIANTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    (
        "namespaceSelector: [shop]",
        "The workload rules are Roles in `shop` and in the installation's namespace; cluster-wide there remain:",
        {"namespaceSelector": ["shop"]},
    ),
    ("secretAccessList: [db-login]", "Added in every watched namespace:", {"secretAccessList": ["db-login"]}),
    ("secretAccessList: ['*']", "Added in every watched namespace:", {"secretAccessList": ["*"]}),
    ("profile: operator", "In the installation's namespace, in place of the last four:", {"profile": "operator"}),
    (
        "certificates.mode: cert-manager",
        "In place of the rules on webhook configurations:",
        {"certificates": {"mode": "cert-manager", "issuerRef": {"name": "internal"}}},
    ),
)


_OTHERS: tuple[tuple[str, tuple[tuple[str, Sequence[Grant]], ...]], ...] = (
    (
        "Inspector (absent with `dashboardAccess: false`)",
        (
            ("The whole cluster", inspector.CLUSTER),
            ("Every watched namespace", inspector.WORKLOADS),
            ("The installation's namespace", inspector.OWN),
        ),
    ),
    (
        "nettap (with `ebpf.enabled`)",
        (
            ("The whole cluster", nettap.CLUSTER),
            ("Every watched namespace", nettap.PODS),
            ("The installation's namespace", nettap.CONFIGURATION),
        ),
    ),
    ("Collector of a replay", (("Every watched namespace", replay_collector.GRANTS),)),
)
"""The other accounts with rights; forwarder, backend and demo have none and mount no token."""


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    values = from_mapping({})
    yield _HEAD
    yield "## Operator\n\n### The whole cluster\n"
    yield from _table(rbac_grants.cluster(values))
    yield "\n### Every watched namespace (all of them, without `namespaceSelector`)\n"
    yield from _table(rbac_grants.workloads(values))
    yield "\n### The installation's namespace\n"
    yield from _table(rbac_grants.own(values))
    for setting, change, mapping in _VARIANTS:
        yield f"\n### With `{setting}`\n\n{change}\n"
        yield from _table(_changed(values, from_mapping(mapping)))
    for account, tables in _OTHERS:
        yield f"\n## {account}"
        for where, grants in tables:
            yield f"\n### {where}\n"
            yield from _table(grants)
    yield "\n## Not granted\n\nRights of the vendor's chart that ours leaves out.\n"
    yield "| API group | right | why not |"
    yield "| --- | --- | --- |"
    for groups, what, why in rbac_grants.WITHHELD:
        yield f"| {groups or '(core)'} | {what} | {why} |"


def _changed(before: Values, after: Values) -> list[Grant]:
    """Return the grants that only `after` has; for a limited installation, those that remain cluster-wide."""
    if after.namespace_selector:
        return list(rbac_grants.cluster(after))
    known = {*_every(before)}
    return [grant for grant in _every(after) if grant not in known]


def _every(values: Values) -> list[Grant]:
    return [*rbac_grants.cluster(values), *rbac_grants.workloads(values), *rbac_grants.own(values)]


def _table(grants: Iterable[Grant]) -> Iterator[str]:
    yield "| API group | resources | verbs | only these | why |"
    yield "| --- | --- | --- | --- | --- |"
    for grant in grants:
        groups = ", ".join(group or "(core)" for group in grant.groups)
        objects = ", ".join(f"`{name}`" for name in grant.object_names)
        resources = ", ".join(grant.resources)
        yield f"| {groups} | {resources} | {' '.join(grant.verbs)} | {objects} | {grant.reason} |"
