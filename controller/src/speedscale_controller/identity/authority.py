"""The interception root and the certificates of our servers: forwarder, backend and collectors.

The root is made here, or taken as somebody else makes it; either way its key is read for signing and goes nowhere.
What was last found stays at hand for the namespaces, which are looked at by the hundred; a change of the root's Secret
is looked at first.
"""

from __future__ import annotations

from collections.abc import Callable

from speedscale_controller.certificates import roots
from speedscale_controller.certificates.model import Finding, Pair
from speedscale_controller.certificates.names import (
    BACKEND,
    CA,
    CERTIFICATE,
    CERTS,
    KEY,
    OWN,
    PREVIOUS,
    PREVIOUS_KEY,
    Certificate,
    service_names,
)
from speedscale_controller.certificates.roots import Root
from speedscale_controller.certificates.secret import Content
from speedscale_schemas import x509
from speedscale_schemas.errors import PermanentError

from .desk import Desk, which

BACKEND_SERVICE = "speedscale-cloud"
PORT_FORWARD = "localhost"
"""As people reach the backend: `kubectl port-forward service/speedscale-cloud 8443:443`."""


class Authority:
    """`released` says whether nobody holds the old root any more, `changed` is called when the root is another."""

    def __init__(self, desk: Desk, released: Callable[[Root], bool], changed: Callable[[], None]) -> None:
        self._desk, self._released, self._changed = desk, released, changed
        self._root: Root | None = None

    def root(self) -> Root:
        """Return the root as last found, looking now when it was never looked at. PermanentError when it is no use."""
        if self._root is None:
            self.reconcile()
        if self._root is None:
            raise PermanentError("NoRoot", f"Secret {CERTS} has no CA that can sign; its Events say why")
        return self._root

    def reconcile(self) -> None:
        """Look after the root."""
        desk, now = self._desk, self._desk.now()
        content = desk.read(desk.own, CERTS)
        why = desk.foreign(content, adopt=True)
        if not desk.makes_certificates or why is not None:
            root = self._given(content, why)
        else:
            has = Root(content.pair(CERTIFICATE, KEY), content.pair(PREVIOUS, PREVIOUS_KEY), content.data.get(CA, b""))
            root, found = roots.renew(has, now, desk.entropy, elsewhere=self._elsewhere(), released=self._released(has))
            if root != has or not content.mark:
                self._write(content, root, found)
        if root is not None:
            desk.teller.expiry(Certificate.ROOT, x509.summary(root.current.certificate).not_after)
        before, self._root = self._root, root
        if root != before and root is not None:
            self._changed()

    def _write(self, content: Content, root: Root, found: Finding) -> None:
        desk = self._desk
        data = {CA: root.trusted, CERTIFICATE: root.current.certificate, KEY: root.current.key}
        if root.previous:
            data |= {PREVIOUS: root.previous.certificate, PREVIOUS_KEY: root.previous.key}
        desk.write(content, desk.own, CERTS, data, gone=() if root.previous else (PREVIOUS, PREVIOUS_KEY))
        if root.current.certificate != content.data.get(CERTIFICATE):
            desk.issued(Certificate.ROOT, found.reason)
            desk.teller.tell(which(desk.own, CERTS), "CertificateIssued", f"root: {found.message}", "Normal")

    def _given(self, content: Content, why: Finding | None) -> Root | None:
        """Take the CA that somebody else makes; None, and an Event, when it cannot be used."""
        desk, about = self._desk, which(self._desk.own, CERTS)
        if why is not None and desk.makes_certificates:
            desk.teller.left_alone(about, why)
        pair = content.pair(CERTIFICATE, KEY)
        root, found = roots.given(pair, content.data.get(CA, b""), desk.now(), elsewhere=self._elsewhere())
        if found.good:
            return root
        desk.teller.tell(about, "CertificateNotGood", f"no CA for interception: {found.message}")
        desk.teller.expiry(Certificate.ROOT, None)
        return None

    def _elsewhere(self) -> bytes:
        return self._desk.read(self._desk.own, OWN).data.get(CA, b"")

    def server(self, certificate: Certificate, has: Pair, service: str, switched: bool) -> tuple[Pair, Finding]:
        """Return the certificate that one of our servers should have, counted when it is a new one."""
        return self._server(certificate, has, service_names(service, self._desk.own), switched)

    def named(self, certificate: Certificate, has: Pair, names: tuple[str, ...], switched: bool) -> Pair:
        """Return a server's certificate for exactly these names, counted when it is a new one."""
        return self._server(certificate, has, names, switched)[0]

    def _server(
        self, certificate: Certificate, has: Pair, names: tuple[str, ...], switched: bool
    ) -> tuple[Pair, Finding]:
        desk = self._desk
        pair, found = roots.server(has, self.root(), names, desk.now(), desk.entropy, switched=switched)
        if pair != has:
            desk.issued(certificate, found.reason)
        desk.teller.expiry(certificate, x509.summary(pair.certificate).not_after)
        return pair, found

    def backend(self, switched: bool) -> None:
        """Look after the backend's certificate."""
        desk = self._desk
        content = desk.read(desk.own, BACKEND)
        if why := desk.foreign(content, adopt=True):
            desk.teller.left_alone(which(desk.own, BACKEND), why)
            return
        names = (*service_names(BACKEND_SERVICE, desk.own), PORT_FORWARD)
        pair = self.named(Certificate.BACKEND, content.pair(CERTIFICATE, KEY), names, switched)
        data = {CA: self.root().trusted, CERTIFICATE: pair.certificate, KEY: pair.key}
        desk.write(content, desk.own, BACKEND, data)
