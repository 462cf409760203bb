"""Whose redirections are in the pod's network besides ours, by the rules that are there or the mesh that will come.

Used by `capture`. Pure. Sources: Istio's and Linkerd's documentation of traffic redirection. Two transparent proxies in
one pod hand each other's connections round for ever unless each leaves the other's alone, so the users and marks that
others exempt are exempted here, too.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from .saved import Table, targets

ISTIO_ID: Final = "1337"
ISTIO_PORTS: Final = (15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090)
ZTUNNEL_MARK: Final = "0x539/0xfff"
OURS: Final = "SPEEDSCALE_"
_REDIRECT: Final = frozenset({"REDIRECT", "TPROXY"})


class Mesh(StrEnum):
    """Meshes that have to be told apart, since order and inbound traffic differ."""

    NONE = "none"
    ISTIO = "istio"
    AMBIENT = "istio-ambient"
    LINKERD = "linkerd"
    OTHER = "other"


_CHAINS: Final[Mapping[str, Mesh]] = {
    "ISTIO_PRERT": Mesh.AMBIENT,
    "ISTIO_INBOUND": Mesh.ISTIO,
    "ISTIO_IN_REDIRECT": Mesh.ISTIO,
    "ISTIO_OUTPUT": Mesh.ISTIO,
    "ISTIO_REDIRECT": Mesh.ISTIO,
    "PROXY_INIT_REDIRECT": Mesh.LINKERD,
    "PROXY_INIT_OUTPUT": Mesh.LINKERD,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A mesh; `present`: its rules are there already. `uids`, `gids`: whose traffic it leaves alone, its own."""

    mesh: Mesh = Mesh.NONE
    present: bool = False
    uids: tuple[str, ...] = ()
    gids: tuple[str, ...] = ()


def find(nat: Table, announced: Mesh = Mesh.NONE) -> Found:
    """Return the mesh whose rules are in table nat, else the one that is announced."""
    foreign = {name: rules for name, rules in nat.rules.items() if not name.startswith(OURS)}
    named = [mesh for chain, mesh in _CHAINS.items() if chain in foreign]
    redirecting = any(targets(rule) in _REDIRECT for rules in foreign.values() for rule in rules)
    uids, gids = _exempt(foreign)
    present = bool(named) or redirecting
    mesh = named[0] if named else (announced if announced is not Mesh.NONE else Mesh.OTHER)
    if not present:
        mesh = announced
    if mesh is Mesh.ISTIO:
        uids, gids = uids or (ISTIO_ID,), gids or (ISTIO_ID,)
    return Found(mesh, present, uids, gids)


def _exempt(foreign: Mapping[str, list[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return users and groups that rules of others name, each once: those whose traffic they do not redirect."""
    found: dict[str, dict[str, None]] = {"--uid-owner": {}, "--gid-owner": {}}
    for rules in foreign.values():
        for rule in rules:
            words = shlex.split(rule)
            for word, value in pairwise(words):
                if word in found:
                    found[word][value] = None
    return tuple(found["--uid-owner"]), tuple(found["--gid-owner"])
