"""The vendor's chart values (chart 2.5.602) as ours: same paths where the meaning is the same, and a note for the rest.

`convert` always gives values that are accepted. What it leaves out, changes or reads differently has a note with the
path, the reason and what to do; a secret is never in the result nor in a note. Called by `speedctl values import` and
by the comparison with the chart. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from speedscale_schemas import builtins

from . import arguments, loading
from .combinations.rule import leaves
from .frozen import plain
from .layers import Layer
from .places import Path, text

VENDOR_REGISTRY = "gcr.io/speedscale"
VENDOR_DOMAIN = "speedscale.com"
_TOO_STRONG = ("SYS_ADMIN", "SYS_RESOURCE", "NET_RAW")
SHORTEST_SECRET = 6
_REPLAY_IMAGES = ("generator", "collector", "responder")
_SECRET_COMMAND = (
    "kubectl -n speedscale create secret generic speedscale-apikey "
    "--from-literal=SPEEDSCALE_API_KEY=… --from-literal=SPEEDSCALE_APP_URL=…"
)


class Note(NamedTuple):
    """What became of a key: `left out`, `changed`, or taken over with another meaning (`check`)."""

    path: str
    kind: Literal["left out", "changed", "check"]
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}: {self.reason}; {self.remedy}"


class Converted(NamedTuple):
    """Values for `from_mapping` or a file, and the notes in the order of the chart's keys."""

    values: dict[str, Any]
    notes: tuple[Note, ...]


def convert(chart_values: Mapping[str, Any]) -> Converted:
    """Return our values for those of the chart. Raises ValuesError only when no path can be blamed for a refusal."""
    values: dict[str, Any] = plain(dict(chart_values))
    notes: list[Note] = []
    for step in _STEPS:
        step(values, notes)
    _leave_out_what_is_refused(values, notes)
    order = {key: number for number, key in enumerate(chart_values)}
    notes.sort(key=lambda note: order.get(note.path.partition(".")[0], len(order)))
    return Converted(values, tuple(notes))


def _api_key(values: dict[str, Any], notes: list[Note]) -> None:
    key = values.pop("apiKey", None)
    if not key:
        return
    remedy = f"make the Secret: {_SECRET_COMMAND}; then set `apiKeySecret: speedscale-apikey`"
    notes.append(Note("apiKey", "left out", "a key never stands in git", remedy))
    for path, value in list(leaves(values)):
        if isinstance(value, str) and len(str(key)) >= SHORTEST_SECRET and str(key) in value:
            _take_out(values, path)
            notes.append(Note(text(path), "left out", "it is the API key once more", "name the Secret instead"))


def _app_url(values: dict[str, Any], notes: list[Note]) -> None:
    url = values.get("appUrl")
    if not isinstance(url, str) or not url:
        return
    host = urlsplit(url).netloc if "://" in url else url.rstrip("/")
    if host == VENDOR_DOMAIN or host.endswith("." + VENDOR_DOMAIN):
        del values["appUrl"]
        reason = f"{host} is the vendor's service, which this installation does not call"
        notes.append(Note("appUrl", "left out", reason, "set `backend.enabled`, or name a backend of your own"))
    elif host != url:
        values["appUrl"] = host
        notes.append(Note("appUrl", "changed", "a host name is wanted, without scheme and path", "check the name"))


def _images(values: dict[str, Any], notes: list[Note]) -> None:
    image = values.get("image")
    image = image if isinstance(image, dict) else {}
    registry = image.get("registry")
    if registry is None or str(registry).rstrip("/") == VENDOR_REGISTRY:
        remedy = "push ours to your registry (`make images`) and set `image.registry` and `image.tag`"
        for holder, key, path in ((image, "registry", "image.registry"), (image, "tag", "image.tag")):
            if holder.pop(key, None) is not None:
                notes.append(Note(path, "left out", "the vendor's images are other programs", remedy))
        if values.pop("imageTags", None):
            notes.append(Note("imageTags", "left out", "tags of the vendor's images name none of ours", remedy))
        if not image:
            values.pop("image", None)
        return
    reason = "your registry must hold our images, under these tags"
    notes.append(Note("image", "check", reason, "push them with `make images`, or set `image.tag`"))
    _replay_tags(values, notes)


