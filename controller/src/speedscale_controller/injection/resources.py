"""What the sidecar may use, so that its pods are created: annotations, defaults, LimitRanges, quotas.

A Deployment is accepted whatever its pods need; the pods are refused afterwards, and the workload is gone without a
word. So limits and requests that a namespace demands are set beforehand, and what cannot be met is said. What a user's
annotation asks for is never changed. Source: Kubernetes' LimitRanger and ResourceQuota admission. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from speedscale_schemas.annotations import SIDECAR, Parsed
from speedscale_schemas.annotations.quantities import amount

from . import workload
from .facts import Limits, Namespace, Quota

RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
LIMIT: Final[Mapping[str, str]] = {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "512Mi"}
"""The limit that the sidecar gets where the namespace demands one and nobody says which."""
REQUEST: Final = "64Mi"
"""Local storage that is asked for where a request is demanded."""


@dataclass(slots=True)
class Fitted:
    """Requests and limits of the sidecar; `problems` are why they cannot be met."""

    requests: dict[str, str]
    limits: dict[str, str]
    explicit: frozenset[str]
    problems: list[str] = field(default_factory=list)

    def manifest(self) -> dict[str, Any]:
        """Return `resources` of a container."""
        parts = {"requests": self.requests, "limits": self.limits}
        return {name: dict(part) for name, part in parts.items() if part}


def fit(parsed: Parsed, namespace: Namespace, pod: Mapping[str, Any]) -> Fitted:
    """Return the sidecar's resources in this namespace, for a pod with this spec."""
    fitted = _asked(parsed)
    ranges = [item for item in namespace.limits if item.type == "Container"]
    quotas = [quota for quota in namespace.quotas if applies(quota, pod)]
    for resource in RESOURCES:
        _range(fitted, resource, ranges, _demanded(resource, namespace.limits, quotas))
        low, high = fitted.requests.get(resource), fitted.limits.get(resource)
        if low is not None and high is not None and _number(low) > _number(high):
            if f"{resource}-request" in fitted.explicit:
                fitted.problems.append(f"{resource}: the request of {low} is above the limit of {high}")
            else:
                fitted.requests[resource] = high
    fitted.problems += _pod_level(fitted, pod)
    return fitted


def _asked(parsed: Parsed) -> Fitted:
    settings = parsed.sidecar
    requests = (settings.cpu_request, settings.memory_request, settings.ephemeral_storage_request)
    limits = (settings.cpu_limit, settings.memory_limit, settings.ephemeral_storage_limit)
    names = [f"{resource}-{ending}" for resource in RESOURCES for ending in ("request", "limit")]
    return Fitted(
        {resource: text for resource, text in zip(RESOURCES, requests, strict=True) if text is not None},
        {resource: text for resource, text in zip(RESOURCES, limits, strict=True) if text is not None},
        frozenset(name for name in names if f"{SIDECAR}/{name}" in parsed.given),
    )


def _demanded(resource: str, ranges: Iterable[Limits], quotas: Iterable[Quota]) -> tuple[bool, bool]:
    """Return whether a request, and whether a limit, has to be there."""
    request = any(resource in item.min for item in ranges) or any(
        key in quota.hard for quota in quotas for key in (resource, f"requests.{resource}")
    )
    limit = any(resource in part for item in ranges for part in (item.max, item.default, item.max_ratio)) or any(
        f"limits.{resource}" in quota.hard for quota in quotas
    )
    return request, limit


def _range(fitted: Fitted, resource: str, ranges: list[Limits], demanded: tuple[bool, bool]) -> None:
    least = max((item.min[resource] for item in ranges if resource in item.min), key=_number, default=None)
    most = min((item.max[resource] for item in ranges if resource in item.max), key=_number, default=None)
    ratio = min((item.max_ratio[resource] for item in ranges if resource in item.max_ratio), key=_number, default=None)
    needs_request, needs_limit = demanded
    if resource not in fitted.requests and (needs_request or ratio is not None):
        fitted.requests[resource] = fitted.limits.get(resource, REQUEST)
    if resource in fitted.requests and least is not None:
        _raise(fitted, resource, "request", fitted.requests, least)
    if resource not in fitted.limits and needs_limit:
        fitted.limits[resource] = max(LIMIT[resource], fitted.requests.get(resource, "0"), key=_number)
    for ending, part in (("limit", fitted.limits), ("request", fitted.requests)):
        if resource in part and most is not None and _number(part[resource]) > _number(most):
            _set(fitted, resource, ending, part, most, f"more than the {most} that {_of(ranges)} allows")
    if least is not None and resource in fitted.limits:
        _raise(fitted, resource, "limit", fitted.limits, least)
    if ratio is not None and resource in fitted.limits:
        _ratio(fitted, resource, ratio, ranges)


def _raise(fitted: Fitted, resource: str, ending: str, part: dict[str, str], least: str) -> None:
    if _number(part[resource]) < _number(least):
        _set(fitted, resource, ending, part, least, f"less than the {least} that a LimitRange wants")


def _ratio(fitted: Fitted, resource: str, ratio: str, ranges: list[Limits]) -> None:
    """A request that is too far below the limit is raised; the limit is what keeps the sidecar alive."""
    low, high = _number(fitted.requests[resource]), _number(fitted.limits[resource])
    if low and high / low <= _number(ratio):
        return
    wanted = high / _number(ratio) if _number(ratio) else high
    text = _text(wanted, resource)
    _set(fitted, resource, "request", fitted.requests, text, f"further below the limit than {_of(ranges)} allows")


