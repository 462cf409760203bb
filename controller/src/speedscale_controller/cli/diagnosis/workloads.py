"""Checks of the users' workloads: who asks for a sidecar and has none, who has one that nobody looks after.

The reasons are the operator's own, from the same decision on the live objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_controller.cli.capture import Captured, State
from speedscale_controller.cli.installed import INSTANCE_ID, alive
from speedscale_controller.cli.objects import condition, title
from speedscale_controller.injection import annotations_of, containers, labels_of, mapping, pod_template
from speedscale_controller.injection import names as n
from speedscale_schemas.annotations import BY_NAME, CAPTURE, SIDECAR, is_ours, parse
from speedscale_schemas.asking.workloads import owned

from .model import Check, Facts, Object, Result, fail, ok, skipped, warn


def _name(one: Captured) -> str:
    return f"{one.kind} {one.namespace}/{one.name}"


def _in(facts: Facts, *states: State) -> list[Captured]:
    return [one for one in facts.captured if one.state in states]


def refused(facts: Facts) -> Result:
    """Ask which workloads ask for a sidecar and are refused one, and why."""
    found = [f"{_name(one)}: {one.reason}: {one.message}" for one in _in(facts, State.SKIPPED)]
    if found:
        return warn(
            f"{len(found)} workloads ask for a sidecar and get none",
            "each line says why, and what would help (docs/reference/annotations.md)",
            found,
        )
    return ok(f"{len(_in(facts, State.INJECTED))} workloads are captured, none is refused")


def pending(facts: Facts) -> Result:
    """Ask which workloads should have been changed by now."""
    late = [f"{_name(one)}: asks for a sidecar" for one in _in(facts, State.PENDING)]
    late += [f"{_name(one)}: still has a sidecar" for one in _in(facts, State.REMOVING)]
    if late:
        return warn(
            "workloads wait for the operator",
            "it mends what admission missed within some minutes; if it does not, look at operator-running and"
            " webhook-canary",
            late,
        )
    return ok("none waits for the operator")


def stale(facts: Facts) -> Result:
    """Ask which sidecars are not as they would be put in now."""
    found = [f"{_name(one)}: {one.image}" for one in _in(facts, State.STALE)]
    if found:
        return warn(
            "sidecars are of an earlier version or setting; they go on working",
            "kubectl rollout restart each of them when it suits",
            found,
        )
    return ok("every sidecar is as it should be")


def abandoned(facts: Facts) -> Result:
    """Ask which sidecars no operator looks after: left after an uninstall, or another installation's."""
    injected = [one for one in facts.captured if one.injected]
    if not injected:
        return ok("no workload has a sidecar")
    there = facts.installed
    if there is None or there.operator is None:
        return warn(
            f"{len(injected)} workloads have a sidecar, and there is no operator",
            "speedctl uninstall takes them out, exactly; or install the operator again",
            [_name(one) for one in injected],
        )
    if not there.instance_id:
        return skipped(f"the operator has no {INSTANCE_ID} yet")
    others = [f"{_name(one)}: managed by {one.managed_by}" for one in injected if not there.owns(one.managed_by)]
    if others:
        return warn(
            "workloads have a sidecar of another installation",
            "the other operator takes them out; if it is gone, `speedctl infra adopt ID` takes them over",
            others,
        )
    return ok(f"{len(injected)} sidecars are this operator's" if alive(there.operator) else "known to this operator")


def misplaced(facts: Facts) -> Result:
    """Ask where annotations stand that nothing reads: on pod templates, on owned objects, as labels, misspelt."""
    there = facts.all("workloads")
    inherited = frozenset((_place(obj), *pair) for obj in there for pair in _inner(obj).items())
    found = sorted({line for obj in there for line in _misplaced(obj, inherited)})
    if found:
        return warn(
            "annotations stand where nothing reads them, or say nothing",
            "move them to metadata.annotations of the workload itself; speedctl lint finds them earlier",
            found,
        )
    return ok("every annotation stands where it is read")


def _misplaced(obj: Object, inherited: frozenset[tuple[str, str, str]]) -> Iterator[str]:
    """Yield what stands in vain; `inherited` are annotations of pod templates, which their Pods bear as well."""
    kind = str(obj.get("kind"))
    mine = {name: text for name, text in annotations_of(obj).items() if is_ours(name) and name != n.REVERT}
    if owned(obj):
        asked = sorted(k for k, v in mine.items() if _settable(k) and (_place(obj), k, v) not in inherited)
        if asked:
            yield f"{title(obj)}: {', '.join(asked)} on an object that is never changed; annotate its workload"
        return
    inner = sorted(name for name in _inner(obj) if _settable(name))
    if inner:
        yield f"{title(obj)}: {', '.join(inner)} on the pod template"
    wrong = sorted(name for name in labels_of(obj) if _settable(name) and name != n.SUT)
    if wrong:
        yield f"{title(obj)}: {', '.join(wrong)} as a label"
    for problem in parse(mine, kind).problems:
        if problem.code == "unknown":
            yield f"{title(obj)}: {problem}"


