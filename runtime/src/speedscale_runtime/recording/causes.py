"""Why something was not captured, or not looked into: the one list of reasons, fit for a metric's label.

Used by every module of the proxy, and by nettap for pairs and batches. Standard library only, because the proxy's
supervisor imports it. Adding a reason means
adding it here; ledger and metrics follow.
"""

from __future__ import annotations

from enum import StrEnum


class Drop(StrEnum):
    """Why an exchange (or a connection's record) that was seen did not reach the forwarder."""

    QUEUE_FULL = "queue_full"  # memory queue at its bound, spilling off
    SPILL_FULL = "spill_full"  # memory queue and spill file at their bounds
    SPILL_ERROR = "spill_error"  # the spill file could not be written or read
    PARSE_ERROR = "parse_error"  # a request was begun that then could not be understood
    CLIENT_GONE = "client_gone"  # the client left before an answer began
    SERVER_GONE = "server_gone"  # the server left before an answer began
    BODY_INCOMPLETE = "body_incomplete"  # the connection ended within a request body
    GAP = "gap"  # bytes of it were not seen, and no answer could be paired with it (nettap)
    TOO_LARGE = "too_large"  # a head over the frame format's limit
    FORWARDER_REJECTED = "forwarder_rejected"  # the forwarder said that the batch is malformed
    WORKER_DIED = "worker_died"  # the worker ended with the pair in memory
    SHUTDOWN = "shutdown"  # not taken by the forwarder before the time to flush was over
    INTERNAL = "internal"  # a fault of ours


class Opaque(StrEnum):
    """Why a connection was passed on without its contents being recorded."""

    NOT_HTTP = "not_http"  # another protocol; recorded with byte counts
    PARSE_ERROR = "parse_error"  # began as HTTP, then could not be understood
    UPGRADED = "upgraded"  # WebSocket or another upgrade: the handshake is recorded, then bytes counted
    UPSTREAM_UNVERIFIED = "upstream_unverified"  # the server's chain does not verify
    UPSTREAM_TLS_FAILED = "upstream_tls_failed"  # the TLS handshake with the server failed
    CLIENT_CERTIFICATE = "client_certificate"  # the server asks for a client certificate that we do not have
    CLIENT_REJECTS = "client_rejects"  # an earlier client refused our certificate for this name
    NO_HTTP1_ALPN = "no_http1_alpn"  # the client offers other protocols only (HTTP/2)
    BAD_CLIENT_HELLO = "bad_client_hello"  # looked like TLS but is none
    AUTHORITY_MISSING = "authority_missing"  # no usable CA in TLS_CERT_DIR (yet)
    KEY_MISSING = "key_missing"  # inbound: the workload's key pair cannot be used (yet)
    KUBERNETES_API = "kubernetes_api"  # TLS to the Kubernetes API, and KUBE_API_SUPPORT is off
    TLS_NOT_INTERCEPTED = "tls_not_intercepted"  # TLS, and interception is off
    INTERNAL = "internal"  # a fault of ours


class Refuse(StrEnum):
    """Why a client got no connection to its destination."""

    CONNECT_FAILED = "connect_failed"
    BAD_PREAMBLE = "bad_preamble"
    NO_TARGET = "no_target"
    LOOP = "loop"  # the destination is this proxy itself


class Send(StrEnum):
    """What became of an attempt to send a batch."""

    ACKNOWLEDGED = "acknowledged"
    SLOWED_DOWN = "slowed_down"  # 429 or 503
    REJECTED = "rejected"  # 400, 413
    UNAUTHORIZED = "unauthorized"  # 401, 403
    NO_CREDENTIALS = "no_credentials"  # not tried: the forwarder's CA or our token is not there (yet)
    FAILED = "failed"  # no connection, no or a strange answer


class Side(StrEnum):
    """Which listener: inbound (to the application) or outbound (from it)."""

    IN = "in"
    OUT = "out"
