"""Volumes for claims: each claim of the default class gets a folder on the node's disk, which goes with the claim.

A volume is of type `local`, as a disk of the node: kubelet gives it the group that the pod asks for, which it does not
for hostPath. Called by `inside` again and again; looks at the API server, holds nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from speedscale_kube import Client, Object, Ref

from . import places
from .components import MANAGER

_CLAIM = "harness.example.com/claim"


def provide(kube: Client, folder: Path) -> None:
    """Make the volumes that claims lack, below `folder`, and remove those whose claims are gone."""
    claims = {_uid(one): one for one in kube.list("v1", "PersistentVolumeClaim")}
    volumes = {
        one["metadata"]["labels"][_CLAIM]: one["metadata"]["name"]
        for one in kube.list("v1", "PersistentVolume", labels=_CLAIM)
    }
    for uid in claims.keys() - volumes.keys():
        if claims[uid]["spec"].get("storageClassName") == places.STORAGE_CLASS:
            (folder / uid).mkdir(parents=True, exist_ok=True)
            kube.apply(_volume(uid, claims[uid], folder / uid), MANAGER)
    for uid in volumes.keys() - claims.keys():
        kube.delete(Ref("v1", "PersistentVolume", "", volumes[uid]))
        shutil.rmtree(folder / uid, ignore_errors=True)


def _uid(claim: Object) -> str:
    return str(claim["metadata"]["uid"])


def _volume(uid: str, claim: Object, folder: Path) -> Object:
    metadata, spec = claim["metadata"], claim["spec"]
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [places.NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"claim-{uid}", "labels": {_CLAIM: uid}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": places.STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",  # who made it removes it
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "claimRef": {"namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
