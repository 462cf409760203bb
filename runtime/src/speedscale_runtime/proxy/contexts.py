"""What TLS interception needs on both sides, from files that may come late and change: certificates, keys, roots.

Held by `tls_memory`, used by `tls_intercept`. Outbound, the client gets a leaf of our CA and the server is verified
as the application would do it: the system's roots, ours (the application's trust bundle has it), and what the
settings add. Inbound, the client gets the workload's own certificate; the application in the same pod is not
verified, because the address it listens on in the pod's own network is all that names it.

`cryptography` (20 MB) is loaded with the CA, for outbound interception only.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from speedscale_runtime.protocols.clienthello import ClientHello
from speedscale_runtime.recording.causes import Opaque
from speedscale_runtime.telemetry.watched import Watched
from speedscale_runtime.tls.keypair import load_chain, watched_pair
from speedscale_runtime.tls.roots import client_context

from .config import Settings

if TYPE_CHECKING:
    from speedscale_runtime.tls.authority import Authority

HTTP1 = b"http/1.1"
KUBE_ROOTS = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

log = structlog.get_logger()


class Contexts(ABC):
    """One direction's contexts."""

    @abstractmethod
    def why_not(self, target: tuple[str, int], hello: ClientHello) -> Opaque | None:
        """Return why a connection cannot be intercepted now, None when it can."""

    @abstractmethod
    def towards_server(self, hello: ClientHello) -> ssl.SSLContext:
        """Return the context for our connection to the server; ALPN as the client used it or not."""

    @abstractmethod
    def towards_client(self, name: str) -> ssl.SSLContext:
        """Return the context with what the client is shown; PeerError when `name` is no name for a certificate."""

    def may_be_asked(self, target: tuple[str, int]) -> bool:
        """Whether to go on with a server that asks for a client certificate."""
        return False


class Outward(Contexts):
    """From the application to its dependencies."""

    def __init__(self, settings: Settings, kube_roots: str = KUBE_ROOTS) -> None:
        """With a CA of our own: load or make it; ConfigError when that fails."""
        self._settings = settings
        self._authority = self._watch_authority(settings)
        self._client_pair: Watched[bytes] | None = None
        if settings.tls_mutual_certificate:
            self._client_pair = watched_pair(settings.tls_mutual_certificate, settings.tls_mutual_key)
        roots = [settings.tls_out_ca_file]
        if settings.tls_cert_dir:
            roots.append(str(Path(settings.tls_cert_dir) / "ca.crt"))
        if settings.kube_api_support:
            roots.append(kube_roots)
        self._roots = [Watched(path, _pem_text) for path in roots if path]
        self._made: dict[bool, ssl.SSLContext] = {}
        self._made_of: tuple[int, ...] = ()

    @staticmethod
    def _watch_authority(settings: Settings) -> Watched[Authority]:
        from speedscale_runtime.tls.authority import Authority

        if not settings.tls_cert_dir:
            home = Path(settings.tls_home)
            Authority.load_or_create(home)
            return Watched(home / "certs" / "tls.crt", lambda _: Authority.load_or_create(home))
        folder = Path(settings.tls_cert_dir)
        return Watched(folder / "tls.crt", lambda _: Authority.load(folder, folder), beside=(folder / "tls.key",))

    def why_not(self, target: tuple[str, int], hello: ClientHello) -> Opaque | None:
        """See `Contexts`."""
        if f"{target[0]}:{target[1]}" == self._settings.kube_api and not self._settings.kube_api_support:
            return Opaque.KUBERNETES_API
        if hello.alpn and HTTP1 not in hello.alpn:
            return Opaque.NO_HTTP1_ALPN
        return None if self._authority.get() is not None else Opaque.AUTHORITY_MISSING

    def towards_server(self, hello: ClientHello) -> ssl.SSLContext:
        """See `Contexts`; made anew when a file that it is made of changed."""
        files: list[Watched[Any]] = [*self._roots]
        if self._client_pair is not None:
            files.append(self._client_pair)
        contents = [file.get() for file in files]
        generations = tuple(file.generation for file in files)
        if generations != self._made_of:
            self._made, self._made_of = {}, generations
        alpn = bool(hello.alpn)
        if alpn not in self._made:
            context = client_context(alpn=("http/1.1",) if alpn else ())
            for text in contents[: len(self._roots)]:
                if text:
                    context.load_verify_locations(cadata=text)
            if self._client_pair is not None and contents[-1]:
                load_chain(context, contents[-1])
            _note_certificate_requests(context)
            self._made[alpn] = context
        return self._made[alpn]

    def towards_client(self, name: str) -> ssl.SSLContext:
        """See `Contexts`: a leaf for `name`, signed by our CA."""
        authority = self._authority.get()
        assert authority is not None  # `why_not` asked, and the last good one stays
        return authority.context_for(name)

    def may_be_asked(self, target: tuple[str, int]) -> bool:
        """See `Contexts`: with a certificate to show; and the Kubernetes API asks everybody and insists on nobody's."""
        if self._client_pair is not None and self._client_pair.get() is not None:
            return True
        return f"{target[0]}:{target[1]}" == self._settings.kube_api


class Inward(Contexts):
    """From the application's clients to the application."""

    def __init__(self, settings: Settings) -> None:
        self._pair = watched_pair(settings.tls_in_certificate, settings.tls_in_key)
        self._generation = 0
        self._shown: ssl.SSLContext | None = None
        self._to_application: dict[bool, ssl.SSLContext] = {}

    def why_not(self, target: tuple[str, int], hello: ClientHello) -> Opaque | None:
        """See `Contexts`."""
        if hello.alpn and HTTP1 not in hello.alpn:
            return Opaque.NO_HTTP1_ALPN
        return None if self._pair.get() is not None else Opaque.KEY_MISSING

    def towards_server(self, hello: ClientHello) -> ssl.SSLContext:
        """See `Contexts`."""
        alpn = bool(hello.alpn)
        if alpn not in self._to_application:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if alpn:
                context.set_alpn_protocols(["http/1.1"])
            _note_certificate_requests(context)
            self._to_application[alpn] = context
        return self._to_application[alpn]

    def towards_client(self, name: str) -> ssl.SSLContext:
        """See `Contexts`: the workload's own certificate, whatever the name."""
        pem = self._pair.get()
        assert pem is not None  # `why_not` asked, and the last good one stays
        if self._shown is None or self._generation != self._pair.generation:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            load_chain(context, pem)
            self._shown, self._generation = context, self._pair.generation
        return self._shown


def _pem_text(path: Path) -> str:
    text = path.read_text("ascii")
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)  # SSLError is an OSError
    return text


_CERTIFICATE_REQUEST = 13  # RFC 8446 section 4.3.2, RFC 5246 section 7.4.4


def _note_certificate_requests(context: ssl.SSLContext) -> None:
    """Mark each connection whose server asks for a client certificate (`was_asked`).

    In TLS 1.3 a server says only after the handshake that it does not do without; by then the application's
    connection cannot be passed on untouched any more. The hook is one that CPython has for its own debugging; where
    it is not, such a connection is lost once, and the next ones are passed on.
    """

    def on_message(connection: Any, direction: str, version: Any, content: Any, kind: Any, data: bytes) -> None:
        if kind == _CERTIFICATE_REQUEST and direction == "read":
            connection.asked_for_certificate = True

    if hasattr(ssl.SSLContext, "_msg_callback"):
        setattr(context, "_msg_callback", on_message)  # noqa: B010


def was_asked(connection: Any) -> bool:
    """Whether the server asked for a client certificate in this handshake."""
    return bool(getattr(connection, "asked_for_certificate", False))
