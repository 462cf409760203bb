"""The cluster itself: what tests of the parts take for granted, each thing proved once."""

from __future__ import annotations

import base64
import functools
import os
import sys
from pathlib import Path

import pods
import pytest
from harness.certificates import Authority
from harness.node import places
from harness.node.cluster import Node, Outside

from speedscale_kube import Client, Object, Ref
from speedscale_schemas.errors import PermanentError

WEBHOOK = Path(__file__).with_name("webhook.py")


def test_the_node_is_ready_and_its_network_is_not_the_machines(node: Node, kube: Client) -> None:
    (one,) = kube.list("v1", "Node")
    conditions = {each["type"]: each["status"] for each in one["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert one["status"]["addresses"][0] == {"type": "InternalIP", "address": places.NODE_IP}
    assert places.PAUSE in node.images()
    assert "KUBE-SERVICES" in node.run_in("iptables-save")
    assert os.readlink("/proc/self/ns/net") != node.run_in("readlink", "/proc/self/ns/net").strip()


def test_services_are_reached_from_pods_from_the_pod_itself_and_from_the_node(
    node: Node, kube: Client, namespace: str, shell_image: str
) -> None:
    for name in ("one", "two"):
        kube.apply(pods.web(namespace, name, shell_image, f"of-{name}"), pods.MANAGER)
        kube.apply(pods.service(namespace, name), pods.MANAGER)
    for name in ("one", "two"):
        pods.until_ready(kube, namespace, name)
    for asker in ("one", "two"):
        for asked in ("one", "two"):  # a pod that asks its own Service is sent back by the bridge: a hairpin
            answer = pods.until_reached(node, namespace, asker, f"http://{asked}.{namespace}/")
            assert answer == f"of-{asked}", asker
    address = kube.get(Ref("v1", "Service", namespace, "two"))["spec"]["clusterIP"]
    assert node.run_in("curl", "-sS", "--max-time", "10", f"http://{address}/").strip() == "of-two"
    assert (
        node.run_in("curl", "-sS", "--max-time", "10", f"http://one.{namespace}.svc.cluster.local/").strip() == "of-one"
    )


def test_names_of_the_cluster_of_the_outside_and_of_nobody(
    node: Node, kube: Client, outside: Outside, namespace: str, shell_image: str
) -> None:
    kube.apply(pods.pod(namespace, "it", shell_image, "sleep 3600"), pods.MANAGER)
    pods.until_ready(kube, namespace, "it")
    ask = functools.partial(node.exec, namespace, "it", "sh", "-c")
    assert places.DNS_IP in ask("cat /etc/resolv.conf")
    assert "10.96.0.1" in ask("nslookup kubernetes.default.svc.cluster.local")
    assert outside.address in ask(f"nslookup {outside.name}")
    assert "NXDOMAIN" in ask("nslookup nobody.example.net || true")
    node.resolve("bank.example.net", outside.address)
    node.until(lambda: outside.address in ask("nslookup bank.example.net || true"), "the new name is known", 30)


def test_pods_reach_the_outside_by_the_nodes_address(
    node: Node, kube: Client, outside: Outside, namespace: str, shell_image: str, tmp_path: Path
) -> None:
    (tmp_path / "told").write_text("from outside", encoding="utf-8")
    server = outside.start(
        "web",
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "8000",
        "--bind",
        outside.address,
        "--directory",
        str(tmp_path),
    )
    server.wait(lambda: "Serving HTTP" in server.tail(), 30)
    kube.apply(pods.pod(namespace, "it", shell_image, "sleep 3600"), pods.MANAGER)
    pods.until_ready(kube, namespace, "it")
    answer = node.exec(namespace, "it", "curl", "-sS", "--max-time", "10", f"http://{outside.name}:8000/told")
    assert answer == "from outside"
    assert f"{places.NODE_IP} - - " in server.tail()
    server.stop()


def test_what_a_container_wrote_and_what_runs_in_it(node: Node, kube: Client, namespace: str, shell_image: str) -> None:
    script = "echo to-stdout; echo to-stderr >&2; [ -e /data/second ] || { touch /data/second; exit 3; }; sleep 3600"
    shared = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    made = pods.pod(namespace, "it", shell_image, script, container=shared, volumes=[{"name": "data", "emptyDir": {}}])
    kube.apply(made, pods.MANAGER)

    def again() -> bool:
        status = (kube.get(Ref("v1", "Pod", namespace, "it"))["status"].get("containerStatuses") or [{}])[0]
        return bool(status.get("restartCount") == 1 and status.get("state", {}).get("running"))

    node.until(again, "the container was started again")
    assert sorted(node.logs(namespace, "it").split()) == ["to-stderr", "to-stdout"]
    assert sorted(node.logs(namespace, "it", previous=True).split()) == ["to-stderr", "to-stdout"]
    assert node.exec(namespace, "it", "cat", stdin="there and back") == "there and back"
    with pytest.raises(AssertionError, match="no-such-file"):
        node.exec(namespace, "it", "cat", "/no-such-file")


def test_an_init_container_redirects_what_leaves_the_pod_to_a_native_sidecar(
    node: Node, kube: Client, outside: Outside, namespace: str, shell_image: str
) -> None:
    rules = "iptables -t nat -A OUTPUT -p tcp -m owner ! --uid-owner 2102 ! -d 127.0.0.1 -j REDIRECT --to-ports 15001"
    serve = "mkdir /tmp/www && echo of-the-sidecar > /tmp/www/index.html && exec httpd -f -p 15001 -h /tmp/www"
    init = [
        {
            "name": "rules",
            "image": shell_image,
            "command": ["sh", "-c", rules],
            "securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}},
        },
        {
            "name": "sidecar",
            "image": shell_image,
            "restartPolicy": "Always",
            "command": ["sh", "-c", serve],
            "securityContext": {"runAsUser": 2102},
            "startupProbe": {"tcpSocket": {"port": 15001}, "periodSeconds": 1},
        },
    ]
    kube.apply(pods.pod(namespace, "it", shell_image, "sleep 3600", initContainers=init), pods.MANAGER)
    pods.until_ready(kube, namespace, "it")
    asked = ("curl", "-sS", "--max-time", "10", f"http://{outside.address}:8099/")  # nobody listens there
    assert node.exec(namespace, "it", *asked).strip() == "of-the-sidecar"


def test_a_job_ends_and_its_sidecar_with_it(node: Node, kube: Client, namespace: str, shell_image: str) -> None:
    sidecar = {
        "name": "sidecar",
        "image": shell_image,
        "restartPolicy": "Always",
        "command": [
            "sh",
            "-c",
            "trap 'echo sidecar-ends; exit 0' TERM; echo sidecar-runs; while :; do sleep 0.1; done",
        ],
    }
    template = pods.pod(namespace, "it", shell_image, "echo done", initContainers=[sidecar])["spec"]
    template |= {"restartPolicy": "Never", "terminationGracePeriodSeconds": 30}
    kube.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": namespace, "name": "it"},
            "spec": {"template": {"metadata": {"labels": {"app": "it"}}, "spec": template}, "backoffLimit": 0},
        },
        pods.MANAGER,
    )
    job = Ref("batch/v1", "Job", namespace, "it")
    node.until(lambda: kube.get(job)["status"].get("succeeded") == 1, "the job has succeeded")
    (pod,) = node.pods(namespace, "app=it")
    name = pod["metadata"]["name"]
    assert node.logs(namespace, name, "it") == "done\n"
    assert node.logs(namespace, name, "sidecar").split() == ["sidecar-runs", "sidecar-ends"]