def _set(fitted: Fitted, resource: str, ending: str, part: dict[str, str], value: str, why: str) -> None:
    name = f"{resource}-{ending}"
    if name in fitted.explicit:
        fitted.problems.append(f"{SIDECAR}/{name}: {part[resource]} is {why}")
    else:
        part[resource] = value


def _of(ranges: list[Limits]) -> str:
    return "LimitRange " + ", ".join(dict.fromkeys(item.name for item in ranges if item.name)) if ranges else "it"


def _pod_level(fitted: Fitted, pod: Mapping[str, Any]) -> Iterator[str]:
    """Resources of a whole pod have to hold all its containers: the API server refuses the workload otherwise."""
    whole = workload.mapping(pod.get("resources"))
    for resource in RESOURCES:
        bound = workload.mapping(whole.get("requests")).get(resource)
        ours = fitted.requests.get(resource)
        if bound is None or ours is None:
            continue
        sum_of_all = _total(workload.containers(pod, inits=False), "requests", resource) + _number(ours)
        if sum_of_all > _number(bound):
            yield f"{resource}: the pod's own request of {bound} has no room for the sidecar's {ours}"


def refusals(fitted: Fitted, namespace: Namespace, pod: Mapping[str, Any], pods: int, *, counted: bool) -> list[str]:
    """Return why pods with the sidecar would be refused though those without it are not.

    `pods` are as many as the workload wants; `counted`: the quota's use already has them, without the sidecar.
    """
    found = list(fitted.problems)
    for item in namespace.limits:
        if item.type == "Pod":
            found += _pod_range(item, fitted, pod)
    for quota in namespace.quotas:
        if applies(quota, pod):
            found += _quota(quota, fitted, pod, pods, counted=counted)
    return found


def _pod_range(item: Limits, fitted: Fitted, pod: Mapping[str, Any]) -> Iterator[str]:
    for resource, most in item.max.items():
        if resource in RESOURCES:
            alone = _total(workload.containers(pod, inits=False), "limits", resource)
            if alone <= _number(most) < alone + _number(fitted.limits.get(resource, "0")):
                yield f"LimitRange {item.name}: with the sidecar the pod's {resource} limits are above {most}"


def _quota(quota: Quota, fitted: Fitted, pod: Mapping[str, Any], pods: int, *, counted: bool) -> Iterator[str]:
    for key, hard in quota.hard.items():
        part, dot, resource = key.partition(".")
        part, resource = (part, resource) if dot else ("requests", key)
        ours = {"requests": fitted.requests, "limits": fitted.limits}.get(part, {}).get(resource)
        if resource not in RESOURCES or ours is None:
            continue
        alone = Decimal(0) if counted else _total(workload.containers(pod, inits=False), part, resource) * pods
        used = _number(quota.used.get(key, "0"))
        if used + alone <= _number(hard) < used + alone + _number(ours) * pods:
            yield (
                f"ResourceQuota {quota.name}: {pods} × {ours} of {key} for the sidecar is more than is left"
                f" ({quota.used.get(key, '0')} of {hard} used)"
            )


def applies(quota: Quota, pod: Mapping[str, Any]) -> bool:
    """Return whether a quota counts pods with this spec."""
    return all(_scope(name, operator, values, pod) for name, operator, values in quota.scopes)


def _scope(name: str, operator: str, values: tuple[str, ...], pod: Mapping[str, Any]) -> bool:
    ends = pod.get("activeDeadlineSeconds") is not None
    if name in ("Terminating", "NotTerminating"):
        return ends is (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return name == "NotBestEffort"  # with the sidecar's requests no pod is best effort
    if name == "PriorityClass":
        given = str(pod.get("priorityClassName") or "")
        known = {"In": given in values, "NotIn": given not in values, "DoesNotExist": not given}
        return known.get(operator, bool(given))
    return False


def guaranteed(pod: Mapping[str, Any]) -> bool:
    """Return whether all containers of a pod have limits for CPU and memory that equal their requests."""
    for container in workload.containers(pod):
        given = workload.mapping(container.get("resources"))
        limits, requests = workload.mapping(given.get("limits")), workload.mapping(given.get("requests"))
        for resource in ("cpu", "memory"):
            if resource not in limits or _number(requests.get(resource, limits[resource])) != _number(limits[resource]):
                return False
    return True


def _total(containers: Iterable[Mapping[str, Any]], part: str, resource: str) -> Decimal:
    total = Decimal(0)
    for container in containers:
        given = workload.mapping(container.get("resources"))
        text = workload.mapping(given.get(part)).get(resource)
        if text is None and part == "requests":
            text = workload.mapping(given.get("limits")).get(resource)
        total += _number(text if text is not None else "0")
    return total


def _number(text: object) -> Decimal:
    try:
        return amount(str(text))
    except ValueError:
        return Decimal(0)  # the API server refuses it, whatever we do


def _text(value: Decimal, resource: str) -> str:
    """Return a quantity that is not below the value: thousandths of a CPU, or bytes."""
    if resource == "cpu":
        return f"{int((value * 1000).to_integral_value(rounding='ROUND_CEILING'))}m"
    return str(int(value.to_integral_value(rounding="ROUND_CEILING")))
