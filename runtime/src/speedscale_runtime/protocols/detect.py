"""Tell the protocol of a connection from the first bytes of either side."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """What a connection speaks; fit for a metric's label."""

    HTTP1 = "http/1"
    HTTP2 = "h2"
    TLS = "tls"
    POSTGRES = "postgres"
    MYSQL = "mysql"
    MONGODB = "mongodb"
    REDIS = "redis"
    KAFKA = "kafka"
    AMQP = "amqp"
    OPAQUE = "opaque"


class Detector:
    """First bytes of either side → `protocol`, None while undecided. Never wants to wait for anything."""

    def __init__(self) -> None:
        self.protocol: Protocol | None = None

    def feed_client(self, data: bytes) -> Protocol | None:
        """Take bytes of the client; return the protocol once known."""
        raise NotImplementedError

    def feed_server(self, data: bytes) -> Protocol | None:
        """Take bytes of the server; return the protocol once known."""
        raise NotImplementedError
