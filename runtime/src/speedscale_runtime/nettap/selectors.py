"""Targets by label selector, as ConfigMap `speedscale-nettap` (config.yaml) names them under capture.targets.

Called by `choosing`. Pure. The document is made from the values `ebpf.configuration`, whose schema holds what may be in
it; a person may edit the ConfigMap, so everything is checked again, and each problem says where it is. Selectors mean
what they mean in Kubernetes: all requirements together, an empty one selects all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.selectors import OPERATORS, Requirement

KEY: Final = "config.yaml"
NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The label that every namespace bears, with its own name: who selects by it alone needs to read no namespace."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A target: pods of namespaces; `ports`, where there are any, are those of servers to record."""

    name: str
    namespaces: tuple[Requirement, ...] = ()
    pods: tuple[Requirement, ...] = ()
    ports: frozenset[int] = frozenset()

    def selects(self, namespace: str, namespace_labels: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        """Say whether a pod is meant."""
        of_namespace = {**namespace_labels, NAME_LABEL: namespace}
        return all(r.holds(of_namespace) for r in self.namespaces) and all(r.holds(labels) for r in self.pods)

    @property
    def needs_namespaces(self) -> bool:
        """Whether labels of namespaces other than their name are asked for."""
        return any(r.key != NAME_LABEL for r in self.namespaces)


def read(text: str, source: str = KEY) -> tuple[Selected, ...]:
    """Return the targets of a configuration; ConfigError with every problem."""
    import yaml

    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place is not None else ""
        raise ConfigError(
            [f"{source}{line}: expected YAML: {getattr(error, 'problem', None) or 'nested too deeply'}"]
        ) from None
    problems: list[str] = []
    capture = _mapping(_mapping(document, "", source, problems).get("capture"), "capture", source, problems)
    found = []
    targets = [] if capture.get("targets") is None else capture["targets"]
    if not isinstance(targets, list):
        problems.append(f"{source}: capture.targets: expected a list")
        targets = []
    for index, item in enumerate(targets):
        at = f"capture.targets[{index}]"
        found.append(_target(_mapping(item, at, source, problems), at, source, problems))
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _target(item: Mapping[str, Any], at: str, source: str, problems: list[str]) -> Selected:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        problems.append(f"{source}: {at}.name: expected a name")
    unknown = sorted(map(str, item.keys() - {"name", "namespaceSelector", "podSelector", "filters"}))
    problems += [f"{source}: {at}.{key}: unknown key" for key in unknown]
    filters = [] if item.get("filters") is None else item["filters"]
    ports = [f.get("port") for f in filters if isinstance(f, dict)] if isinstance(filters, list) else [None]
    if (
        not isinstance(filters, list)
        or len(ports) != len(filters)
        or not all(type(port) is int and 0 < port < 65536 for port in ports)
    ):
        problems.append(f"{source}: {at}.filters: expected a list of {{port: 1 to 65535}}")
        ports = []
    return Selected(
        str(name),
        _selector(item.get("namespaceSelector"), f"{at}.namespaceSelector", source, problems),
        _selector(item.get("podSelector"), f"{at}.podSelector", source, problems),
        frozenset(port for port in ports if port is not None),
    )


def _selector(item: object, at: str, source: str, problems: list[str]) -> tuple[Requirement, ...]:
    selector = _mapping(item, at, source, problems)
    found = []
    for key, value in _mapping(selector.get("matchLabels"), f"{at}.matchLabels", source, problems).items():
        found.append(Requirement(str(key), "In", frozenset({str(value)})))
    expressions = [] if selector.get("matchExpressions") is None else selector["matchExpressions"]
    if not isinstance(expressions, list):
        problems.append(f"{source}: {at}.matchExpressions: expected a list")
        expressions = []
    for index, item in enumerate(expressions):
        where = f"{at}.matchExpressions[{index}]"
        one = _mapping(item, where, source, problems)
        wanted, operator, values = one.get("key"), one.get("operator"), one.get("values") or []
        if not isinstance(wanted, str) or operator not in OPERATORS or not isinstance(values, list):
            problems.append(f"{source}: {where}: expected key, operator ({', '.join(OPERATORS)}) and values")
        elif bool(values) != (operator in ("In", "NotIn")):
            problems.append(f"{source}: {where}: In and NotIn have values, Exists and DoesNotExist have none")
        else:
            found.append(Requirement(wanted, operator, frozenset(map(str, values))))
    unknown = sorted(map(str, selector.keys() - {"matchLabels", "matchExpressions"}))
    problems += [f"{source}: {at}.{key}: unknown key" for key in unknown]
    return tuple(found)


def _mapping(item: object, at: str, source: str, problems: list[str]) -> Mapping[str, Any]:
    if item is None:
        return {}
    if isinstance(item, dict):
        return item
    problems.append(f"{source}: {at or 'document'}: expected a mapping")
    return {}
