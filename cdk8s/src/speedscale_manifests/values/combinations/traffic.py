"""Where traffic goes and what is captured: exporters, rules, proxies, bypass lists, targets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from speedscale_manifests.values.places import Path
from speedscale_schemas import builtins, validation

from .rule import Finding, Rule, Tree, items

_KINDS = {"filters": "filter-rule", "dlp": "dlp-rule"}
_WORDS = {"filters": "filter rule", "dlp": "DLP rule"}
_HOST = re.compile(r"(\*\.|\.)?[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def _references(tree: Tree) -> Iterator[tuple[Path, str, str]]:
    """Yield (path, kind of rule, name) of every setting that names a rule."""
    yield ("filterRule",), "filters", tree["filterRule"]
    yield ("dlp", "config"), "dlp", tree["dlp"]["config"]
    for name, exporter in tree["forwarder"]["exporters"].items():
        yield ("forwarder", "exporters", name, "filter_rule"), "filters", exporter.get("filter_rule", "")
        yield ("forwarder", "exporters", name, "dlp_config_id"), "dlp", exporter.get("dlp_config_id", "")


def _unknown_rule(tree: Tree) -> Iterator[Finding]:
    for path, kind, name in _references(tree):
        known = [*builtins.names(_KINDS[kind]), *tree["rules"][kind]]
        if not name or name in known:
            continue
        near = validation.nearest(name, known)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        yield Finding(
            path, f"there is no {_WORDS[kind]} {name!r}", f"{hint}; rules of your own stand in `rules.{kind}`"
        )


def _rules(tree: Tree) -> Iterator[Finding]:
    for group, kind in _KINDS.items():
        for name, document in tree["rules"][group].items():
            base: Path = ("rules", group, name)
            for problem in validation.check(kind, document):
                told = f"{problem.value}: {problem.expected}" if problem.value else problem.expected
                remedy = problem.hint or f"docs/reference/{kind}.md says what a {_WORDS[group]} is"
                yield Finding((*base, *problem.parts), told, remedy)
            if document.get("id", name) != name:
                reason = f"the rule's id is {document['id']!r}, its name here {name!r}"
                yield Finding((*base, "id"), reason, "give both the same name: settings refer to it")
            if name in builtins.names(kind):
                yield Finding(base, f"{name} comes with the forwarder and cannot be replaced", "choose another name")


def _unused_rule(tree: Tree) -> Iterator[Finding]:
    used = {(kind, name) for _, kind, name in _references(tree)}
    for group in _KINDS:
        for name in tree["rules"][group]:
            if (group, name) not in used:
                where = "`filterRule`" if group == "filters" else "`dlp.config`"
                yield Finding(
                    ("rules", group, name), "nothing refers to this rule", f"name it in {where} or an exporter"
                )


def _no_redaction(tree: Tree) -> Iterator[Finding]:
    if not tree["dlp"]["enabled"]:
        yield Finding(
            ("dlp", "enabled"), "original values are stored and exported", "leave it on outside of test clusters"
        )


def _addresses(tree: Tree) -> Iterator[Finding]:
    for key in ("ignore_src_ips", "ignore_dst_ips"):
        for item in items(tree["sidecar"][key]):
            if not _is_network(item):
                yield Finding(("sidecar", key), f"{item!r} is no address or network", "e.g. 10.0.0.0/8, 8.8.8.8")
    for key in ("ignore_src_hosts", "ignore_dst_hosts"):
        for item in items(tree["sidecar"][key]):
            if not _HOST.fullmatch(item):
                yield Finding(("sidecar", key), f"{item!r} is no host name", "e.g. example.com, example.org")
    for index, item in enumerate(tree["networkPolicies"]["apiServerCidrs"]):
        if not _is_network(item):
            path: Path = ("networkPolicies", "apiServerCidrs", index)
            yield Finding(path, f"{item!r} is no network", "write its first address, e.g. 10.0.0.0/16")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _proxy_for_cluster(tree: Tree) -> Iterator[Finding]:
    for key in ("http_proxy", "https_proxy"):
        if tree[key] and not any(".svc" in item or item == "*" for item in items(tree["no_proxy"])):
            reason = "calls within the cluster would go through the proxy, too"
            yield Finding((key,), reason, "put .svc and the cluster's networks into `no_proxy`")
            return


def _targets(tree: Tree) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, target in enumerate(tree["ebpf"]["configuration"]["capture"]["targets"]):
        path: Path = ("ebpf", "configuration", "capture", "targets", index)
        if target["name"] in seen:
            yield Finding((*path, "name"), f"there is a target {target['name']!r} already", "give each its own name")
        seen.add(target["name"])
        for key in ("namespaceSelector", "podSelector"):
            for number, condition in enumerate(target.get(key, {}).get("matchExpressions", [])):
                needs = condition["operator"] in ("In", "NotIn")
                if needs != bool(condition.get("values")):
                    reason = f"{condition['operator']} {'needs values' if needs else 'takes no values'}"
                    yield Finding(
                        (*path, key, "matchExpressions", number), reason, "In and NotIn have values, the others none"
                    )


def _idle_targets(tree: Tree) -> Iterator[Finding]:
    path: Path = ("ebpf", "configuration", "capture", "targets")
    targets = tree["ebpf"]["configuration"]["capture"]["targets"]
    if targets and not tree["ebpf"]["enabled"]:
        yield Finding(path, "nothing captures them: nettap is not deployed", "set `ebpf.enabled` to true")
    for index, target in enumerate(targets):
        if not any(target.get("namespaceSelector", {}).values()) and not any(target.get("podSelector", {}).values()):
            yield Finding(
                (*path, index), "selects every pod of the cluster", "give it a namespaceSelector or a podSelector"
            )


RULES = (
    Rule("unknown-rule", "refuse", "every filter and DLP rule that is named exists", _unknown_rule),
    Rule("invalid-rule", "refuse", "rules of one's own are valid and have a name of their own", _rules),
    Rule("addresses", "refuse", "bypass lists and networks are addresses and host names", _addresses),
    Rule("targets", "refuse", "capture targets have names of their own and conditions that can hold", _targets),
    Rule("unused-rule", "warn", "rules of one's own are referred to", _unused_rule),
    Rule("no-redaction", "warn", "`dlp.enabled` stays on", _no_redaction),
    Rule("proxy-in-cluster", "warn", "a proxy leaves out the cluster itself", _proxy_for_cluster),
    Rule("idle-targets", "warn", "capture targets are captured, and are not the whole cluster", _idle_targets),
)
