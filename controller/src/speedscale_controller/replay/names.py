"""Names, labels and annotations of a replay: what its objects are called and how they are found again.

Used by everything in this package, by `replays`, and by whoever has to recognise what a replay made. Pure. Every object
of a replay bears its UID (`ID`); that alone says whose it is, because a name can be used again.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Final

from speedscale_kube import Ref

GROUP: Final = "replay.speedscale.com"
ID: Final = f"{GROUP}/id"
ENV_ID: Final = f"{GROUP}/env-id"
REPORT_ID: Final = f"{GROUP}/report-id"
COMPONENT: Final = f"{GROUP}/component"
STATE: Final = f"{GROUP}/state"
FINALIZER: Final = f"{GROUP}/cleanup"
ORIGIN: Final = f"{GROUP}/started-by"
REPORT: Final = "speedscale.com/report"

INVENTORY: Final = "speedscale-operator/inventory"
WORKLOAD: Final = "speedscale-operator/workload"
STATUS: Final = "speedscale-operator/status"
"""Field managers: what we create, what a replay does to a workload, what is told about it."""

NAME_MAX: Final = 40
_PLAIN = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_REPORTS = uuid.uuid5(uuid.NAMESPACE_URL, "speedscale:report")


def short(name: str, salt: str = "") -> str:
    """Return a DNS label of at most 40 characters: the name itself where it is one, else cut and with a hash.

    `salt` is what tells apart two of one name; with it there is always a hash.
    """
    if not salt and _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(f"{salt}/{name}".encode()).hexdigest()[:7]
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower())[: NAME_MAX - 8].strip("-")
    return f"{stem}-{digest}" if stem else f"r{digest}"


def object_name(name: str, home: str, namespace: str) -> str:
    """Return the gap `replay_name` for objects in `namespace` of the TrafficReplay `name` in `home`.

    Elsewhere than at home another replay may have this name, too; there it bears a hash of where it comes from.
    """
    return short(name, "" if namespace == home else home)


def report_id(uid: str) -> str:
    """Return the id of a replay's report: the same whenever it is asked."""
    return str(uuid.uuid5(_REPORTS, uid))


def report_name(report: str) -> str:
    """Return the name of the ConfigMap with a report."""
    return f"speedscale-report-{report}"


def report_ref(namespace: str, report: str) -> Ref:
    """Return where the ConfigMap with a report is."""
    return Ref("v1", "ConfigMap", namespace, report_name(report))