def _replay_tags(values: dict[str, Any], notes: list[Note]) -> None:
    tags = values.get("imageTags")
    if not isinstance(tags, dict):
        return
    found = {name: tags.pop(name) for name in _REPLAY_IMAGES if name in tags}
    if found:
        names, wanted = ", ".join(found), sorted({str(tag) for tag in found.values()})
        if len(wanted) == 1:
            tags.setdefault("replay", wanted[0])
            notes.append(Note("imageTags", "changed", f"{names} are one image here, replay", "check its tag"))
        else:
            reason = f"{names} are one image here, replay, and their tags differ"
            notes.append(Note("imageTags", "left out", reason, "set `imageTags.replay`"))


def _rules(values: dict[str, Any], notes: list[Note]) -> None:
    """Leave out names of rules that live with the vendor; an unknown one would be refused."""
    forwarder = values.get("forwarder")
    exporters = forwarder.get("exporters") if isinstance(forwarder, dict) else None
    named: list[tuple[Any, str, str, str]] = [(values, "filterRule", "filterRule", "filters")]
    named.append((values.get("dlp"), "config", "dlp.config", "dlp"))
    for name, exporter in exporters.items() if isinstance(exporters, dict) else ():
        path = text(("forwarder", "exporters", str(name)))
        named.append((exporter, "filter_rule", f"{path}.filter_rule", "filters"))
        named.append((exporter, "dlp_config_id", f"{path}.dlp_config_id", "dlp"))
    for holder, key, path, group in named:
        rule = holder.get(key) if isinstance(holder, dict) else None
        kind = "filter-rule" if group == "filters" else "dlp-rule"
        if not isinstance(rule, str) or not rule or rule in builtins.names(kind):
            continue
        del holder[key]
        reason = f"the rule {rule!r} lives in the vendor's service"
        remedy = f"write it under `rules.{group}` (docs/reference/{kind}.md) and name it again"
        notes.append(Note(path, "left out", reason, remedy))


def _redaction(values: dict[str, Any], notes: list[Note]) -> None:
    dlp = values.get("dlp")
    enabled = dlp.get("enabled") if isinstance(dlp, dict) else None
    if enabled is False:
        reason = "original values are stored and exported, as the chart does by default; ours redacts by default"
        notes.append(Note("dlp.enabled", "check", reason, "set it to true unless you need the values"))
    elif enabled is None:
        reason = "the chart leaves redaction off unless asked for; here it is on"
        notes.append(Note("dlp.enabled", "check", reason, "leave it on unless you need original values"))


def _certificates(values: dict[str, Any], notes: list[Note]) -> None:
    if values.get("createTLSCerts") is False:
        values["certificates"] = {"mode": "manual"}
        reason = "you make the Secrets: that is `certificates.mode: manual` here"
        notes.append(Note("createTLSCerts", "check", reason, "cert-manager can make them: mode cert-manager"))


def _pre_install(values: dict[str, Any], notes: list[Note]) -> None:
    if isinstance(values.get("preInstall"), dict):
        reason = "the chart always runs this Job; here it is off unless asked for"
        notes.append(
            Note("preInstall", "check", reason, "set `preInstall.enabled`; Java trust stores need no Job here")
        )


def _exporters(values: dict[str, Any], notes: list[Note]) -> None:
    forwarder = values.get("forwarder")
    exporters = forwarder.get("exporters") if isinstance(forwarder, dict) else None
    for name, exporter in exporters.items() if isinstance(exporters, dict) else ():
        endpoint = exporter.get("otel_endpoint") if isinstance(exporter, dict) else None
        if not isinstance(endpoint, str):
            continue
        path = text(("forwarder", "exporters", str(name), "otel_endpoint"))
        changed = endpoint if "://" in endpoint else f"http://{endpoint}"
        if changed != endpoint:
            exporter["otel_endpoint"] = changed
            reason = "an endpoint is an address with its scheme; port 4317 is OTLP over gRPC, any other OTLP over HTTP"
            notes.append(Note(path, "changed", reason, "check the scheme: https where the collector speaks TLS"))


