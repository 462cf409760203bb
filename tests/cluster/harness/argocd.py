"""Argo CD as processes beside a cluster: redis, repo-server, application-controller, applicationset-controller.

    with ArgoCD(cluster, folder) as argo:
        argo.kube.apply(application, "tests")
        argo.until_app("speedscale", synced_and_healthy, "it is synced")

It is installed as its own manifests do (definitions, ConfigMaps) but runs outside the cluster, with the administrator's
kubeconfig. Files, temporary ones too, lie in `folder`; ports are free ones. Everything listens on loopback, except the
metrics of the application-controller, whose address upstream has fixed. Processes die with ours.

Settings differ from upstream's defaults only in time: a second between waves (two upstream; none leaves Argo CD with a
stale view of what it has just applied), a resync every few seconds, no jitter, no growing pause before self-heal.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import go_tools
import yaml

from speedscale_kube import Object, Ref
from speedscale_kube.errors import NotFoundError

from .components import HOST, free_ports
from .definitions import define, let_go
from .nodes import Nodes
from .process import GO, NotReady, Process
from .reached import PATIENCE, Reached

NAMESPACE = "argocd"
MANAGER = "tests"
REFRESH = "argocd.argoproj.io/refresh"
RESYNC_S = 3  # Argo CD now and then misses that what it waits for is there, and looks again at each resync
_ATTEMPTS = 3
_LOOK_S = 0.2  # an Application is large: looked at more often, the look takes what Argo CD needs
_PORTS = (
    "redis",
    "repo-server",
    "repo-server-metrics",
    "application-controller",
    "applicationset-controller",
    "applicationset-controller-metrics",
    "applicationset-controller-webhook",
)
_CONFIGURATION = (
    "argocd-cm",
    "argocd-rbac-cm",
    "argocd-secret",
    "argocd-gpg-keys-cm",
    "argocd-ssh-known-hosts-cm",
    "argocd-tls-certs-cm",
    "argocd-cmd-params-cm",
)


@dataclass(frozen=True)
class _Program:
    """One of the processes: what it is called, how it is started, which port says that it is ready, at which path."""

    name: str
    command: Callable[[ArgoCD], list[str]]
    port: str
    path: str = ""
    environment: tuple[tuple[str, str], ...] = ()


class ArgoCD:
    """Argo CD for one cluster; where that has no node (`pods` False), with one that says it runs what is applied."""

    def __init__(self, cluster: Reached, folder: Path, *, pods: bool = False) -> None:
        self.cluster, self.folder, self._pods = cluster, folder.absolute(), pods
        self.kube = cluster.client()
        self.nodes = Nodes(cluster.client())
        self.ports: dict[str, int] = {}
        self._processes: list[Process] = []
        self._binary, self._sources = Path(), Path()

    def __enter__(self) -> ArgoCD:
        try:
            self.start()
        except BaseException:
            self._stop_processes()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_processes()
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.nodes.stop()  # one that was not started only closes its client
        finally:
            self.kube.close()

    def start(self) -> None:
        """Install the definitions and start the processes; ToolMissing without the program, NotReady with a log."""
        (self._binary,) = go_tools.ensure("argocd")
        self._sources = go_tools.sources("argocd")
        self._install()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start_processes()
                break
            except NotReady as error:
                self._stop_processes()
                if attempt == _ATTEMPTS or "address already in use" not in str(error).lower():
                    raise
        if not self._pods:
            self.nodes.start()

    def app(self, name: str) -> Object:
        """Return an Application as it is; NotFoundError."""
        return self.kube.get(self.ref(name))

    @staticmethod
    def ref(name: str, kind: str = "Application") -> Ref:
        """Return the name of an Application (or AppProject, ApplicationSet) of this Argo CD."""
        return Ref("argoproj.io/v1alpha1", kind, NAMESPACE, name)

    def until_app(self, name: str, good: Callable[[Object], bool], what: str, deadline_s: float = 120.0) -> Object:
        """Ask for an Application until it is so; AssertionError with what Argo CD says of it after `deadline_s`."""
        deadline = time.monotonic() + deadline_s * PATIENCE
        while True:
            app = self.kube.find(self.ref(name)) or {}
            if good(app):
                return app
            assert time.monotonic() < deadline, (
                f"waited {deadline_s * PATIENCE:.0f} s until {what}\n{described(name, app)}"
            )
            time.sleep(_LOOK_S)

    def refresh(self, name: str, how: str = "hard") -> Object:
        """Have an Application compared anew (`hard`: the repository read anew too) and return it afterwards."""
        self.kube.patch(self.ref(name), {"metadata": {"annotations": {REFRESH: how}}}, MANAGER)
        return self.until_app(
            name, lambda app: REFRESH not in (app["metadata"].get("annotations") or {}), f"{name} was refreshed"
        )

    def sync(self, name: str, **options: Any) -> None:
        """Start a sync, as `argocd app sync` does; one that runs is waited for."""
        self.until_app(name, lambda app: "operation" not in app and not running(app), f"no sync of {name} runs")
        operation = {"initiatedBy": {"username": "tests"}, "sync": {"syncStrategy": {"hook": {}}, **options}}
        self.kube.patch(self.ref(name), {"operation": operation}, MANAGER)

    def forget(self, which: Ref) -> None:
        """Delete an Application (or ApplicationSet) without what it made, whatever state it is in."""
        if which.kind == "Application":
            self._end_sync(which)
        let_go(self.kube, which)
        self.kube.delete(which, propagation="Orphan")
        let_go(self.kube, which)

    def _end_sync(self, which: Ref) -> None:
        """End the sync under way: one that goes on after its Application is gone makes objects anew."""

        def ended() -> bool:
            app = self.kube.find(which)
            if app is None or "operation" not in app:
                return True
            if phase(app) == "Running":  # as `argocd app terminate-op` does
                self.kube.patch(which, {"status": {"operationState": {"phase": "Terminating"}}}, MANAGER)
            return False

        with contextlib.suppress(NotFoundError):
            self.kube.patch(which, {"spec": {"syncPolicy": {"automated": None}}}, MANAGER)
            self.cluster.until(ended, f"no sync of {which.name} runs")

    def log(self, name: str) -> Path:
        """Return a process's log."""
        return self.folder / f"{name}.log"

    def _install(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        manifests = self._sources / "manifests"
        self.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, MANAGER)
        for file in sorted((manifests / "crds").glob("*-crd.yaml")):
            define(self.kube, _document(file), MANAGER)
        script = self.folder / "bin" / "git-verify-wrapper.sh"  # the repo-server runs it for each revision
        script.parent.mkdir()
        shutil.copyfile(self._sources / "hack" / script.name, script)
        script.chmod(0o700)
        (kustomize,) = go_tools.ensure("kustomize")
        (script.parent / "kustomize").symlink_to(kustomize)
        for name in _CONFIGURATION:
            made = _document(manifests / "base" / "config" / f"{name}.yaml")
            self.kube.apply({**made, "metadata": {**made["metadata"], "namespace": NAMESPACE}}, MANAGER)

    def _start_processes(self) -> None:
        self.ports = free_ports(_PORTS)
        for program in _PROGRAMS:
            process = Process(program.name, self.folder)
            self._processes.append(process)
            process.start(program.command(self), environment=self._environment(program))
            process.wait(functools.partial(_answers, self.ports[program.port], program.path), 60.0 * PATIENCE)

    def _stop_processes(self) -> None:
        while self._processes:
            self._processes.pop().stop()

    def argocd(self, *arguments: str) -> list[str]:
        """Return the command line of one of Argo CD's programs; which one its environment says."""
        return [str(self._binary), *arguments]

    def _environment(self, program: _Program) -> dict[str, str]:
        folders = {
            "TMPDIR": "tmp",
            "HOME": "home",
            "ARGOCD_GNUPGHOME": "gpg",
            "ARGOCD_TLS_DATA_PATH": "tls",
            "ARGOCD_SSH_DATA_PATH": "ssh",
        }
        for folder in folders.values():
            (self.folder / folder).mkdir(exist_ok=True, mode=0o700)
        return {
            "PATH": os.pathsep.join((str(self.folder / "bin"), os.environ["PATH"])),
            **{name: str(self.folder / folder) for name, folder in folders.items()},
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "ARGOCD_BINARY_NAME": f"argocd-{program.name}",
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_SYNC_WAVE_DELAY": "1",
            **GO,
            **dict(program.environment),
        }

    def address(self, port: str) -> str:
        """Return host and port of one of the listeners."""
        return f"{HOST}:{self.ports[port]}"


