"""The webhooks' CA and certificate: gather, let `rotation` decide, write, look again, until there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from speedscale_controller.certificates import rotation
from speedscale_controller.certificates.model import Case, Finding, Reason, Verdict
from speedscale_controller.certificates.names import (
    CA,
    CERTIFICATE,
    KEY,
    OPERATOR,
    PUBLISHED,
    SIGNER,
    SIGNER_KEY,
    WEBHOOK,
    Certificate,
    service_names,
)
from speedscale_controller.certificates.policies import hands_off, inspect, signer
from speedscale_controller.certificates.rotation import Publish, Rest, Seen, State, Write
from speedscale_controller.certificates.secret import Content
from speedscale_kube.errors import ForbiddenError
from speedscale_schemas import truststore, x509

from . import consumers
from .desk import Desk, which
from .replicas import Shown

STEPS = 12
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class _World:
    configurations: list[consumers.Configuration]
    seen: Seen


class Webhooks:
    """`shown` asks what each replica shows."""

    def __init__(self, desk: Desk, shown: Callable[[], Shown]) -> None:
        self._desk, self._shown = desk, shown

    def reconcile(self) -> float:
        """Bring Secret and configurations a step, or several, further; return the seconds until the next look.

        ForbiddenError when a configuration may not be written, after all that could be done was done.
        """
        refused: dict[str, ForbiddenError] = {}
        for _ in range(STEPS):
            content = self._desk.read(self._desk.own, WEBHOOK)
            if found := self._not_ours(content):
                return self._watch(content, found)
            now, state = self._desk.now(), state_of(content)
            world = self._look(state, refused)
            match rotation.step(state, world.seen, now, self._names(), self._desk.entropy):
                case Rest(until):
                    self._note(state)
                    if refused:
                        raise next(iter(refused.values()))
                    return (until - now).total_seconds()
                case Publish(bundle):
                    self._publish(world, bundle, refused)
                case Write() as write:
                    self._write(content, write)
        return 1.0  # never seen: a step that changes nothing would turn here

    def _not_ours(self, content: Content) -> Finding | None:
        if not self._desk.makes_certificates:
            mode = self._desk.settings.certificates_mode
            return Finding(Reason.SOMEONE_ELSES, f"certificates.mode is {mode}: it is not touched", Verdict.LEAVE)
        return self._desk.foreign(content, adopt=True)

    def _look(self, state: State, refused: dict[str, ForbiddenError]) -> _World:
        desk = self._desk
        found = consumers.look(desk.client, desk.own, refused)
        for one in found:
            if one.elsewhere:
                message = f"its Service lies in namespace {one.elsewhere}: another installation's, it is not touched"
                desk.teller.tell(one.which, "LeftAlone", message)
        waiting = len(truststore.split_pem(state.bundle)) > 1
        trusting = tuple(item for one in found for item in one.consumers(str(one.which) not in refused))
        return _World(found, Seen(trusting, self._shown() if waiting else None))

    def _publish(self, world: _World, bundle: bytes, refused: dict[str, ForbiddenError]) -> None:
        desk = self._desk
        for one in world.configurations:
            if one.why_not or not one.bundles or str(one.which) in refused:
                continue
            try:
                if consumers.publish(desk.client, one, bundle):
                    desk.context.metrics.ca_bundles_written.labels("written").inc()
            except ForbiddenError as error:
                desk.context.metrics.ca_bundles_written.labels("forbidden").inc()
                refused[str(one.which)] = error

    def _write(self, content: Content, write: Write) -> None:
        desk, state = self._desk, write.state
        data = {
            CA: state.bundle,
            CERTIFICATE: state.leaf.certificate,
            KEY: state.leaf.key,
            SIGNER: state.authority.certificate,
            SIGNER_KEY: state.authority.key,
        }
        notes = {PUBLISHED: str(state.published)} if state.published else {}
        desk.write(content, desk.own, WEBHOOK, data, annotations=notes, gone=() if notes else (PUBLISHED,))
        if write.certificate is not None:
            desk.issued(write.certificate, write.finding.reason)
            desk.teller.tell(
                which(desk.own, WEBHOOK), "CertificateIssued", f"{write.certificate}: {write.finding.message}", "Normal"
            )

    def _watch(self, content: Content, why: Finding) -> float:
        """Look at a certificate that somebody else makes: its end, and whether the configurations trust it."""
        desk = self._desk
        about, pair = which(desk.own, WEBHOOK), content.pair(CERTIFICATE, KEY)
        found = hands_off(inspect(Case(pair, desk.now(), self._names())), "somebody else")
        ends = _end(pair.certificate)
        desk.teller.expiry(Certificate.WEBHOOK, ends)
        if desk.makes_certificates:
            desk.teller.left_alone(about, why)
        if found.reason not in (Reason.GOOD, Reason.DUE):
            desk.teller.tell(about, "CertificateNotGood", found.message)
        elif ends is not None:
            refused: dict[str, ForbiddenError] = {}
            for one in consumers.look(desk.client, desk.own, refused):
                if str(one.which) not in refused and not all(
                    _believed(pair.certificate, bundle) for bundle in one.bundles.values()
                ):
                    message = "its CA bundle does not trust the operator's certificate, and it is not ours to write"
                    desk.teller.tell(one.which, "CertificateNotTrusted", message)
            if refused:
                raise next(iter(refused.values()))
        return 600.0

    def _note(self, state: State) -> None:
        self._desk.teller.expiry(Certificate.WEBHOOK_CA, _end(state.authority.certificate))
        self._desk.teller.expiry(Certificate.WEBHOOK, _end(state.leaf.certificate))

    def _names(self) -> tuple[str, ...]:
        host = self._desk.settings.webhook_host
        names = service_names(OPERATOR, self._desk.own)
        return names if host in _WILDCARDS else (*names, host)


def state_of(content: Content) -> State:
    """Return the state of rotation that the Secret holds."""
    return State(
        content.pair(SIGNER, SIGNER_KEY),
        content.pair(CERTIFICATE, KEY),
        content.data.get(CA, b""),
        rotation.Published.read(content.note(PUBLISHED)),
    )


def _believed(certificate: bytes, bundle: bytes) -> bool:
    chain, trusted = truststore.split_pem(certificate), tuple(truststore.split_pem(bundle))
    try:
        return any(signer(pem, trusted) is not None for pem in chain) or chain[0] in trusted
    except ValueError:
        return False


def _end(certificate: bytes) -> datetime | None:
    try:
        return x509.summary(certificate).not_after
    except ValueError:
        return None
