"""What a workload asks for: its annotations over the installation's defaults, and what is wrong with them.

Called by `decision`. The meaning of annotations is the business of `speedscale_schemas.annotations`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_schemas.annotations import BY_NAME, OPERATOR, SIDECAR, Code, Parsed, is_ours, parse

from . import names, workload
from .facts import Facts
from .verdict import Reason

MAX_WARNINGS = 10
_PLAIN = ("ignore_src_hosts", "ignore_src_ips", "ignore_dst_hosts", "ignore_dst_ips", "proxy_type")
_SWITCHES = ("insert_init_first", "tls_out")


@dataclass(frozen=True, slots=True)
class Asked:
    """`sidecar`: one is asked for and the annotations hold. `refusal`: one is asked for, and why it cannot be."""

    parsed: Parsed
    sidecar: bool
    refusal: tuple[Reason, str] | None
    warnings: tuple[str, ...]
    untouchable: bool = False


def defaults(config: Mapping[str, Any]) -> dict[str, str]:
    """Return SIDECAR_CONFIG as annotations, by full name; what is empty says nothing."""
    found = {f"{SIDECAR}/{key.replace('_', '-')}": str(config[key]) for key in _PLAIN if config.get(key)}
    for key in _SWITCHES:
        if isinstance(config.get(key), bool):
            found[f"{SIDECAR}/{key.replace('_', '-')}"] = "true" if config[key] else "false"
    resources = workload.mapping(config.get("resources"))
    for part, ending in (("requests", "request"), ("limits", "limit")):
        for resource, amount in workload.mapping(resources.get(part)).items():
            name = f"{SIDECAR}/{resource}-{ending}"
            if name in BY_NAME and amount not in (None, ""):
                found[name] = str(amount)
    return found


def ask(obj: Mapping[str, Any], kind: str, facts: Facts) -> Asked:
    """Return what the workload asks for."""
    own = workload.annotations_of(obj)
    over = facts.replay.annotations if facts.replay else {}
    mine = {name: text for name, text in {**own, **over}.items() if isinstance(name, str) and is_ours(name)}
    mine.pop(names.REVERT, None)  # of a Pod, whose own metadata is the template's
    parsed = parse(mine, kind, defaults=defaults(facts.installation.sidecar_config))
    refused = [p for p in parsed.errors if not p.annotation.startswith("replay.")]
    wants = parsed.sidecar.inject or any(p.annotation == f"{SIDECAR}/inject" for p in refused)
    refusal = _refusal(parsed, wants)
    told = refusal[1] if refusal else ""
    problems = (str(p) for p in parsed.problems if str(p) not in told)
    return Asked(
        parsed=parsed,
        sidecar=wants and refusal is None and parsed.method == "sidecar",
        refusal=refusal if wants else None,
        warnings=tuple([*problems, *_misplaced(obj, kind)][:MAX_WARNINGS]),
        untouchable=any(p.annotation == f"{OPERATOR}/ignore" for p in refused),
    )


def _refusal(parsed: Parsed, wants: bool) -> tuple[Reason, str] | None:
    refused = [p for p in parsed.errors if not p.annotation.startswith("replay.")]
    if not wants or not refused:
        return None
    both = any(p.code is Code.BOTH_METHODS for p in refused)
    text = "; ".join(str(p) for p in refused[:3])
    return (Reason.BOTH_METHODS if both else Reason.BAD_ANNOTATION), text


def _misplaced(obj: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Tell of annotations on the pod template: the commonest mistake, and nothing else would tell."""
    if kind == "Pod":
        return
    template = workload.mapping(workload.template_of(obj, kind))
    found = [
        name
        for name in workload.annotations_of(template)
        if is_ours(name) and name in BY_NAME and BY_NAME[name].set_by == "user"
    ]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        yield f"{found[0]}{more} has no effect on the pod template: annotations stand on the {kind}'s own metadata"
