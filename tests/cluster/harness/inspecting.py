"""An inspector on a real API server: its account with the synthesised rights, and a backend's end of the channel.

What is played here, because a control plane has none: the backend (a real WebSocket server, which speaks the documents
of `schemas` and nothing else of ours). Rights, validation, dry runs, Events and fields are the API server's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from aiohttp import WSMsgType, web

from speedscale_kube import Client, load
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import from_mapping
from speedscale_runtime.inspector import config
from speedscale_runtime.inspector.server import BackOff, Inspector
from speedscale_schemas.validation import check

from .cluster import Cluster
from .reached import PATIENCE

NAME = "speedscale-inspector"
KEY = "key-of-the-inspector"
ACTOR = {"name": "ci-checkout", "labels": {"env": "test"}}
DEADLINE_S = 30.0 * PATIENCE
_ids = itertools.count(1)
Manifest = dict[str, Any]
ROLLOUTS: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Rollout", "listKind": "RolloutList", "plural": "rollouts", "singular": "rollout"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class Backend:
    """The other end of the channel, on a loop of its own thread; everything that comes is held against its document."""

    def __init__(self) -> None:
        self.hellos: list[Manifest] = []
        self.url = ""
        self._answers: dict[str, asyncio.Queue[Manifest]] = {}
        self._socket: web.WebSocketResponse | None = None
        self._connected = threading.Event()
        self.problems: list[str] = []

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self._listen())

    def call(self, work: Any, deadline_s: float = DEADLINE_S) -> Any:
        """Run a coroutine on the loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(deadline_s)

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/clusters/{name}/channel", self._channel)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _channel(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"reason": "unauthenticated", "message": "no such key"}, status=401)
        socket = web.WebSocketResponse(heartbeat=20.0, max_msg_size=4 * 1024 * 1024)
        await socket.prepare(request)
        self._socket = socket
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            document = json.loads(message.data)
            self.problems += [str(problem) for problem in check("inspector-answer", document)]
            if document["kind"] == "hello":
                self.hellos.append(document)
                self._connected.set()
            else:
                await self._answers.setdefault(document["id"], asyncio.Queue()).put(document)
        return socket

    def wait_connected(self) -> None:
        assert self._connected.wait(DEADLINE_S), "the inspector did not connect"

    async def send(self, message: Mapping[str, Any]) -> None:
        assert self._socket is not None
        await self._socket.send_str(json.dumps(message))

    def begin(self, command: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Send a command; return its id."""
        id_ = f"c-{next(_ids)}"
        message = {"kind": "run", "id": id_, "command": command, "arguments": dict(arguments or {}), "actor": ACTOR}
        message |= more
        assert not check("inspector-command", message)
        self.call(self.send(message))
        return id_

    def next(self, id_: str, deadline_s: float = DEADLINE_S) -> Manifest:
        """Return the next answer to a command."""

        async def one() -> Manifest:
            return await asyncio.wait_for(self._answers.setdefault(id_, asyncio.Queue()).get(), deadline_s)

        answer: Manifest = self.call(one(), deadline_s + 5)
        return answer

    def ask(self, command: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        """Send a command and return all that comes of it."""
        id_ = self.begin(command, arguments, **more)
        items: list[Manifest] = []
        while True:
            answer = self.next(id_)
            assert answer["sequence"] == len(items)
            if answer["kind"] != "item":
                return Answer(items, answer)
            items.append(answer["item"])

    def drop(self) -> None:
        """Close the connection."""
        self._connected.clear()
        assert self._socket is not None
        self.call(self._socket.close())

    def stop(self) -> None:
        self.call(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Answer:
    """Items and how it ended."""

    def __init__(self, items: list[Manifest], last: Manifest) -> None:
        self.items, self.last = items, last

    @property
    def result(self) -> Manifest:
        assert self.last["kind"] == "end", self.last
        return dict(self.last["result"])

    @property
    def reason(self) -> str:
        assert self.last["kind"] == "error", self.last
        return str(self.last["reason"])

    @property
    def message(self) -> str:
        return str(self.last["message"])

    @property
    def missing(self) -> Manifest:
        return dict(self.last.get("missing", {}))

    def named(self, name: str) -> Manifest:
        """Return the item of this name."""
        (found,) = [item for item in self.items if item["name"] == name]
        return found


class Played:
    """An inspector in a thread, and its account."""

    def __init__(self, cluster: Cluster, kube: Client, folder: Path, namespace: str, values: Manifest) -> None:
        self.cluster, self.kube, self.folder, self.namespace = cluster, kube, folder, namespace
        self.values = from_mapping({"namespace": namespace, "clusterName": "north", **values})
        self.backend = Backend()
        self.inspector: Inspector | None = None
        self.manifests = [
            item.manifest
            for item in inventory(self.values)
            if item.component == "inspector" and item.manifest["kind"] not in ("Deployment", "NetworkPolicy")
        ]

    def apply(self) -> None:
        """Make account and rights, and the empty override that the operator would make."""
        for manifest in self.manifests:
            self.kube.apply(manifest, "installation", force=True)
        meta = {"name": "speedscale-operator-override", "namespace": self.namespace}
        self.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}, "installation")

    def environ(self, **more: str) -> dict[str, str]:
        """Return the Deployment's environment, with the test's backend."""
        (deployment,) = [
            item.manifest
            for item in inventory(self.values)
            if item.component == "inspector" and item.manifest["kind"] == "Deployment"
        ]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        found = {e["name"]: e["value"] for e in container["env"] if "value" in e}
        found |= {"POD_NAMESPACE": self.namespace, "POD_NAME": f"{NAME}-0", "METRICS_HOST": "127.0.0.1"}
        found |= {"METRICS_HTTP_PORT": "0", "SPEEDSCALE_APP_URL": self.backend.url, "SPEEDSCALE_API_KEY": KEY}
        return found | more

    def client(self) -> Client:
        """Return a client with a token of the account, and nothing else."""
        token = self.cluster.kubectl("create", "token", NAME, "-n", self.namespace, "--duration=2h").strip()
        document = yaml.safe_load(self.cluster.kubeconfig.read_text(encoding="utf-8"))
        document["users"][0]["user"] = {"token": token}
        path = self.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return Client(load(path, environ={}), agent=NAME, retries=2).patient(10.0)

    def start(self, **environ: str) -> None:
        """Start backend and inspector; return when they talk."""
        self.backend.start()
        settings = config.parse(self.environ(**environ))
        self._client = self.client()
        started = threading.Event()

        async def serve() -> None:
            self.inspector = Inspector(settings, self._client, BackOff(lambda: 0.01))
            self._loop = asyncio.get_running_loop()
            started.set()
            await self.inspector.run()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        self._thread.start()
        assert started.wait(DEADLINE_S)
        self.backend.wait_connected()

    def metric(self, name: str, **labels: str) -> float:
        """Return a sample of its metrics."""
        assert self.inspector is not None
        return self.inspector.registry.get_sample_value(name, labels) or 0.0

    def without(self, group: str, resource: str, verb: str) -> contextlib.AbstractContextManager[None]:
        """Take one verb on one resource away from the account for the block."""
        return _without(self.kube, self.manifests, group, resource, verb)

    def stop(self) -> None:
        """End both, and take the account and its rights away."""
        if self.inspector is not None:
            self._loop.call_soon_threadsafe(self.inspector.stop)
            self._thread.join(DEADLINE_S)
            assert not self._thread.is_alive()
            self._client.close()
            self.backend.stop()
            assert self.backend.problems == []
        for manifest in self.manifests:
            self.kube.delete(self.kube.ref(manifest))


@contextlib.contextmanager
def _without(kube: Client, manifests: list[Manifest], group: str, resource: str, verb: str) -> Iterator[None]:
    touched = []
    for manifest in manifests:
        if manifest["kind"] not in ("ClusterRole", "Role"):
            continue
        rules = []
        for rule in manifest["rules"]:
            if group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]:
                others = [name for name in rule["resources"] if name != resource]
                rules += [{**rule, "resources": others}] if others else []
                verbs = [name for name in rule["verbs"] if name != verb]
                rules += [{**rule, "resources": [resource], "verbs": verbs}] if verbs else []
            else:
                rules.append(rule)
        if rules != manifest["rules"]:
            touched.append(manifest)
            kube.patch(kube.ref(manifest), {"rules": rules}, "installation")
    assert touched, f"the account has no right to {verb} {resource}"
    try:
        yield
    finally:
        for manifest in touched:
            kube.patch(kube.ref(manifest), {"rules": manifest["rules"]}, "installation")


def deployment(namespace: str, name: str = "cart", annotations: Mapping[str, str] | None = None) -> Manifest:
    """Return a Deployment that asks for no pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations or {})},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": f"example.com/{name}:1"}]},
            },
        },
    }
