"""The Secret of all replays' collectors: one certificate for any Service in our namespace, and whose token is whose.

A collector lives as long as a replay, so none has a Secret of its own. Tokens are known to it by their SHA-256 only:
it has to recognise them, never to use them.
"""

from __future__ import annotations

from speedscale_controller.certificates import senders
from speedscale_controller.certificates.names import CERTIFICATE, COLLECTOR, KEY, TOKEN_OWNERS, Certificate

from .authority import Authority
from .desk import Desk, which
from .forwarder import Forwarder


class Collector:
    """Keeps the Secret as root and ledger say."""

    def __init__(self, desk: Desk, authority: Authority, forwarder: Forwarder) -> None:
        self._desk, self._authority, self._forwarder = desk, authority, forwarder

    def reconcile(self, *, switched: bool) -> None:
        """Look after the Secret; `switched`: all clients trust the current root."""
        desk = self._desk
        content = desk.read(desk.own, COLLECTOR)
        if why := desk.foreign(content, adopt=True):
            desk.teller.left_alone(which(desk.own, COLLECTOR), why)
            return
        names = (f"*.{desk.own}.svc", f"*.{desk.own}.svc.cluster.local")
        pair = self._authority.named(Certificate.COLLECTOR, content.pair(CERTIFICATE, KEY), names, switched)
        owners = senders.owners(self._forwarder.ledger())
        data = {CERTIFICATE: pair.certificate, KEY: pair.key, TOKEN_OWNERS: owners}
        desk.write(content, desk.own, COLLECTOR, data)
