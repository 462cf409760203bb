"""The library for cdk8s apps, ours and other people's: the whole installation, single components, raw objects.

Importing it starts Node (0.5 s): nothing that only reads values or objects may import it. What a construct makes is
exactly what `components` and `bundle` say, one object a construct, under explicit names; users change it by the means
of cdk8s (`metadata.add_label`, `add_json_patch`) or not at all.
"""

from . import node

node.prepare()  # before the first import of cdk8s, which starts Node

from .capture import capture, leave_alone, replay_on_apply  # noqa: E402
from .installation import Bundle, Speedscale, standalone  # noqa: E402
from .parts import (  # noqa: E402
    Backend,
    Base,
    Certificates,
    Collector,
    CustomResources,
    Demo,
    Forwarder,
    Generator,
    Inspector,
    Nettap,
    Operator,
    Part,
    PreInstall,
    Redis,
    Responder,
    Rights,
    Sidecar,
    Webhooks,
)
from .raw import RawObject  # noqa: E402
from .traffic_replay import Target, TrafficReplay  # noqa: E402

__all__ = [
    "Backend",
    "Base",
    "Bundle",
    "Certificates",
    "Collector",
    "CustomResources",
    "Demo",
    "Forwarder",
    "Generator",
    "Inspector",
    "Nettap",
    "Operator",
    "Part",
    "PreInstall",
    "RawObject",
    "Redis",
    "Responder",
    "Rights",
    "Sidecar",
    "Speedscale",
    "Target",
    "TrafficReplay",
    "Webhooks",
    "capture",
    "leave_alone",
    "replay_on_apply",
    "standalone",
]
