"""The page `docs/policy.md`: every rule, and every exemption with its reason.

Called by `make gen` through `page`.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import EXEMPTIONS, RULES

_HEAD = """# Policy

<!-- Written by `make gen`; change `speedscale_manifests.policy`, not this page. -->

What holds for every object of an installation, in `dist/` and in the bundle, where the controller's templates are
filled with examples. `speedctl validate` checks it; so can you, over overlays of your own
(`speedscale_manifests.policy.check`).

| rule | what holds | where it does not |
| --- | --- | --- |"""

_EXEMPT = """
## Exemptions

Each allows a component, or one of its containers, exactly what is named here.

| rule | component | container | allowed | why |
| --- | --- | --- | --- | --- |"""


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for rule in RULES:
        level = " (a warning)" if rule.warning else ""
        yield f"| `{rule.id}` | {rule.description}{level} | {rule.remedy} |"
    yield _EXEMPT
    for exemption in EXEMPTIONS:
        allowed = "whatever breaks it" if exemption.allows == ("*",) else ", ".join(exemption.allows)
        container = f"`{exemption.container}`" if exemption.container else "(the pod)"
        yield f"| `{exemption.rule}` | {exemption.component} | {container} | {allowed} | {exemption.reason} |"
