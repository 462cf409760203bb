"""Taking out what is ours: by our record where there is one, by name in any case.

First half of every decision, so that nothing depends on what was there before. What an earlier product of the same
names put in (no record) is recognised by its containers and taken out by name as well as that goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import names, overlay, record, workload

# Tokens of JAVA_TOOL_OPTIONS that only we write: a trust store below our path, and the password behind it.
_JAVA = re.compile(
    rf"\s*-Djavax\.net\.ssl\.trustStore={re.escape(names.TRUST_PATH)}/\S*(?:\s+-Djavax\.net\.ssl\.trustStorePassword=\S+)?"
)
_LABELS = (names.INJECTED, names.SUT)
_ANNOTATIONS = (names.MANAGED_BY, names.MANAGED_FROM, names.SUT, names.INJECTED)


@dataclass(frozen=True, slots=True)
class Stripped:
    """A workload without us.

    `found`: something of ours was in it. `ours` are the record's entries of the template. `live` are our own elements
    as they stood, by their path in the template: a defaulted field, or an image that somebody else rewrote, is in them.
    `given` is the whole workload as it stood, `text` the record's text where it could be read, `laid` what a replay's
    patch had changed.
    """

    object: dict[str, Any]
    found: bool = False
    ours: record.Entries = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    laid: overlay.Overlay = field(default_factory=overlay.Overlay)


def strip(given: Mapping[str, Any], kind: str) -> Stripped:
    """Return a copy of the workload without what is ours; the workload has to be free of `workload.problem`."""
    obj = workload.plain(given)
    template = workload.template_of(obj, kind)
    spec = template["spec"]
    live = dict(_live(workload.template_of(given, kind)["spec"]))
    text = workload.annotations_of(template).get(names.REVERT)
    if text is None and not any(map(names.is_our_container, workload.containers(spec))):
        return Stripped(obj, given=given)
    entries = record.loads(text)
    if text is not None:
        del template["metadata"]["annotations"][names.REVERT]
    undo = {**entries[1], **_of_copies(template, entries[1])} if entries else {}
    _own_elements(spec)
    if entries is None:
        _by_name(obj, template)
        return Stripped(obj, True, {}, live, given)
    mine, ours, laid = entries[0], entries[1], overlay.read(entries[2])
    _java_texts(spec, undo)
    record.revert(template, undo)
    record.revert(obj, mine)
    laid = overlay.undo(obj, kind, laid)
    if workload.problem(obj, kind):
        # a record that somebody wrote by hand; names are safe
        obj = workload.plain(given)
        template = workload.template_of(obj, kind)
        del template["metadata"]["annotations"][names.REVERT]
        _own_elements(template["spec"])
        _by_name(obj, template)
        return Stripped(obj, True, {}, live, given)
    return Stripped(obj, True, ours, live, given, str(text), laid)


def _live(spec: Mapping[str, Any]) -> Any:
    for key in ("containers", "initContainers"):
        for item in spec.get(key) or ():
            if names.is_our_container(item):
                yield f"/spec/{key}/name={item['name']}", item
    for item in spec.get("volumes") or ():
        if item.get("name") in names.VOLUMES:
            yield f"/spec/volumes/name={item['name']}", item


def _own_elements(spec: dict[str, Any]) -> None:
    """Take out our containers and volumes, and the mounts of these volumes; empty lists are left to the record."""
    ours = names.VOLUMES | names.EARLIER_VOLUMES
    for key in ("containers", "initContainers"):
        if spec.get(key):
            spec[key] = [c for c in spec[key] if not names.is_our_container(c)]
    if spec.get("volumes"):
        spec["volumes"] = [v for v in spec["volumes"] if v.get("name") not in ours]
    for container in workload.containers(spec):
        mounts = container.get("volumeMounts")
        if mounts and any(m.get("name") in ours for m in mounts):
            container["volumeMounts"] = [m for m in mounts if m.get("name") not in ours]  # type: ignore[index]


def _of_copies(template: Mapping[str, Any], ours: record.Entries) -> record.Entries:
    """Return entries for containers that the record does not know: renamed since, or copied from one that had ours.

    They hold what we gave to another, and would keep it without us: variables that name files and ports that are gone.
    """
    found: record.Entries = {}
    for key in ("containers", "initContainers"):
        start = f"/spec/{key}/name="
        known = {path[len(start) :].partition("/")[0] for path in ours if path.startswith(start)}
        for container in template["spec"].get(key) or ():
            name = record.escape(container["name"])
            if name in known or names.is_our_container(container) or container["name"] in names.MESHES:
                continue
            for other in known:
                before = f"{start}{other}/"
                mapped = {
                    f"{start}{name}/{path[len(before) :]}": entry
                    for path, entry in ours.items()
                    if path.startswith(before)
                }
                if any(record.holds(template, path, entry) for path, entry in mapped.items()):
                    found.update(mapped)
    return found


def _java_texts(spec: Mapping[str, Any], ours: record.Entries) -> None:
    """Take our flags out of a JAVA_TOOL_OPTIONS that was edited since; the record leaves edited texts alone."""
    for key in ("containers", "initContainers"):
        for container in spec.get(key) or ():
            for item in container.get("env") or ():
                path = f"/spec/{key}/name={container['name']}/env/name={item.get('name')}"
                if item.get("name") != "JAVA_TOOL_OPTIONS" or not isinstance(item.get("value"), str):
                    continue
                known = ours.get(f"{path}/value") or ours.get(path)
                value = item if path in ours else item["value"]
                if known is not None and record.fingerprint(value) != known[0]:
                    item["value"] = _JAVA.sub("", item["value"])


def _by_name(obj: dict[str, Any], template: dict[str, Any]) -> None:
    """Take out what has our names and paths, where no record says more."""
    spec = template["spec"]
    for container in workload.containers(spec):
        if container.get("env"):
            kept = [item for item in map(_without_us, container["env"]) if item is not None]
            container["env"] = kept  # type: ignore[index]
        _drop_empty(container, ("env", "volumeMounts"))
    _drop_empty(spec, ("initContainers", "volumes"))
    for place in (obj, template):
        meta = place.get("metadata")
        if meta:
            for key, known in (("labels", _LABELS), ("annotations", _ANNOTATIONS)):
                if meta.get(key):
                    meta[key] = {name: value for name, value in meta[key].items() if name not in known}
            _drop_empty(meta, ("labels", "annotations"))


def _without_us(item: dict[str, Any]) -> dict[str, Any] | None:
    value = item.get("value")
    if not isinstance(value, str):
        return item
    if item.get("name") == "JAVA_TOOL_OPTIONS":
        rest = _JAVA.sub("", value).strip() if _JAVA.search(value) else value
        return {**item, "value": rest} if rest or not value else None
    return None if value.startswith(f"{names.TRUST_PATH}/") else item


def _drop_empty(holder: Any, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in holder and not holder[key]:
            del holder[key]