def test_a_claim_gets_a_volume_of_the_pods_group_and_keeps_what_is_in_it(
    node: Node, kube: Client, namespace: str, shell_image: str
) -> None:
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": namespace, "name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
        },
        pods.MANAGER,
    )
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    spec = {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "securityContext": {"runAsUser": 2100, "runAsGroup": 2100, "fsGroup": 2100},
        "restartPolicy": "Never",
    }
    for name, script in (("first", "echo kept > /data/file"), ("second", "cat /data/file && id -u")):
        kube.apply(pods.pod(namespace, name, shell_image, script, container=mounted, **spec), pods.MANAGER)
        assert pods.until_over(kube, namespace, name) == "Succeeded", node.logs(namespace, name)
        if name == "first":
            kube.delete(Ref("v1", "Pod", namespace, name))
    assert node.logs(namespace, "second") == "kept\n2100\n"
    claim = kube.get(Ref("v1", "PersistentVolumeClaim", namespace, "data"))
    volume = Ref("v1", "PersistentVolume", "", claim["spec"]["volumeName"])
    folder = Path(kube.get(volume)["spec"]["local"]["path"])
    assert (folder / "file").read_text(encoding="utf-8") == "kept\n"
    kube.delete(Ref("v1", "Pod", namespace, "second"))
    kube.delete(Ref("v1", "PersistentVolumeClaim", namespace, "data"))
    node.until(lambda: kube.find(volume) is None and not folder.exists(), "the volume goes with its claim")


