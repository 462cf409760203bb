"""A Java application that calls a server of a private authority over TLS: recorded in plain text, redacted, unharmed.

The authority is named once, in `sidecar.extraRoots`. The application is given our trust store by JAVA_TOOL_OPTIONS and
knows no other; the control is a server of an authority that nobody named.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pods
import pytest
import shop as shops
from harness.certificates import Authority
from shop import CAPTURED, Shop, opened
from whole import NAMESPACE, Whole

from speedscale_kube import Object, Ref

ROOTS = "company-roots"
PREFIX = "speedscale_goproxy_"
EMAIL, CARD = "ada.lovelace@mail.example.net", "4111111111111111"
ORDER = {"customer": "ada", "reference": "r1", "items": [{"product": "tea", "quantity": 1}]}
CUSTOMER = {
    "name": "Ada Example",
    "email": EMAIL,
    "phone": "+44 20 7946 0958",
    "address": {"street": "12 St James Square", "city": "London"},
    "card": {"number": CARD, "expires": "12/30"},
}
TLS_OUT = {
    **CAPTURED,
    "sidecar.speedscale.com/tls-out": "true",
    "sidecar.speedscale.com/tls-java-tool-options": "true",
}


def payments(shop: Shop, name: str, authority: Authority) -> None:
    """Deploy what orders are paid by, with a certificate of `authority`."""
    kube, namespace = shop.whole.kube, shop.namespace
    pair = authority.issue(name, name, hosts=[f"{name}.{namespace}.svc"])
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": name},
            "stringData": {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()},
        },
        pods.MANAGER,
    )
    environment = {"ROLE": "payments", "TLS_CERT_FILE": "/tls/tls.crt", "TLS_KEY_FILE": "/tls/tls.key"}
    mounts = [{"name": "tls", "mountPath": "/tls"}]
    volumes = [{"name": "tls", "secret": {"secretName": name, "defaultMode": 0o440}}]
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTPS"}, "periodSeconds": 1}
    container = {"readinessProbe": probe}
    shop.deploy(shops.deployment(namespace, name, environment, mounts=mounts, volumes=volumes, container=container))
    service = pods.service(namespace, name)
    service["spec"]["ports"][0]["port"] = 443
    kube.apply(service, pods.MANAGER)


def ask(shop: Shop, method: str, path: str, body: object) -> tuple[int, Object]:
    """Send JSON to the captured server; return status and answer."""
    script = (
        f"curl -s -m 20 -X {method} -H 'Content-Type: application/json' -d @- -w '\\n%{{http_code}}' {shop.url}{path}"
    )
    said = shop.whole.node.exec(shop.namespace, "load", "sh", "-c", script, stdin=json.dumps(body))
    text, _, code = said.rpartition("\n")
    return int(code), json.loads(text)


@pytest.fixture(scope="module")
def company(installed: Whole, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority which the installation is told of: by a value, and a ConfigMap that comes later."""
    made = Authority(tmp_path_factory.mktemp("company"), "company")
    installed.upgrade("Roots of our own servers", f"sidecar: {{extraRoots: {ROOTS}}}\n")
    roots = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ROOTS, "namespace": NAMESPACE}}
    installed.kube.apply({**roots, "data": {"company.pem": made.pair.certificate.read_text()}}, pods.MANAGER)
    return made


@pytest.fixture(scope="module")
def shop(installed: Whole, company: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A captured Java server whose orders are paid over TLS, by a server of the company's authority."""
    folder, namespace = tmp_path_factory.mktemp("load"), "java-tls"
    environment = {"DEPENDENCY_URL": f"https://payments.{namespace}.svc"}

    def paid(shop: Shop) -> None:
        payments(shop, "payments", company)

    with opened(installed, folder, namespace, "buyer", paid, environment=environment, annotations=TLS_OUT) as made:
        yield made
    installed.kube.delete(Ref("v1", "ConfigMap", NAMESPACE, ROOTS))


def test_the_application_trusts_by_our_store(shop: Shop) -> None:
    pod = shop.pod()
    (container,) = (one for one in pod["spec"]["containers"] if one["name"] == shop.name)
    options = {one["name"]: one.get("value", "") for one in container["env"]}["JAVA_TOOL_OPTIONS"]
    assert "-Djavax.net.ssl.trustStore=" in options
    assert options in shop.whole.node.logs(shop.namespace, pod["metadata"]["name"], shop.name), "the JVM took them"


def test_orders_are_paid_and_the_call_is_recorded_in_plain_text_and_redacted(shop: Shop) -> None:
    assert ask(shop, "PUT", "/api/customers/ada", CUSTOMER)[0] == 201
    code, order = ask(shop, "POST", "/api/orders", ORDER)
    assert (code, order["customer"]) == (201, "ada"), order
    counts = shop.settled()
    assert counts[f'{PREFIX}connections_opaque_total{{cause="upstream_unverified"}}'] == 0
    assert counts[f"{PREFIX}certificates_rejected_total"] == 0

    charges = "(location%20CONTAINS%20%22/v1/charges%22)"
    shop.whole.until(lambda: bool(shop.stored(filter=charges, direction="OUT")), "the call is at the backend")
    for found in shop.stored(filter=charges, direction="OUT"):
        text = json.dumps(shop.whole.cloud(f"/v1/rrpairs/{urllib.parse.quote(found['uuid'], safe='')}"))
        assert f"payments.{shop.namespace}.svc" in text
        assert "REDACTED-" in text
        assert [value for value in (EMAIL, CARD) if value in text] == []


def test_a_server_of_an_unknown_authority_is_called_as_without_us(shop: Shop, tmp_path: Path) -> None:
    payments(shop, "strangers", Authority(tmp_path, "strangers"))
    before = shop.counts()[f'{PREFIX}connections_opaque_total{{cause="upstream_unverified"}}']
    environment = {"DEPENDENCY_URL": f"https://strangers.{shop.namespace}.svc"}
    stranger = Shop(shop.whole, shop.namespace, "trusting", environment=environment, annotations=TLS_OUT)
    shop.deploy(shops.deployment(shop.namespace, stranger.name, environment, annotations=TLS_OUT))
    shop.whole.kube.apply(pods.service(shop.namespace, stranger.name), pods.MANAGER)
    pods.until_reached(shop.whole.node, shop.namespace, "load", f"{stranger.url}/api/products")
    assert ask(stranger, "PUT", "/api/customers/ada", CUSTOMER)[0] == 201
    code, answer = ask(stranger, "POST", "/api/orders", ORDER)
    assert (code, answer["reason"]) == (502, "dependency_not_trusted"), "the JVM decides, by the server's own chain"
    assert stranger.counts()[f'{PREFIX}connections_opaque_total{{cause="upstream_unverified"}}'] == 1
    assert before == 0
