"""The page `docs/templates.md`: templates, gaps, and the Secrets that pods wait for or do without.

Called by `make gen` through `page`. Everything but a line on each Secret is read from the table of gaps and from the
components themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from speedscale_manifests.objects import Manifest, names
from speedscale_manifests.values import from_mapping
from speedscale_schemas.templates import GAPS, examples, fill, gaps

from .inventory import COMPONENTS

_HEAD = """# Templates and Secrets

<!-- Written by `make gen`; change the components or `speedscale_schemas.template_gaps`, not this page. -->

The controller builds no manifest: sidecars and replays are made of templates that stand in the bundle
(`speedscale-bundle-<component>`, annotation `controlplane.speedscale.com/content: templates`), with gaps where only it
knows the value.

- `@name@` takes the value as it is, with its type; `@name:text@` takes its text; inside a longer text a gap is text.
- A list item that is one gap of type array is replaced by the array's items.
- Without a value an optional gap leaves out the key or item that it is; any other one is an error.
- `@@` is one `@`. Keys have no gaps, and filled values are not looked at again.

`speedscale_schemas.templates.fill(template, values)` does it, and names every problem at once.
"""

_SECRETS = {
    names.CERTS: "In a target namespace: `ca.crt`, `ca-bundle.crt`, `token`, and the namespace's CA as `tls.crt`,"
    " `tls.key`. In our own: the root and its key. Made by the controller.",
    names.JKS: "In a target namespace: `cacerts.jks`, the same roots for Java. Made by the controller.",
    names.OWN_CERTS: "What the former is in a target namespace, for our own namespace. Made by the controller.",
    names.FORWARDER_CERTS: "The forwarder's `tls.crt` and `tls.key`, and `tokens`: the senders' tokens, one a line."
    " Made by the controller.",
    names.CLOUD_CERTS: "The backend's `tls.crt` and `tls.key`, and `ca.crt` for its clients. Made by the controller.",
    names.COLLECTOR_CERTS: "A replay's collector: `tls.crt`, `tls.key`, and `tokens.json`: the namespace of each token,"
    " by its SHA-256. Made by the controller.",
    names.WEBHOOK_CERTS: "The webhooks' `ca.crt`, `tls.crt` and `tls.key`. Made by the controller.",
    names.DLP_KEY: "Redaction keys, `<key id>: <base64>`. Made by the controller, unless `dlp.keySecret` names yours.",
    names.API_KEY_SECRET: "`SPEEDSCALE_API_KEY` and `SPEEDSCALE_APP_URL`. Yours, optional.",
}
_EVERYTHING: dict[str, Any] = {"backend": {"enabled": True}, "ebpf": {"enabled": True}}


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_objects(), "", *_gaps(), "", *_secrets()]) + "\n"


def _templates() -> Iterator[tuple[str, Manifest]]:
    values = from_mapping(_EVERYTHING)
    return ((c.name, manifest) for c in COMPONENTS for manifest in c.templates(values))


def _objects() -> Iterator[str]:
    yield from ("## Objects", "", "| component | kind | name | namespace |", "| --- | --- | --- | --- |")
    for component, manifest in _templates():
        meta = manifest["metadata"]
        yield f"| {component} | {manifest['kind']} | `{meta['name']}` | `{meta.get('namespace', '')}` |"


def _gaps() -> Iterator[str]:
    used: dict[str, list[str]] = {}
    for component, manifest in _templates():
        for name in gaps(manifest):
            used.setdefault(name, []).append(component)
    yield from ("## Gaps", "", "| gap | type | used by | what it is | example |", "| --- | --- | --- | --- | --- |")
    for name, gap in GAPS.items():
        kind = gap.type + (", optional" if gap.optional else "")
        components = ", ".join(dict.fromkeys(used.get(name, ())))
        example = f"`{_shown(gap.example)}`" if gap.example != "" else "(empty)"
        decided = "".join(f" `{annotation}`" for annotation in gap.annotations)
        meaning = gap.description + (f" Annotations:{decided}." if decided else "")
        yield f"| `{name}` | {kind} | {components} | {meaning} | {example} |"


def _shown(example: Any) -> str:
    text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    return text.replace("|", "\\|")


def _secrets() -> Iterator[str]:
    yield from ("## Secrets", "", "Nothing of these stands in git. A pod waits for a Secret that it must have.", "")
    yield from ("| Secret | what it is | must have | does without |", "| --- | --- | --- | --- |")
    uses = _uses()
    for name, text in _SECRETS.items():
        must, may = ([c for secret, c, optional in uses if (secret, optional) == (name, way)] for way in (False, True))
        yield f"| `{name}` | {text} | {_list(must)} | {_list(may)} |"


def _list(items: Iterable[str]) -> str:
    return ", ".join(sorted(set(items))) or "–"


def _uses() -> list[tuple[str, str, bool]]:
    """Return (Secret, component, optional) of every pod, in its volumes and its variables."""
    values = from_mapping(_EVERYTHING)
    found: list[tuple[str, str, bool]] = []
    for component in COMPONENTS:
        filled = [fill(template, examples()) for template in component.templates(values)]
        made = [*component.identity(values), *component.managed(values)] if component.enabled(values) else []
        for manifest in (*made, *filled):
            template = manifest.get("template") or manifest.get("spec", {}).get("template")
            if template:
                spec = template["spec"]
                found += [(secret, component.name, optional) for secret, optional in _of_pod(spec)]
                found += [(secret, f"application with a {component.name}", False) for secret in _projected(spec)]
    return found


def _projected(pod: Manifest) -> Iterator[str]:
    """Yield the Secrets in projected volumes: those that an application's containers mount."""
    for volume in pod.get("volumes", ()):
        for source in volume.get("projected", {}).get("sources", ()):
            if "secret" in source:
                yield source["secret"]["name"]


def _of_pod(pod: Manifest) -> Iterator[tuple[str, bool]]:
    for volume in pod.get("volumes", ()):
        if "secret" in volume:
            yield volume["secret"]["secretName"], bool(volume["secret"].get("optional"))
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        for source in container.get("envFrom", ()):
            if "secretRef" in source:
                yield source["secretRef"]["name"], bool(source["secretRef"].get("optional"))