def described(name: str, app: Object) -> str:
    """Return what Argo CD says of an Application, for who reads a failure."""
    if not app:
        return f"there is no Application {name}"
    status = app.get("status") or {}
    operation = status.get("operationState") or {}
    lines = [
        f"Application {name}: {phase(app)} {sync_status(app)} {health(app)}, {app['metadata'].get('finalizers')}",
        f"  operation: {operation.get('message')}",
        *(f"  {one['type']}: {one['message']}" for one in status.get("conditions") or ()),
        *(
            f"  {one['kind']} {one['name']}: {one.get('status')} {one.get('health')}"
            for one in status.get("resources") or ()
            if one.get("status") != "Synced" or (one.get("health") or {}).get("status", "Healthy") != "Healthy"
        ),
        *(
            f"  {one['kind']} {one['name']}: {one.get('message')}"
            for one in (operation.get("syncResult") or {}).get("resources") or ()
            if one.get("status") == "SyncFailed" or one.get("hookPhase") in ("Failed", "Error")
        ),
    ]
    return "\n".join(lines)


def sync_status(app: Object) -> str:
    """Return `Synced`, `OutOfSync`, `Unknown`, or nothing."""
    return str(((app.get("status") or {}).get("sync") or {}).get("status", ""))


def health(app: Object) -> str:
    """Return `Healthy`, `Progressing`, `Degraded`, `Missing`, …, or nothing."""
    return str(((app.get("status") or {}).get("health") or {}).get("status", ""))


