"""The forwarder's Secret: its certificate, the ledger of sender tokens, and the list that it reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from speedscale_controller.certificates import senders
from speedscale_controller.certificates.names import (
    CERTIFICATE,
    CERTS,
    FORWARDER,
    KEY,
    OWN,
    SENDERS,
    TOKEN,
    TOKENS,
    Certificate,
)
from speedscale_controller.certificates.senders import Ledger
from speedscale_kube.errors import ForbiddenError

from .authority import Authority
from .desk import Desk, which
from .pods import holders, oldest

SERVICE = "speedscale-forwarder"


class Forwarder:
    """`wanted` are the namespaces with senders, ours among them."""

    def __init__(self, desk: Desk, authority: Authority, wanted: Callable[[], frozenset[str]]) -> None:
        self._desk, self._authority, self._wanted = desk, authority, wanted
        self._ledger: dict[str, senders.Sender] | None = None

    def ledger(self) -> Ledger:
        """Return the ledger as last found, looking now when it was never looked at."""
        if self._ledger is None:
            self.reconcile(switched=False)
        return self._ledger or {}

    def token(self, namespace: str) -> str:
        """Return a namespace's token; one that is not in the ledger yet is entered, and the forwarder told, first."""
        if namespace not in self.ledger():
            self.reconcile(switched=False, also=frozenset({namespace}))
        return self.ledger()[namespace].token

    def reconcile(
        self, *, switched: bool, also: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """Look after the Secret; return the namespaces whose token is another now.

        Namespaces of the ledger stay in it until they are given as `without`: their pods may still send.
        """
        desk = self._desk
        content = desk.read(desk.own, FORWARDER)
        if why := desk.foreign(content, adopt=True):
            desk.teller.left_alone(which(desk.own, FORWARDER), why)
        has = senders.read(content.data.get(SENDERS, b""))
        namespaces = (self._wanted() | has.keys() | also) - without
        now = desk.now()
        ledger = senders.renew(has, namespaces, now, desk.entropy, known=self._known, oldest_pod=self._oldest)
        pair, _ = self._authority.server(Certificate.FORWARDER, content.pair(CERTIFICATE, KEY), SERVICE, switched)
        if why is None:
            data = {
                CERTIFICATE: pair.certificate,
                KEY: pair.key,
                SENDERS: senders.write(ledger),
                TOKENS: senders.accepted(ledger),
            }
            desk.write(content, desk.own, FORWARDER, data)
        before, self._ledger = self._ledger or has, ledger
        return frozenset(name for name, sender in ledger.items() if before.get(name) != sender)

    def _secret(self, namespace: str) -> str:
        return OWN if namespace == self._desk.own else CERTS

    def _known(self, namespace: str) -> str:
        """Return the token that a namespace's Secret of ours has: a lost ledger is put together again."""
        try:
            content = self._desk.read(namespace, self._secret(namespace))
        except ForbiddenError:
            return ""
        return content.text(TOKEN) if content.mark and self._desk.instance().owns(content.mark) else ""

    def _oldest(self, namespace: str) -> datetime | None:
        return oldest(holders(self._desk.client, namespace, frozenset({self._secret(namespace)})))
