"""Redis of a replay: the counters of mock sequences that several responder pods share.

Nothing is written to disk: when it goes, so does the replay. Only pods of the same replay's responder may connect.
"""

from __future__ import annotations

from speedscale_manifests.objects import Manifest, container, scratch
from speedscale_manifests.values import Values
from speedscale_schemas.templates import seal

from . import network, replay
from .component import Component

NAME = "redis"
PORT = 6379


def templates(values: Values) -> list[Manifest]:
    """Return Deployment, Service and policy of one replay's Redis."""
    objects = [
        replay.deployment(values, NAME, _pod(values)),
        replay.service(
            values,
            NAME,
            replay.name(NAME),
            [{"name": "redis", "port": PORT, "targetPort": "redis", "protocol": "TCP"}],
        ),
        *replay.policy(
            values,
            NAME,
            ingress=[
                {
                    "from": [{"podSelector": {"matchLabels": replay.selector("responder")}}],
                    "ports": network.ports(PORT),
                }
            ],
            egress=[],
        ),
    ]
    return [seal(item) for item in objects]


def _pod(values: Values) -> Manifest:
    data, mount = scratch("data", "/data", "64Mi")
    probe: Manifest = {
        "tcpSocket": {"port": "redis"},
        "periodSeconds": 5,
        "timeoutSeconds": 2,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    box = container(
        values,
        "speedscale-redis",
        "redis",
        values.replay_components.redis.resources,
        command=["redis-server"],
        # No snapshot, no log of writes; keys are never evicted: a counter that goes would change answers.
        args=["--save", "", "--appendonly", "no", "--dir", "/data", "--maxmemory-policy", "noeviction"],
        ports=[{"name": "redis", "containerPort": PORT, "protocol": "TCP"}],
        livenessProbe={**probe, "periodSeconds": 20},
        readinessProbe=probe,
        volumeMounts=[mount],
    )
    return replay.pod(values, NAME, [box], volumes=[data], terminationGracePeriodSeconds=10)


COMPONENT = Component(name=NAME, chart="operator", templates=templates)