def test_a_secret_that_comes_late_and_changes_is_seen_in_the_pod(
    node: Node, kube: Client, namespace: str, shell_image: str
) -> None:
    mounted = {"volumeMounts": [{"name": "given", "mountPath": "/given"}]}
    volume = {"name": "given", "secret": {"secretName": "given", "optional": True}}
    kube.apply(pods.pod(namespace, "it", shell_image, "sleep 3600", container=mounted, volumes=[volume]), pods.MANAGER)
    pods.until_ready(kube, namespace, "it")
    for value in ("first", "second"):
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "given"}}
        kube.apply({**made, "stringData": {"token": value}}, pods.MANAGER)

        def seen(wanted: str = value) -> bool:
            return node.exec(namespace, "it", "sh", "-c", "cat /given/token 2>/dev/null || true") == wanted

        node.until(seen, f"the pod sees the {value} token", 30)


def test_a_webhook_in_a_pod_behind_a_service_is_asked(
    node: Node, kube: Client, namespace: str, shell_image: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ca")
    serving = authority.issue("serving", "hook", hosts=[f"hook.{namespace}.svc"])
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": "hook"},
            "stringData": {
                "tls.crt": serving.certificate.read_text(encoding="ascii"),
                "tls.key": serving.key.read_text(encoding="ascii"),
                "webhook.py": WEBHOOK.read_text(encoding="utf-8"),
            },
        },
        pods.MANAGER,
    )
    kube.apply(_python_pod(namespace, "hook", shell_image), pods.MANAGER)
    kube.apply(pods.service(namespace, "hook", 8443), pods.MANAGER)
    pods.until_ready(kube, namespace, "hook")
    bundle = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
    configuration = _configuration(namespace, bundle)
    kube.apply(configuration, pods.MANAGER)
    try:
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "it"}}

        def marked() -> bool:
            kube.apply({**settings, "data": {"asked": "yes"}}, pods.MANAGER)
            labels = kube.get(kube.ref(settings))["metadata"].get("labels") or {}
            kube.delete(kube.ref(settings))
            return bool(labels.get("seen-by") == "webhook")

        node.until(marked, "the webhook has changed what was applied")
        with pytest.raises(PermanentError, match="refused by the webhook"):
            kube.apply({**settings, "data": {"refuse": "yes"}}, pods.MANAGER)
    finally:
        kube.delete(kube.ref(configuration))


def _python_pod(namespace: str, name: str, image: str) -> Object:
    """A pod with this machine's Python, which it mounts."""
    folders = [folder for folder in ("/usr", "/lib", "/lib64", sys.base_prefix) if Path(folder).exists()]
    folders = [one for one in dict.fromkeys(folders) if one == "/usr" or not one.startswith("/usr/")]
    mounts = [{"name": f"m{i}", "mountPath": one, "readOnly": True} for i, one in enumerate(folders)]
    volumes: list[dict[str, object]] = [{"name": f"m{i}", "hostPath": {"path": one}} for i, one in enumerate(folders)]
    python = os.path.realpath(sys.executable)
    container = {
        "command": [python, "-I", "/given/webhook.py"],
        "volumeMounts": [*mounts, {"name": "given", "mountPath": "/given"}],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
    }
    volumes.append({"name": "given", "secret": {"secretName": name}})
    return pods.pod(namespace, name, image, "", container=container, volumes=volumes)


def _configuration(namespace: str, bundle: str) -> dict[str, object]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "it.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "clientConfig": {
                    "service": {"namespace": namespace, "name": "hook", "port": 80, "path": "/"},
                    "caBundle": bundle,
                },
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
            }
        ],
    }