def _secret_access(values: dict[str, Any], notes: list[Note]) -> None:
    if not values.get("secretAccessList"):
        values.pop("secretAccessList", None)
        reason = "empty means every Secret there, and only our own here"
        notes.append(Note("secretAccessList", "check", reason, 'name those that replays mount, or all: ["*"]'))


def _nettap(values: dict[str, Any], notes: list[Note]) -> None:
    ebpf = values.get("ebpf")
    nettap = ebpf.get("nettap") if isinstance(ebpf, dict) else None
    for part in ("capture", "ingest"):
        container = nettap.get(part) if isinstance(nettap, dict) else None
        context = container.get("podSecurityContext") if isinstance(container, dict) else None
        if not isinstance(context, dict):
            continue
        path = f"ebpf.nettap.{part}.podSecurityContext"
        added = (context.get("capabilities") or {}).get("add") or []
        strong = [name for name in added if name in _TOO_STRONG]
        if strong:
            context["capabilities"]["add"] = [name for name in added if name not in strong]
            remedy = "add them again only where `speedctl nettap doctor` shows the need"
            notes.append(Note(f"{path}.capabilities.add", "changed", f"{', '.join(strong)} not needed", remedy))
        if part == "ingest" and context.get("runAsUser") == 0:
            for key in ("runAsUser", "runAsGroup"):
                context.pop(key, None)
            notes.append(Note(path, "changed", "ingest needs no root here", "it runs as 2102 unless you say otherwise"))
        if part == "ingest" and (context.get("capabilities") or {}).get("add") == []:
            del context["capabilities"]["add"]


def _newer(values: dict[str, Any], notes: list[Note]) -> None:
    if values.pop("ensureMinimumEphemeralStorage", None) is not None:
        reason = "nothing is raised behind your back here"
        remedy = "set `ephemeral-storage` in `resources`, as the preset gke-autopilot does"
        notes.append(Note("ensureMinimumEphemeralStorage", "left out", reason, remedy))


_STEPS: tuple[Callable[[dict[str, Any], list[Note]], None], ...] = (
    _api_key,
    _app_url,
    _images,
    _rules,
    _redaction,
    _certificates,
    _pre_install,
    _exporters,
    _secret_access,
    _nettap,
    _newer,
)


def _leave_out_what_is_refused(values: dict[str, Any], notes: list[Note]) -> None:
    """Take out what our values refuse, path by path, until they are accepted."""
    while refusals := loading.judge([_layer(values)])[1]:
        # The last one first: an item that goes shifts those behind it, and their notes would name wrong places.
        refusal = refusals[-1]
        path = arguments.split(f"{refusal.path}=")[0]
        cut = next((number for number, part in enumerate(path) if isinstance(part, int)), len(path))
        path = path[: cut + 1]  # half an item of a list means something else: the whole item goes
        path = _take_out(values, path)
        if not path:
            break
        reason = refusal.reason if text(path) == refusal.path else f"{refusal.path}: {refusal.reason}"
        notes.append(Note(text(path), "left out", reason, refusal.remedy or _known()))
    loading.build([_layer(values)])


def _layer(values: dict[str, Any]) -> Layer:
    return Layer("the chart's values", values)


def _known() -> str:
    return "docs/reference/values.md lists every setting"


def _take_out(values: Any, path: Path) -> Path:
    """Delete the path, or the nearest thing above it that exists; return what went, () when nothing was there."""
    holders: list[Any] = []
    here = values
    for part in path:
        inside = part in here if isinstance(here, dict) else isinstance(here, list) and part in range(len(here))
        if not inside:
            break
        holders.append(here)
        here = here[part]
    if not holders:
        return ()
    taken = path[: len(holders)]
    del holders[-1][taken[-1]]
    return taken


__all__ = ["SHORTEST_SECRET", "Converted", "Note", "convert"]
