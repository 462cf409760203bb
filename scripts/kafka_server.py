"""A Kafka broker for the exporters' tests: one node, one topic, and a listener with TLS and logins where asked.

    with Kafka(folder) as server:
        server.broker               # where clients begin
        server.messages()           # all that the topic holds

`secure` set before `start` opens `secure_broker` beside the plain listener, which stays for looking at what arrived.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import go_tools
import jars
from export_servers import START_S, Server, free_port

TOPIC = "rrpairs"
USER, PASSWORD = "forwarder", "forwarder-secret"
_CLUSTER_ID = "c3BlZWRzY2FsZS10ZXN0cw"  # a UUID in base64, as the broker wants it
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True)
class Secure:
    """A listener with TLS: PEM files of its certificate and key, the login it wants (empty: none), and by whom the
    certificates of clients have to be signed (None: they need none)."""

    certificate: Path
    key: Path
    mechanism: str = ""
    clients: Path | None = None


class Kafka(Server):
    """A broker with one topic of three partitions."""

    advertised = 0
    """A port in front of the broker's own that clients are told; 0: its own."""

    secure: Secure | None = None

    @classmethod
    def find(cls, build: bool) -> Path:
        if shutil.which("java") is None:
            raise go_tools.ToolMissing("a Kafka broker needs Java 17, and there is no java on PATH")
        found = jars.ensure("kafka") if build else jars.find("kafka")
        if found is None:
            raise go_tools.ToolMissing(
                'the archives of Kafka are not there; CI=true fetches them, or python -c "import jars;'
                " jars.ensure('kafka')\" in scripts/"
            )
        return found

    def prepare(self) -> None:
        self.controller, self.secure_port = free_port(), free_port()

    @property
    def broker(self) -> str:
        return f"127.0.0.1:{self.advertised or self.port}"

    @property
    def secure_broker(self) -> str:
        return f"127.0.0.1:{self.secure_port}"

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        config = self.folder / "server.properties"
        fresh = not (self.folder / "data").exists()
        config.write_text("".join(f"{name}={value}\n" for name, value in self._settings()))
        java = ["java", "-Xmx256m", "-cp", f"{self.find(False)}/*"]
        if fresh:
            users = []
            if self.secure is not None and self.secure.mechanism.startswith("SCRAM"):
                users = ["--add-scram", f"{self.secure.mechanism}=[name={USER},password={PASSWORD}]"]
            subprocess.run(
                [*java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(config), *users],
                check=True,
                capture_output=True,
            )
        return [*java, "kafka.Kafka", str(config)], {}

    def configure(self, kind: str, name: str, **settings: object) -> None:
        """Set dynamic settings of an entity: a topic's, or the quotas of the clients of an id (`kind` clients)."""
        told = ",".join(f"{key.replace('__', '.')}={value}" for key, value in settings.items())
        java = ["java", "-Xmx128m", "-cp", f"{self.find(False)}/*", "kafka.admin.ConfigCommand"]
        where = ["--bootstrap-server", f"127.0.0.1:{self.port}", "--entity-type", kind, "--entity-name", name]
        subprocess.run([*java, *where, "--alter", "--add-config", told], check=True, capture_output=True)

    def messages(self) -> list[Any]:
        """Return all messages of the topic."""
        return asyncio.run(asyncio.wait_for(self._consume(), START_S))

    def uuids(self) -> list[str]:
        return [str(json.loads(message.value)["uuid"]) for message in self.messages()]

    def _settings(self) -> Iterator[tuple[str, object]]:
        listeners = {"PLAINTEXT": ("PLAINTEXT", self.port, self.broker)}
        if self.secure is not None:
            protocol = "SASL_SSL" if self.secure.mechanism else "SSL"
            listeners["CLIENTS"] = (protocol, self.secure_port, self.secure_broker)
        own = f"CONTROLLER://127.0.0.1:{self.controller}"
        yield "process.roles", "broker,controller"
        yield "node.id", 1
        yield "controller.quorum.voters", f"1@127.0.0.1:{self.controller}"
        yield "listeners", ",".join([*(f"{n}://127.0.0.1:{port}" for n, (_, port, _) in listeners.items()), own])
        yield "advertised.listeners", ",".join(f"{n}://{told}" for n, (_, _, told) in listeners.items())
        yield "inter.broker.listener.name", "PLAINTEXT"
        yield "controller.listener.names", "CONTROLLER"
        protocols = [f"{n}:{protocol}" for n, (protocol, _, _) in listeners.items()]
        yield "listener.security.protocol.map", ",".join([*protocols, "CONTROLLER:PLAINTEXT"])
        yield "log.dirs", self.folder / "data"
        yield "num.partitions", 3
        yield "auto.create.topics.enable", "true"
        yield "offsets.topic.replication.factor", 1
        yield "transaction.state.log.replication.factor", 1
        yield "transaction.state.log.min.isr", 1
        yield "group.initial.rebalance.delay.ms", 0
        if self.secure is not None:
            yield from self._secured(self.secure)

    def _secured(self, secure: Secure) -> Iterator[tuple[str, object]]:
        store = self.folder / "broker.pem"
        store.write_bytes(secure.key.read_bytes() + secure.certificate.read_bytes())
        place = "listener.name.clients"
        yield f"{place}.ssl.keystore.type", "PEM"
        yield f"{place}.ssl.keystore.location", store
        if secure.clients is not None:
            yield f"{place}.ssl.client.auth", "required"
            yield f"{place}.ssl.truststore.type", "PEM"
            yield f"{place}.ssl.truststore.location", secure.clients
        if secure.mechanism:
            yield f"{place}.sasl.enabled.mechanisms", secure.mechanism
            login = f'{_PLAIN} required user_{USER}="{PASSWORD}";'
            login = f"{_SCRAM} required;" if secure.mechanism.startswith("SCRAM") else login
            yield f"{place}.{secure.mechanism.lower()}.sasl.jaas.config", login

    async def _consume(self) -> list[Any]:
        from aiokafka import AIOKafkaConsumer

        consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=f"127.0.0.1:{self.port}", auto_offset_reset="earliest")
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[Any] = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()