def phase(app: Object) -> str:
    """Return the phase of the last operation, or nothing."""
    return str(((app.get("status") or {}).get("operationState") or {}).get("phase", ""))


def message(app: Object) -> str:
    """Return what the last operation waits for, or how it ended."""
    return str(((app.get("status") or {}).get("operationState") or {}).get("message", ""))


def running(app: Object) -> bool:
    """Say whether a sync runs."""
    return phase(app) in ("Running", "Terminating")


def good(app: Object) -> bool:
    """Say whether everything is as in git, works, and no sync runs."""
    return (phase(app), sync_status(app), health(app)) == ("Succeeded", "Synced", "Healthy") and "operation" not in app


def _document(file: Path) -> Object:
    made: Object = yaml.safe_load(file.read_text(encoding="utf-8"))
    return made


def _answers(port: int, path: str) -> bool:
    """Say whether something listens, and (with a path) answers 200."""
    if not path:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((HOST, port)) == 0
    connection = http.client.HTTPConnection(HOST, port, timeout=5.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _redis(argo: ArgoCD) -> list[str]:
    server = shutil.which("redis-server")
    if server is None:
        raise go_tools.ToolMissing("Argo CD keeps its cache in Redis and redis-server is not on PATH")
    return [server, "--bind", HOST, "--port", str(argo.ports["redis"]), *_NO_FILES, "--dir", str(argo.folder)]


_NO_FILES = ("--save", "", "--appendonly", "no")


def _repo_server(argo: ArgoCD) -> list[str]:
    metrics = str(argo.ports["repo-server-metrics"])
    return argo.argocd(
        *_listen("--address", "--port", argo.ports["repo-server"]),
        *("--metrics-address", HOST, "--metrics-port", metrics),
        *("--disable-tls", "--client-ca-path", ""),
        *("--redis", argo.address("redis")),
    )


def _controller(argo: ArgoCD) -> list[str]:
    return argo.argocd(
        *("--namespace", NAMESPACE),
        *("--repo-server", argo.address("repo-server"), "--repo-server-plaintext"),
        *("--redis", argo.address("redis")),
        *("--metrics-port", str(argo.ports["application-controller"])),
        *("--app-resync", str(RESYNC_S), "--app-resync-jitter", "0"),
        *("--self-heal-backoff-timeout-seconds", "0"),
    )


def _application_sets(argo: ArgoCD) -> list[str]:
    return argo.argocd(
        *("--namespace", NAMESPACE),
        *("--argocd-repo-server", argo.address("repo-server"), "--repo-server-plaintext"),
        *("--probe-addr", argo.address("applicationset-controller")),
        *("--metrics-addr", argo.address("applicationset-controller-metrics")),
        *("--webhook-addr", argo.address("applicationset-controller-webhook")),
    )


def _listen(host: str, port: str, number: int) -> Sequence[str]:
    return (host, HOST, port, str(number))


_PROGRAMS = (
    _Program("redis", _redis, "redis"),
    _Program("repo-server", _repo_server, "repo-server-metrics", "/healthz"),
    _Program("application-controller", _controller, "application-controller", "/healthz"),
    _Program(
        "applicationset-controller",
        _application_sets,
        "applicationset-controller",
        "",
        (("ARGOCD_APPLICATIONSET_CONTROLLER_ENABLE_PROGRESSIVE_SYNCS", "true"),),
    ),
)
