"""`speedctl infra adopt ID`: what an operator that is gone managed becomes this one's.

The id is what its workloads bear in the annotation operator.speedscale.com/managed-by. It is written into ConfigMap
`speedscale-operator-state`; the operator does the rest. An operator that still runs is not taken over: two would then
write the same workloads in turn.
"""

from __future__ import annotations

import argparse

from speedscale_controller.identity import adopt as write
from speedscale_kube import Client
from speedscale_schemas.errors import ConfigError

from . import installed
from .printing import emit
from .reaching import with_cluster


def run(args: argparse.Namespace) -> int:
    """Adopt; 0, or 2 when the id is none, another operator that runs has it, or it is not allowed."""
    return with_cluster(args, lambda client: _adopt(client, args))


def _adopt(client: Client, args: argparse.Namespace) -> int:
    there = installed.find(client, args.operator_namespace)
    if there is None:
        raise ConfigError(["there is no operator in this cluster: nobody could take anything over"])
    _refuse_the_living(client, there.namespace, args.instance_id)
    try:
        now = write(client, there.namespace, args.instance_id)
    except ValueError as error:
        raise ConfigError([str(error)]) from error
    found = {"namespace": there.namespace, "instanceId": now.id, "adopted": sorted(now.adopted)}
    same = args.instance_id == now.id
    said = "is this installation's own id" if same else f"is adopted by the installation in namespace {there.namespace}"
    emit(args, found, f"{args.instance_id} {said}")
    return 0


def _refuse_the_living(client: Client, own: str, instance_id: str) -> None:
    for namespace in installed.namespaces(client):
        other = installed.read(client, namespace)
        if namespace != own and other.instance_id == instance_id and installed.alive(other.operator):
            raise ConfigError(
                [
                    f"the operator of namespace {namespace} has this id and runs: two would write the same workloads"
                    " in turn; stop it first (scale Deployment speedscale-operator to 0, in git where git has it)"
                ]
            )
