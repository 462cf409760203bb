"""The certificate authority of this process: CA on disk, server contexts with a leaf per name, trust bundles.

Used by the proxy and the responder (a context per SNI) and by speedctl (files, environment). Leaves live one hour,
are minted in about a millisecond because all share one key, and are minted anew before they expire. The CA's
private key stays in this process and in its file; it is in no bundle and no log.

The directory of the CA may hold what speedctl made (`<home>/certs`), or a mounted Secret with a namespace's
intermediate: `tls.crt` (the signer first, then its chain), `tls.key`, and `ca.crt` when the root is not among them.
"""

from __future__ import annotations

import secrets
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from speedscale_schemas import truststore, x509
from speedscale_schemas.errors import ConfigError, PeerError

from . import storage
from .keypair import load_chain
from .roots import client_context, public_roots

__all__ = ["Authority", "client_context"]

LEAF_LIFE_S = 3600
REFRESH_BEFORE_S = 600  # a context is handed out only while its leaf has this long to live
SKEW_S = 300  # leaves begin in the past, for clients whose clocks are behind
CONTEXTS_MAX = 256


class Authority:
    """A CA that mints leaves; make it with `load_or_create` or `load`.

    At most `contexts_max` contexts are kept; the one unused for longest goes first. `minted` and `evicted` count,
    for the owner's metrics. `clock` is seconds since the epoch. Safe to use from several threads.
    """

    def __init__(
        self,
        certificate: bytes,
        key: bytes,
        *,
        directory: Path,
        work: Path,
        contexts_max: int = CONTEXTS_MAX,
        clock: Callable[[], float] = time.time,
    ) -> None:
        where = directory / "tls.crt"
        try:
            self._issuer = x509.Issuer(certificate, key)
            self.summary = x509.summary(certificate)
        except ValueError as error:
            raise ConfigError([f"{where}: {error}; for a new local CA: speedctl certs --force"]) from error
        self._clock, self._contexts_max = clock, contexts_max
        if problems := x509.check(certificate, self._now(), ca=True):
            raise ConfigError([f"{where}: {p}; for a new local CA: speedctl certs --force" for p in problems])
        chain = truststore.split_pem(certificate)
        # A root is not sent: whoever does not have it would not trust it either (RFC 8446 section 4.4.2).
        self._sent = b"".join(pem for pem in chain if not _self_signed(pem))
        self._root = _root(chain, directory / "ca.crt")
        self._directory, self._work = directory, work
        self._leaf_key = x509.new_key()
        self._leaf_public = x509.public_key(self._leaf_key)
        self._contexts: OrderedDict[str, tuple[float, ssl.SSLContext]] = OrderedDict()
        self._lock = threading.Lock()
        self.minted = 0
        self.evicted = 0

    @classmethod
    def load_or_create(cls, home: Path, *, clock: Callable[[], float] = time.time) -> Authority:
        """Load the CA in `home`/certs, or make it; safe for processes that start at once. ConfigError."""
        directory = home / "certs"
        pair = storage.load_or_create(directory / "tls.crt", directory / "tls.key", clock=clock)
        return cls(*pair, directory=directory, work=directory, clock=clock)

    @classmethod
    def create(cls, home: Path, *, clock: Callable[[], float] = time.time) -> Authority:
        """Make a new CA in `home`/certs in place of the old one: what trusted the old one must be told."""
        directory = home / "certs"
        pair = storage.create(directory / "tls.crt", directory / "tls.key", clock=clock)
        return cls(*pair, directory=directory, work=directory, clock=clock)

    @classmethod
    def load(cls, directory: Path, work: Path, *, clock: Callable[[], float] = time.time) -> Authority:
        """Load a CA that was made elsewhere, say a mounted Secret; bundles go to `work`. ConfigError."""
        try:
            pair = (directory / "tls.crt").read_bytes(), (directory / "tls.key").read_bytes()
        except OSError as error:
            raise ConfigError([f"{error.filename}: cannot be read ({error.strerror})"]) from error
        return cls(*pair, directory=directory, work=work, clock=clock)

    def context_for(self, sni: str) -> ssl.SSLContext:
        """Return a server context whose leaf is valid for a DNS name or IP address; ALPN http/1.1.

        PeerError `bad_server_name` when it is neither.
        """
        name = sni.strip("[]").rstrip(".").lower()
        with self._lock:
            cached = self._contexts.get(name)
            now = self._clock()
            if cached is not None and now < cached[0]:
                self._contexts.move_to_end(name)
                return cached[1]
            expires, pem = self._mint(name)
            context = self._context(pem)
            self._contexts[name] = (max(now, expires - REFRESH_BEFORE_S), context)
            self._contexts.move_to_end(name)
            if len(self._contexts) > self._contexts_max:
                self._contexts.popitem(last=False)
                self.evicted += 1
            return context

    @property
    def certificate_path(self) -> Path:
        """The file with the root alone, PEM: what applications that add to their roots are given."""
        given = self._directory / "tls.crt"
        if self._issuer.self_signed and self._work == self._directory:
            return given
        path = self._work / "root.crt"
        _update(path, self._root)
        return path

    @property
    def bundle_path(self) -> Path:
        """The file with the public roots and ours, PEM, brought up to date first."""
        path = self._work / "ca-bundle.crt"
        _update(path, b"".join(self._bundle(path)))
        return path

    def java_trust_store(self) -> Path:
        """The file with the public roots and ours as JKS, password `changeit`, brought up to date first."""
        path = self._work / "cacerts.jks"
        entries = {f"public-{number:04}": pem for number, pem in enumerate(self._bundle(self.bundle_path)[1:])}
        entries["speedscale"] = self._root
        ders = {alias: truststore.pem_to_der(pem) for alias, pem in entries.items()}
        _update(path, truststore.java_trust_store(ders, self.summary.not_before))
        return path

    def _bundle(self, path: Path) -> list[bytes]:
        """Ours first, then each public root once; ours of earlier days are not among the public ones."""
        public = truststore.split_pem(public_roots(ours=path))
        return list(dict.fromkeys([self._root, *public]))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)

    def _mint(self, name: str) -> tuple[float, bytes]:
        """Return when a new leaf for `name` expires, and its chain in PEM."""
        now, ca = self._now(), self._issuer.validity
        until = min(now + timedelta(seconds=LEAF_LIFE_S), ca.not_after)
        try:
            validity = x509.Validity(max(now - timedelta(seconds=SKEW_S), ca.not_before), until)
            serial = x509.serial_from(secrets.token_bytes(20))
            leaf = self._issuer.leaf_for([name], self._leaf_public, validity, serial)
        except ValueError as error:
            raise PeerError("bad_server_name", str(error)) from error
        self.minted += 1
        return until.timestamp(), leaf + self._sent

    def _context(self, chain: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        load_chain(context, chain + self._leaf_key)
        return context


def _self_signed(pem: bytes) -> bool:
    facts = x509.summary(pem)
    return facts.subject == facts.issuer


def _root(chain: list[bytes], beside: Path) -> bytes:
    """The certificate to trust: of the chain, else of the file beside it, else the signer itself."""
    for pem in reversed(chain):
        if _self_signed(pem):
            return pem
    try:
        found = truststore.split_pem(beside.read_bytes())
    except OSError:
        found = []
    return found[0] if found else chain[0]


def _update(path: Path, data: bytes) -> None:
    """Write the file if it does not hold `data` already."""
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    storage.write_atomically(path, data, 0o644)
