"""What the operator may do, rule by rule, each with the reason it exists.

Tables of `Grant` by where they hold: `cluster` (what has no namespace), `workloads` (in every watched namespace) and
`own` (in the installation's namespace only). `rbac` makes Roles of them, `docs/rbac.md` is printed from them. What is
missing on purpose stands in `WITHHELD`: a right that the vendor's chart grants and ours does not.
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.objects import Grant, names
from speedscale_manifests.values import Values
from speedscale_schemas import trafficreplay

from .operator_config import ALL_SECRETS, drift, makes_certificates

READ: Final = ("get", "list", "watch")
OWN: Final = ("get", "list", "watch", "create", "patch", "delete")

_ADMISSION = ("admissionregistration.k8s.io",)


def cluster(values: Values) -> tuple[Grant, ...]:
    """Return the rights over objects without a namespace; none names a kind of the users' own."""
    return (
        Grant(
            ("apiextensions.k8s.io",),
            ("customresourcedefinitions",),
            ("get",),
            "readiness: the definition of TrafficReplay must be there before replays are watched",
            (names.CRD,),
        ),
        *_webhooks(values),
        Grant(
            ("",),
            ("namespaces",),
            READ,
            "labels of namespaces decide on injection: Pod Security level, service mesh, being deleted",
            names.watched_namespaces(values),
        ),
        Grant(
            ("",),
            ("nodes",),
            ("get", "list"),
            "injection skips Windows and virtual nodes, and uses native sidecars only where every kubelet knows them",
        ),
        Grant(
            ("cilium.io",),
            ("ciliumnodes",),
            ("get", "list"),
            "with Cilium a node's probes come from these addresses; `capture-node-traffic` must know them",
        ),
    )


def _webhooks(values: Values) -> tuple[Grant, ...]:
    """Return the rights on the three webhook configurations; only their CA bundle is ever written."""
    writes = ("patch",) if makes_certificates(values) else ()
    reason = (
        "the CA bundle is written, and mended when somebody overwrites it" if writes else "the CA bundle is checked"
    )
    mutating = (names.OPERATOR, names.REPLAY_WEBHOOKS)
    return (
        Grant(_ADMISSION, ("mutatingwebhookconfigurations",), (*READ, *writes), reason, mutating),
        Grant(_ADMISSION, ("validatingwebhookconfigurations",), (*READ, *writes), reason, (names.REPLAY_WEBHOOKS,)),
    )


def workloads(values: Values) -> tuple[Grant, ...]:
    """Return the rights in every watched namespace: injection, replays, and what tells why something failed."""
    replay = (trafficreplay.GROUP,)
    plural = trafficreplay.PLURAL
    return (
        Grant(
            ("apps",),
            ("deployments",),
            OWN,
            "sidecars are added and taken out; collector, responder and Redis of a replay are created and deleted",
        ),
        Grant(
            ("apps",),
            ("statefulsets", "daemonsets"),
            (*READ, "patch", "delete"),
            "sidecars are added and taken out; `cleanup: all` deletes the workload under test",
        ),
        Grant(("apps",), ("replicasets",), (*READ, "patch"), "ReplicaSets without an owner are injected too"),
        Grant(
            ("batch",), ("jobs",), OWN, "the generator of a replay is a Job; Jobs that admission missed are reported"
        ),
        Grant(("batch",), ("cronjobs",), (*READ, "patch"), "sidecars are added to the Job template and taken out"),
        Grant(
            ("argoproj.io",),
            ("rollouts",),
            (*READ, "patch", "delete"),
            "Argo Rollouts are workloads like Deployments; `cleanup: all` deletes the one under test",
        ),
        Grant(
            ("",),
            ("services",),
            OWN,
            "a replay's responder, collector and Redis have Services; the workload's Service says where tests go",
        ),
        Grant(
            ("",),
            ("configmaps",),
            ("get", "list", "create", "patch", "delete"),
            "snapshots and results of a replay are ConfigMaps in its namespace",
        ),
        *_secrets(values),
        Grant(("",), ("pods",), READ, "a condition names the pod that does not start, and its cause"),
        Grant(
            ("",), ("pods/log",), ("get",), "the report quotes the last lines of a generator or workload that failed"
        ),
        Grant(
            ("", "events.k8s.io"),
            ("events",),
            ("get", "list", "create", "patch"),
            "every skip and failure is told to the user as an Event; Events of pods explain why they do not start",
        ),
        Grant(
            ("",),
            ("resourcequotas", "limitranges"),
            READ,
            "a sidecar that a quota or limit would refuse must be known before its workload is changed",
        ),
        Grant(
            ("metrics.k8s.io",),
            ("pods",),
            ("get", "list"),
            "latency of a replay whose generator was at its limit is void and marked so",
        ),
        *_policies(values),
        Grant(replay, (plural,), (*OWN, "update"), "replays are reconciled, started by annotations, ended by TTL"),
        Grant(replay, (f"{plural}/status",), ("get", "patch", "update"), "the state of a replay is written"),
        Grant(
            replay,
            (f"{plural}/finalizers",),
            ("update",),
            "clusters that enforce owner references ask this before a replay may own its objects",
        ),
    )


