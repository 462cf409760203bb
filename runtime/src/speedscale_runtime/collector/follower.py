"""The pods under test while the replay runs: their logs, events, and CPU and memory, looked at every few seconds.

One thread, over the Kubernetes client. Nothing here is needed for a verdict: a right that is missing, a metrics API
that is not there, a server that is away become notes in the report. Bounded by pods, bytes a look, events, and rings.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import structlog

from speedscale_kube import Object, Ref
from speedscale_kube.errors import ForbiddenError, NotFoundError
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from . import quantities
from .config import Workload
from .metrics import Metrics, Source
from .rings import Rings

log = structlog.get_logger()
T = TypeVar("T")
PODS_MAX, EVENTS_MAX, LOOK_BYTES = 50, 500, 1 << 20
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class Client(Protocol):
    """What of the Kubernetes client is used (`speedscale_kube.Client`)."""

    def list(self, api_version: str, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]: ...
    def log(
        self,
        pod: Ref,
        *,
        container: str = "",
        previous: bool = False,
        lines: int = 20,
        since: str = "",
        timestamps: bool = False,
        max_bytes: int = 0,
    ) -> str: ...


class Follower:
    """Follows a workload's pods. `connect` gives the client, when first needed: in a pod its token may come late."""

    def __init__(
        self, workload: Workload, connect: Callable[[], Client], rings: Rings, metrics: Metrics, every_s: float
    ) -> None:
        self._workload, self._connect, self._rings, self._metrics = workload, connect, rings, metrics
        self._every_s = every_s
        self._client: Client | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="follower")
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], str] = {}
        self._notes: OrderedDict[str, str] = OrderedDict()
        self._pods: OrderedDict[str, None] = OrderedDict()
        self._measured = False
        self.events: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.usage: OrderedDict[str, quantities.Usage] = OrderedDict()

    def start(self) -> None:
        """Begin; nothing is done without a selector."""
        if self._workload.selector:
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for a look that is under way, a few seconds at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def notes(self) -> list[str]:
        """Return what the report says about the pods: resource use, and what could not be had."""
        found = [f"{name}: {usage}" for name, usage in self.usage.items()]
        if self._workload.selector and not self._measured and Source.RESOURCES.value not in self._notes:
            found.append("CPU and memory of the pods under test are missing: metrics were not there in time")
        return [*found, *self._notes.values()]

    def look(self) -> None:
        """Look once at everything; what fails becomes a note. Called by the thread, and before an analysis."""
        with self._lock:
            pods = self._attempt(Source.PODS, "the pods under test cannot be listed", self._list_pods)
            if pods is None:
                return
            self._attempt(Source.LOGS, "logs of the pods under test are missing", lambda: self._read_logs(pods))
            self._attempt(Source.EVENTS, "events of the pods under test are missing", self._read_events)
            self._attempt(Source.RESOURCES, "CPU and memory of the pods under test are missing", self._measure)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(self._every_s)

    def _attempt(self, source: Source, note: str, act: Callable[[], T]) -> T | None:
        try:
            done = act()
        except NotFoundError as error:
            absent = "the cluster has no metrics API (is metrics-server installed?)"
            why = absent if source is Source.RESOURCES else str(error)
        except ForbiddenError as error:
            why = f"a right is missing: {error}"
        except (TransientError, PermanentError, PeerError, ConfigError, OSError) as error:
            why = str(error)
        else:
            self._notes.pop(source.value, None)
            return done
        self._metrics.followed.labels(source.value).inc()
        if self._notes.get(source.value) != f"{note}: {why}":
            log.warning("follow_failed", source=source.value)
        self._notes[source.value] = f"{note}: {why}"
        return None

    def _api(self) -> Client:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _list_pods(self) -> list[Object]:
        found = self._api().list("v1", "Pod", self._workload.namespace, labels=self._workload.selector)[:PODS_MAX]
        for pod in found:
            self._pods[pod["metadata"]["name"]] = None
        while len(self._pods) > 4 * PODS_MAX:
            self._pods.popitem(last=False)
        return found

    def _read_logs(self, pods: list[Object]) -> None:
        missing = False
        for pod in pods:
            ref = Ref("v1", "Pod", self._workload.namespace, pod["metadata"]["name"])
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                state = status.get("state") or {}
                if "running" in state or "terminated" in state:
                    missing |= not self._read_log(ref, str(status["name"]))
        if missing:
            self._notes["rings"] = "logs of some containers are missing: there are too many containers"

    def _read_log(self, pod: Ref, container: str) -> bool:
        """Read what is new of a log: the API goes by whole seconds, the lines' own times tell what was read."""
        key = (pod.name, container)
        last = self._last.get(key, "")
        since = f"{last[:19]}Z" if last else ""
        api = self._api()
        try:
            text = api.log(pod, container=container, lines=0, since=since, timestamps=True, max_bytes=LOOK_BYTES)
        except NotFoundError:
            return True  # gone meanwhile
        full = len(text.encode("utf-8", "replace")) >= LOOK_BYTES
        lines = text.splitlines()
        if full and len(lines) > 1:
            lines.pop()  # the API cuts in the middle of a line; it comes again
        fresh = [line for line in lines if time_of(line) > last]
        if not fresh:
            if full:  # more in one second than we read in a look: go on behind it
                self._last[key] = _next_second(last)
                self._notes["log_rate"] = "some lines of the logs are missing: more were written than could be read"
            return True
        self._last[key] = time_of(fresh[-1])
        while len(self._last) > 4 * PODS_MAX:
            del self._last[next(iter(self._last))]
        data = ("\n".join(fresh) + "\n").encode("utf-8", "replace")
        self._metrics.log_bytes.inc(len(data))
        return self._rings.add(pod.name, container, data)

    def _read_events(self) -> None:
        for event in self._api().list("v1", "Event", self._workload.namespace):
            about = event.get("involvedObject") or {}
            name = str(about.get("name", ""))
            if name not in self._pods and (about.get("kind"), name) != (self._workload.kind, self._workload.name):
                continue
            self.events[str(event["metadata"].get("uid", ""))] = _event(event)
        while len(self.events) > EVENTS_MAX:
            self.events.popitem(last=False)
            self._notes["events_bound"] = f"only the newest {EVENTS_MAX} events are kept"

    def _measure(self) -> None:
        selector, space = self._workload.selector, self._workload.namespace
        for pod in self._api().list("metrics.k8s.io/v1beta1", "PodMetrics", space, labels=selector)[:PODS_MAX]:
            name = pod["metadata"]["name"]
            for container in pod.get("containers") or ():
                usage = container.get("usage") or {}
                key = f"pod {name}, container {container.get('name', '')}"
                if key in self.usage or len(self.usage) < 4 * PODS_MAX:
                    sample = quantities.cores(usage.get("cpu")), quantities.size(usage.get("memory"))
                    self.usage.setdefault(key, quantities.Usage()).take(str(pod.get("timestamp", "")), *sample)
                    self._measured = True


def time_of(line: str) -> str:
    """Return the time that the API put before a line: UTC with nine digits, so that texts compare as times do."""
    match = _TIME.match(line)
    if match is None:
        return ""
    whole, part, zone = match[1], match[2] or "", match[3]
    if zone not in ("Z", "+00:00"):
        whole = datetime.fromisoformat(f"{whole}{zone}").astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{part:0<9}"


def _next_second(stamp: str) -> str:
    """Return where the next second begins: less than every time in it, which all have digits behind."""
    return (datetime.fromisoformat(stamp[:19]) + timedelta(seconds=1)).isoformat(timespec="seconds")


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    about = event.get("involvedObject") or {}
    return {
        "at": event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp"),
        "type": event.get("type"),
        "reason": event.get("reason"),
        "object": f"{about.get('kind')}/{about.get('name')}",
        "count": event.get("count"),
        "message": str(event.get("message") or "")[:1000],
    }
