"""What a namespace with sidecars or replays gets: its CA, the roots, a token, and copies of what its pods mount.

One Secret `speedscale-certs` (in our own namespace `speedscale-own-certs`), and beside it the Java trust store, the
redaction key and pull Secrets where they are needed. A Secret of that name that is a user's, or another operator's, is
left alone. A namespace that needs nothing any more is cleared after `GRACE_S`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from speedscale_controller.certificates import bundles, roots
from speedscale_controller.certificates.issuing import issued
from speedscale_controller.certificates.model import Finding
from speedscale_controller.certificates.names import (
    BUNDLE,
    CA,
    CERTIFICATE,
    CERTS,
    JKS,
    KEY,
    OWN,
    TOKEN,
    TRUST_STORE,
    TRUSTED,
    UPSTREAM,
    Certificate,
)
from speedscale_controller.certificates.policies import signer
from speedscale_controller.certificates.roots import MARGIN, Root, Share
from speedscale_controller.certificates.secret import Content
from speedscale_schemas import x509
from speedscale_schemas.errors import PermanentError

from . import public
from .authority import Authority
from .desk import Desk, which
from .forwarder import Forwarder
from .needs import Need
from .pods import Pod, holders, named, oldest
from .redaction import Redaction
from .upstream import Upstream

GRACE_S = 600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a namespace is: of which root (digest) it was looked at, whether its CA is that root's, when that ends,
    and how many pods hold something older."""

    root: str
    current: bool
    ends: datetime | None
    stale: int