def _policies(values: Values) -> tuple[Grant, ...]:
    """Return the right to bound a replay's pods, where the values want that at all."""
    if not values.network_policies.enabled:
        return ()
    reason = "each component of a replay is bounded by a NetworkPolicy of its own"
    return (Grant(("networking.k8s.io",), ("networkpolicies",), OWN, reason),)


def _secrets(values: Values) -> tuple[Grant, ...]:
    """Return the rights on Secrets of watched namespaces: our own by name, listed ones, or all where `*` says so."""
    copies = names.copied_secrets(values)
    copied = Grant(
        ("",),
        ("secrets",),
        ("get", "patch", "delete"),
        "our Secrets are copied to where sidecars and replays run, renewed there, and removed",
        copies,
    )
    create = Grant(
        ("",),
        ("secrets",),
        ("create",),
        "the copy is made; RBAC cannot limit `create` by name, and it reads nothing",
    )
    if ALL_SECRETS in values.secret_access_list:
        every = Grant(("",), ("secrets",), ("get",), "`secretAccessList: ['*']`: replays may mount any Secret")
        return (copied, create, every)
    listed = tuple(name for name in values.secret_access_list if name not in copies)
    if not listed:
        return (copied, create)
    reason = "`secretAccessList`: replays may mount these"
    return (copied, create, Grant(("",), ("secrets",), ("get",), reason, listed))


def own(values: Values) -> tuple[Grant, ...]:
    """Return the rights in the installation's namespace alone."""
    return (
        Grant(
            ("coordination.k8s.io",),
            ("leases",),
            ("get", "update", "patch"),
            "one active controller, by this Lease",
            (names.OPERATOR,),
        ),
        Grant(("coordination.k8s.io",), ("leases",), ("create",), "the Lease is made when there is none"),
        Grant(
            ("",),
            ("secrets",),
            (*READ, "patch", "update", "delete"),
            "certificates and keys are made, renewed and, when somebody deletes them, made again",
            names.own_secrets(values),
        ),
        Grant(
            ("",),
            ("configmaps",),
            ("watch",),
            "the bundle, the override and the rules take effect when they change",
        ),
        *_managed(values),
    )


def _managed(values: Values) -> tuple[Grant, ...]:
    """Return the rights on managed components: to make them, to restore them, or only to look at them."""
    if values.profile == "operator":
        verbs: tuple[str, ...] = OWN
        reason = "profile operator: managed components are made out of the bundle"
    elif drift(values) == "enforce":
        # What is not there is git's to make: only told.
        verbs, reason = (*READ, "patch"), "`operator.drift: enforce`: managed components that were changed are restored"
    elif drift(values) == "report":
        verbs, reason = READ, "`operator.drift: report`: managed components are compared with the bundle"
    else:
        return ()
    return (
        Grant(("apps",), ("deployments", "statefulsets", "daemonsets"), verbs, reason),
        Grant(("",), ("services", "configmaps", "persistentvolumeclaims"), verbs, reason),
        Grant(("networking.k8s.io",), ("networkpolicies",), verbs, reason),
        Grant(("policy",), ("poddisruptionbudgets",), verbs, reason),
    )


WITHHELD: Final = (
    (
        "rbac.authorization.k8s.io",
        "writing roles and bindings of any kind",
        "Rights stand in git. An operator that can write them can give itself everything.",
    ),
    (
        "",
        "secrets: list and watch in users' namespaces; all of them by default",
        "`secretAccessList` names what replays may mount; empty means our own only.",
    ),
    ("", "serviceaccounts: create, delete, patch", "Accounts stand in git, beside their rights."),
    ("", "pods: create, delete, patch", "Pods are made by workloads only; injection happens in admission."),
    (
        "networking.istio.io, security.istio.io",
        "envoyfilters, sidecars, peerauthentications: everything",
        "Nothing of ours writes mesh objects; what a mesh needs is documented for its owner to apply.",
    ),
    (
        "admissionregistration.k8s.io",
        "webhook configurations: create, delete, and those of others",
        "They stand in git; only the CA bundle of our three is written.",
    ),
    ("speedscale.com", "agenttasks", "No such resource exists here."),
    ("", "deletecollection of anything", "What a replay made is deleted object by object, from its inventory."),
)
"""Rights of the vendor's chart that ours does not grant: API groups, what, and why not."""
