"""What is ours in a webhook configuration; replicas asked for their certificate; public roots; pods by name."""

from __future__ import annotations

import base64
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from speedscale_controller.certificates import Entropy, issuing
from speedscale_controller.identity import consumers, pods, public, replicas
from speedscale_controller.identity.pods import Pod
from speedscale_kube import Ref
from speedscale_schemas.errors import PermanentError

T0 = datetime.now(UTC)
WHICH = Ref("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "speedscale-operator")


def webhook(
    name: str = "a", namespace: str | None = "own", bundle: bytes | None = b"CA", **more: Any
) -> dict[str, Any]:
    config: dict[str, Any] = {} if namespace is None else {"service": {"name": "x", "namespace": namespace}}
    if bundle is not None:
        config["caBundle"] = base64.b64encode(bundle).decode()
    return {"name": name, "clientConfig": {**config, **more}}


@pytest.mark.parametrize(
    ("webhooks", "bundles", "elsewhere"),
    [
        ([webhook()], {"a": b"CA"}, ""),
        ([webhook(bundle=None)], {"a": b""}, ""),
        ([webhook(caBundle="?")], {"a": b""}, ""),
        ([webhook(namespace=None, url="https://127.0.0.1:1/")], {"a": b"CA"}, ""),
        ([webhook(namespace="other")], {}, "other"),
        ([webhook(), webhook("b", "other")], {"a": b"CA"}, "other"),
        (None, {}, ""),
    ],
)
def test_whose_webhooks_they_are(webhooks: Any, bundles: dict[str, bytes], elsewhere: str) -> None:
    found = consumers.read(WHICH, {"metadata": {}, "webhooks": webhooks}, "own")
    assert (dict(found.bundles), found.elsewhere, found.why_not) == (bundles, elsewhere, "")


def test_what_is_injected_is_not_writable() -> None:
    notes = {"cert-manager.io/inject-ca-from": "x/y"}
    found = consumers.read(WHICH, {"metadata": {"annotations": notes}, "webhooks": [webhook()]}, "own")
    assert [one.writable for one in found.consumers(True)] == [False]
    assert "inject-ca-from" in found.why_not


class Pods:
    """A client that lists these pods."""

    def __init__(self, *statuses: dict[str, str]) -> None:
        self._statuses = statuses

    def list(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return [{"status": status} for status in self._statuses]


def leaf_of(host: str, port: int) -> bytes:
    if host == "silent":
        raise OSError("nobody there")
    return f"{host}:{port}".encode()


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        ([{"podIP": "a"}, {"podIP": "b"}], (b"a:9443", b"b:9443")),
        ([{"podIP": "a"}, {"podIP": "c", "phase": "Succeeded"}], (b"a:9443",)),
        ([{"podIP": "a"}, {}], None),
        ([{"podIP": "a"}, {"podIP": "silent"}], None),
        ([], None),
        ([{"podIP": "a"}] * (replicas.LIMIT + 1), None),
    ],
)
def test_replicas_are_all_asked_or_nothing_is_known(statuses: list[dict[str, str]], shown: replicas.Shown) -> None:
    assert replicas.shown(Pods(*statuses), "own", 9443, leaf_of) == shown  # type: ignore[arg-type]


@pytest.mark.integration
def test_a_server_is_asked_by_a_handshake(tmp_path: Path) -> None:
    ca = issuing.authority("Test", T0, Entropy())
    pair = issuing.leaf(ca, ["127.0.0.1"], T0, Entropy())
    (tmp_path / "pair").write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair")
    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        shown = replicas.leaf_at("127.0.0.1", server.getsockname()[1])
        thread.join()
    assert shown.split() == pair.certificate.split()


def test_public_roots_come_from_the_first_place_that_has_any(tmp_path: Path) -> None:
    one = issuing.authority("One", T0, Entropy()).certificate
    (tmp_path / "empty").write_bytes(b"nothing")
    (tmp_path / "some").write_bytes(b"# a comment\n" + one + one)
    assert public.roots((tmp_path / "absent", tmp_path / "empty", tmp_path / "some")) == one
    assert public.roots((tmp_path / "absent",)).count(b"BEGIN CERTIFICATE") > 50  # certifi's


def test_more_public_roots_than_a_secret_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some").write_bytes(issuing.authority("One", T0, Entropy()).certificate)
    monkeypatch.setattr(public, "MAX_BYTES", 10)
    with pytest.raises(PermanentError, match="PublicRootsTooLarge"):
        public.roots((tmp_path / "some",))


def test_long_lists_of_pods_are_cut() -> None:
    found = [Pod(f"p{number}", T0 + timedelta(seconds=number)) for number in range(12)]
    assert pods.named(found[:2]) == "p0, p1"
    assert pods.named(found).endswith("p9 and 2 more")
    assert pods.oldest(found) == T0
    assert pods.oldest([]) is None