class Namespaces:
    """Keeps for each namespace only how far it is."""

    def __init__(self, desk: Desk, authority: Authority, forwarder: Forwarder, redaction: Redaction) -> None:
        self._desk, self._authority, self._forwarder, self._redaction = desk, authority, forwarder, redaction
        self._upstream = Upstream(desk)
        self._public: bytes | None = None
        self.standing: dict[str, Standing] = {}
        self.foreign: set[str] = set()
        """Namespaces whose Secret is somebody else's."""

    def reconcile(self, namespace: str, need: Need) -> None:
        """Bring what a namespace has to what it should have. PermanentError when the root cannot sign a CA."""
        desk = self._desk
        root, name = self._authority.root(), self._name(namespace)
        content = desk.read(namespace, name)
        theirs = self._upstream.roots(content)
        if why := desk.foreign(content, adopt=True):
            desk.teller.left_alone(which(namespace, name), why)
            self.foreign.add(namespace)
            self.standing.pop(namespace, None)
        else:
            self.foreign.discard(namespace)
            self._share(namespace, name, content, root, theirs)
        if need.java and desk.settings.create_jks:
            self._trust_store(namespace, root, theirs)
        if namespace != desk.own:
            if need.replay:
                self._copy(namespace, desk.settings.dlp_key_secret, self._redaction.source())
            for secret in desk.settings.image_pull_secrets:
                self._copy(namespace, secret, desk.read(desk.own, secret))

    def clear(self, namespace: str) -> None:
        """Delete what is ours in a namespace."""
        desk, settings = self._desk, self._desk.settings
        for name in dict.fromkeys((CERTS, JKS, settings.dlp_key_secret, *settings.image_pull_secrets)):
            desk.remove(desk.read(namespace, name), namespace, name)
        self.forget(namespace)

    def forget(self, namespace: str) -> None:
        """A namespace is gone."""
        self.standing.pop(namespace, None)
        self.foreign.discard(namespace)

    def switched(self, namespaces: frozenset[str]) -> bool:
        """Say whether every one of these namespaces has a CA of the current root."""
        root = bundles.digest(self._authority.root().roots[0])
        found = (self.standing.get(name) for name in namespaces)
        return all(one is not None and one.current and one.root == root for one in found)

    def released(self, namespaces: frozenset[str]) -> bool:
        """Say whether nobody in these namespaces holds an old root any more."""
        return self.switched(namespaces) and not any(self.standing[name].stale for name in namespaces)

    def _share(self, namespace: str, name: str, content: Content, root: Root, theirs: tuple[bytes, ...]) -> None:
        desk, now = self._desk, self._desk.now()
        has = Share(content.pair(CERTIFICATE, KEY), since(content.note(TRUSTED)))
        pods = self._holders(namespace, name) if len(root.roots) > 1 else []
        try:
            share, found = roots.share(has, root, namespace, now, desk.entropy, oldest(pods))
        except ValueError as error:
            raise PermanentError("RootCannotSign", f"Secret {CERTS}: {error}; namespaces get no CA") from error
        trusted = roots.ordered(share.pair, root)
        data = {
            CA: bundles.joined(trusted),
            BUNDLE: bundles.trust(root.roots, self._public_roots(), theirs),
            TOKEN: self._forwarder.token(namespace).encode("ascii"),
            CERTIFICATE: share.pair.certificate,
            KEY: share.pair.key,
            **({UPSTREAM: bundles.joined(theirs)} if theirs else {}),
        }
        gone = () if theirs else (UPSTREAM,)
        desk.write(content, namespace, name, data, annotations={TRUSTED: told(share.since)}, gone=gone)
        if share.pair != has.pair:
            desk.issued(Certificate.NAMESPACE, found.reason)
        self._stand(namespace, name, share, root, pods, found)

    def _stand(self, namespace: str, name: str, share: Share, root: Root, pods: list[Pod], found: Finding) -> None:
        """Note how far the namespace is, and tell which pods keep an old root in use."""
        current = roots.current(share.pair, root)
        limit = issued(share.pair.certificate) if current else share.since[bundles.digest(root.roots[0])]
        stale = [pod for pod in pods if pod.made <= limit + MARGIN]
        ends = x509.summary(share.pair.certificate).not_after
        self.standing[namespace] = Standing(bundles.digest(root.roots[0]), current, ends, len(stale))
        if stale:
            old = [pem for pem in root.roots if signer(pem, root.roots[:1]) is None]
            last = max((x509.summary(pem).not_after for pem in old), default=ends)
            message = f"there is a new root; these pods hold the old one, restart them before {last:%Y-%m-%d}: "
            self._desk.teller.tell(which(namespace, name), "OldRootInUse", message + named(stale))

    def _holders(self, namespace: str, name: str) -> list[Pod]:
        return holders(self._desk.client, namespace, frozenset({name, JKS}))

    def _trust_store(self, namespace: str, root: Root, theirs: tuple[bytes, ...]) -> None:
        desk = self._desk
        content = desk.read(namespace, JKS)
        if why := desk.foreign(content, adopt=True):
            desk.teller.left_alone(which(namespace, JKS), why)
            return
        store = bundles.java(root.roots, self._public_roots(), theirs)
        desk.write(content, namespace, JKS, {TRUST_STORE: store})

    def _copy(self, namespace: str, name: str, source: Content | None) -> None:
        """Copy a Secret of our own namespace; a user's own of that name stays."""
        desk = self._desk
        if source is None or source.live is None:
            return
        content = desk.read(namespace, name)
        if why := desk.foreign(content, adopt=False):
            desk.teller.left_alone(which(namespace, name), why)
            return
        gone = tuple(key for key in content.data if key not in source.data)
        kind = "" if content.live is not None else str(source.live.get("type", ""))
        desk.write(content, namespace, name, source.data, gone=gone, kind=kind)

    def _name(self, namespace: str) -> str:
        return OWN if namespace == self._desk.own else CERTS

    def _public_roots(self) -> bytes:
        if self._public is None:
            self._public = public.roots()
        return self._public


def since(text: str) -> dict[str, datetime]:
    """Return since when roots are trusted, as an annotation says; what makes no sense is left out."""
    try:
        document = json.loads(text or "{}")
        pairs = document.items() if isinstance(document, Mapping) else ()
        return {str(name): datetime.fromisoformat(str(moment)) for name, moment in pairs}
    except ValueError:
        return {}


def told(moments: Mapping[str, datetime]) -> str:
    """Return the annotation that `since` reads."""
    return json.dumps({name: moment.isoformat() for name, moment in sorted(moments.items())}, sort_keys=True)
