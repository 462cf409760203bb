"""Which annotations of a workload change so that it asks for a sidecar, or for none any more.

What is asked for is judged as a whole with what stands on the workload already, by the table of annotations, before
anything is written. The operator does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from speedscale_schemas.annotations import BY_NAME, OPERATOR, SIDECAR, is_ours, parse
from speedscale_schemas.errors import ConfigError

INJECT: Final = f"{SIDECAR}/inject"
CONTAINER: Final = "speedscale-goproxy"
"""Name of the sidecar in a pod."""
INJECTED: Final = f"{SIDECAR}/injected"
REVERT: Final = f"{OPERATOR}/revert"
"""The operator's record in a pod template of how to take the sidecar out; large, and nobody else's business."""
Change = dict[str, str | None]
"""Annotation → value, None to take it off."""


def adding(live: Mapping[str, Any], settings: Mapping[str, str]) -> tuple[Change, tuple[str, ...]]:
    """Return the annotations to write so that the workload asks for a sidecar with these settings, and warnings.

    `settings` are annotations by full name. ConfigError with every problem of the whole, where the operator would
    refuse it.
    """
    own = {k: v for k, v in _annotations(live).items() if is_ours(k) and k != REVERT}
    wanted = {INJECT: "true", **settings}
    parsed = parse({**own, **wanted}, str(live["kind"]))
    if parsed.errors:
        raise ConfigError([str(problem) for problem in parsed.errors])
    change: Change = {name: text for name, text in wanted.items() if own.get(name) != text}
    return change, tuple(str(problem) for problem in parsed.problems)


def removing(live: Mapping[str, Any], settings: bool) -> Change:
    """Return the annotations to take off; with `settings` all that users set for the sidecar."""
    mine = [name for name in _annotations(live) if name in BY_NAME and BY_NAME[name].prefix == SIDECAR]
    return {name: None for name in sorted(mine) if name == INJECT or (settings and BY_NAME[name].set_by == "user")}


def _annotations(live: Mapping[str, Any]) -> Mapping[str, Any]:
    return (live.get("metadata") or {}).get("annotations") or {}
