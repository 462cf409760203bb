"""A cluster in a folder: started, used through its kubeconfig, stopped without a trace.

    with Cluster(folder) as cluster:
        cluster.kubectl("get", "namespaces")
        with cluster.client() as kube: ...

Two clusters live side by side: each has its own folder, ports and certificates. Programs come from `go_tools`.
Used by the fixtures of tests/cluster and by `make cluster-up`.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

import go_tools

from .certificates import Pair
from .components import CONTROL_PLANE, HOST, TOKENS, Component, Layout, Plan, lay_out
from .process import GO, NotReady, Process
from .reached import PATIENCE, Reached

_ATTEMPTS = 3  # somebody else may take a free port between our look and the start

__all__ = ["PATIENCE", "Cluster"]


class Cluster(Reached):
    """A control plane (or what `components` names) in `folder`, which is made, and emptied by `destroy`."""

    def __init__(
        self,
        folder: Path,
        *,
        components: Sequence[Component] = CONTROL_PLANE,
        plan: Plan = Plan(),  # noqa: B008
        detached: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(folder)
        self._components, self._plan, self._detached, self._say = components, plan, detached, say
        self._layout: Layout | None = None
        self._programs: dict[str, Path] = {}
        self._processes = {c.name: Process(c.name, self.folder) for c in components}

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    @property
    def layout(self) -> Layout:
        """Ports and certificates, for components and tests that need more than the kubeconfig."""
        if self._layout is None:
            raise RuntimeError("the cluster was not started by this process; use its kubeconfig")
        return self._layout

    def start(self) -> None:
        """Start everything and wait until it is ready; ToolMissing without the programs, NotReady with a log's end."""
        names = [component.name for component in self._components if not component.installed]
        paths = go_tools.ensure(*names, "kubectl", say=self._say)
        self._programs = dict(zip([*names, "kubectl"], paths, strict=True))
        self._programs |= {one.name: _installed(one.name) for one in self._components if one.installed}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start_all()
                return
            except NotReady as error:
                self.destroy()
                if attempt == _ATTEMPTS or "address already in use" not in str(error):
                    raise

    def running(self) -> bool:
        """Say whether every process of an earlier start still runs."""
        return all(self._processes[component.name].pid is not None for component in self._components)

    def stop(self) -> None:
        """End every process, the last started first."""
        for component in reversed(self._components):
            self._processes[component.name].stop()

    def destroy(self) -> None:
        """Stop, and remove the folder with all data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def restricted(self, number: int = 0) -> tuple[str, Path]:
        """Return the name of a user who has no right yet, and a kubeconfig for it (by token)."""
        user = TOKENS[number]
        path = self.folder / f"{user}.kubeconfig"
        self._write_kubeconfig(path, {"token": f"token-of-{user}"})
        return user, path

    def _start_all(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ports = tuple(port for component in self._components for port in component.ports)
        self._layout = layout = lay_out(self.folder, ports, self._plan)
        for name in ("admin", "controller-manager", *(one.name for one in self._plan.users)):
            self._write_kubeconfig(self._kubeconfig_of(name), _by_certificate(layout.issued[name]))
        for component in self._components:
            Path(layout.data(component.name)).parent.mkdir(exist_ok=True)
            component.prepare(layout)
            command = [str(self._programs[component.name]), *component.arguments(layout)]
            environment = {**os.environ, **GO}
            self._processes[component.name].start(command, detached=self._detached, environment=environment)
            if component.awaited == "at once":
                self._await(component, layout)
        for component in self._components:
            if component.awaited == "in the end":
                self._await(component, layout)

    def _await(self, component: Component, layout: Layout) -> None:
        started = time.monotonic()
        self._processes[component.name].wait(
            functools.partial(component.ready, layout), component.deadline_s * PATIENCE
        )
        self._say(f"{component.name} is ready after {time.monotonic() - started:.1f} s")

    def _kubeconfig_of(self, name: str) -> Path:
        return self.kubeconfig if name == "admin" else self.folder / f"{name}.kubeconfig"

    def _write_kubeconfig(self, path: Path, user: dict[str, Any]) -> None:
        layout = self.layout
        cluster = {
            "server": f"https://{HOST}:{layout.ports['apiserver']}",
            "certificate-authority-data": _encoded(layout.ca.certificate),
        }
        name = "speedscale-local"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
            "current-context": name,
        }
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)  # JSON is YAML


def _installed(name: str) -> Path:
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    if found is None:
        raise go_tools.ToolMissing(f"{name} is not on PATH; apt-get install {name}")
    return Path(found)


def _by_certificate(pair: Pair) -> dict[str, Any]:
    return {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