def _inner(obj: Object) -> Mapping[str, Any]:
    """Return the annotations of a workload's pod template; a Pod is no template, its annotations are its own."""
    return {} if obj.get("kind") == "Pod" else annotations_of(pod_template(obj))


def _place(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))


def _settable(name: str) -> bool:
    row = BY_NAME.get(name)
    return row is not None and row.set_by == "user" and row.prefix in (SIDECAR, CAPTURE)


def blocked(facts: Facts) -> Result:
    """Ask which workloads with a sidecar cannot make their pods: Pod Security, quotas, limits, other webhooks."""
    with_sidecar = {(one.kind, one.namespace, one.name) for one in facts.captured if one.injected}
    found = []
    for obj in facts.all("workloads"):
        key = (obj.get("kind"), obj["metadata"].get("namespace"), obj["metadata"].get("name"))
        why = condition(obj, "ReplicaFailure")
        if key in with_sidecar and why.get("status") == "True":
            found.append(f"{title(obj)}: {why.get('message', '')}")
    if found:
        return fail(
            "workloads with a sidecar cannot make their pods",
            "speedctl infra sidecar remove gives them back at once; then change what the message names",
            found,
        )
    return ok("no workload with a sidecar is kept from making pods")


def proxies(facts: Facts) -> Result:
    """Ask whether applications beside a forward or dual proxy know of it: else there is no outbound traffic."""
    found = []
    for obj in facts.all("workloads"):
        template = pod_template(obj)
        if not any(c.get("name") == n.CONTAINER for c in containers(mapping(template.get("spec")))):
            continue
        sidecar = parse({k: v for k, v in annotations_of(obj).items() if is_ours(k)}, str(obj.get("kind"))).sidecar
        if sidecar.proxy_type not in ("forward", "dual"):
            continue
        port = sidecar.proxy_out_port
        scheme = "socks5" if "socks" in sidecar.proxy_protocol else "http"
        found += [
            f"{title(obj)}, container {container.get('name')}: {variables(scheme, port)}"
            for container in containers(mapping(template.get("spec")), inits=False)
            if container.get("name") != n.CONTAINER and not _knows(container, port)
        ]
    if found:
        return warn(
            "applications do not send their outbound traffic to the sidecar",
            "set what each line says in the container (or with sidecar.speedscale.com/extra-container-env-vars)",
            found,
        )
    return ok("every application beside a forward or dual proxy knows of it")


def _knows(container: Mapping[str, Any], port: int) -> bool:
    """Whether a container's environment names the sidecar's outbound listener."""
    values = [str(mapping(item).get("value") or "") for item in container.get("env") or ()]
    marks = (f"localhost:{port}", f"127.0.0.1:{port}", f"ProxyPort={port}")
    return any(mark in value for value in values for mark in marks)


def variables(scheme: str, port: int) -> str:
    """Return what tells runtimes of a proxy on this port."""
    url = f"{scheme}://localhost:{port}"
    if scheme == "socks5":
        return f"ALL_PROXY={url}; Java: JAVA_TOOL_OPTIONS=-DsocksProxyHost=localhost -DsocksProxyPort={port}"
    java = f"-Dhttp.proxyHost=localhost -Dhttp.proxyPort={port} -Dhttps.proxyHost=localhost -Dhttps.proxyPort={port}"
    return f"HTTP_PROXY={url} HTTPS_PROXY={url}; Node 24: NODE_USE_ENV_PROXY=1; Java: JAVA_TOOL_OPTIONS={java}"


CHECKS = (
    Check("workloads", "workloads that ask for a sidecar may have one", refused, ("workloads",)),
    Check("workloads-pending", "no workload waits for the operator", pending, ("workloads",)),
    Check("workloads-stale", "sidecars are of this version", stale, ("workloads",)),
    Check("workloads-abandoned", "no sidecar is left alone", abandoned, ("workloads",), pre=True),
    Check("workloads-blocked", "workloads with a sidecar make their pods", blocked, ("workloads",)),
    Check("annotations", "annotations stand where they are read", misplaced, ("workloads",)),
    Check("proxy-variables", "applications beside a forward proxy use it", proxies, ("workloads",)),
)
