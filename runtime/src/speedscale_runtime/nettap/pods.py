"""What the ingest keeps of a pod: enough to know whether it is captured, and whose its traffic is.

`project` is given to the reflector of pods. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SIDECAR: Final = "speedscale-goproxy"
_IGNORE: Final = "operator.speedscale.com/ignore"
_OVER: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of this node."""

    uid: str
    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()
    owner_kind: str = ""
    owner_name: str = ""
    address: str = ""
    node_addresses: frozenset[str] = frozenset()
    sidecar: bool = False
    ignored: bool = False


def project(obj: Mapping[str, Any]) -> Pod | None:
    """Return what is kept of a pod, None for one whose containers have ended for good."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    if status.get("phase") in _OVER:
        return None
    owner: Mapping[str, Any] = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), {})
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    node = {str(status.get("hostIP") or ""), *(str(ip.get("ip")) for ip in status.get("hostIPs") or ())}
    return Pod(
        uid=str(metadata["uid"]),
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata["name"]),
        labels=tuple(sorted((str(k), str(v)) for k, v in (metadata.get("labels") or {}).items())),
        owner_kind=str(owner.get("kind", "")),
        owner_name=str(owner.get("name", "")),
        address=str(status.get("podIP") or ""),
        node_addresses=frozenset(node - {""}),
        sidecar=any(c.get("name") == SIDECAR for c in containers),
        ignored=str((metadata.get("annotations") or {}).get(_IGNORE, "")).lower() == "true",
    )
