"""Settings and bundle as they are now: read from ConfigMaps while the process runs.

Both processes have one of each. A new reading that is wrong changes nothing: the last good one stays, and `problems`
says what is wrong with the new one until it is mended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from speedscale_controller.bundle import Bundle, BundleError
from speedscale_controller.settings import Composed, Refused, Settings, compose, of_process, restart_needed
from speedscale_controller.settings.compose import BASE, OVERRIDE
from speedscale_controller.settings.model import changed
from speedscale_controller.telemetry import Metrics, set_level
from speedscale_kube import Client, Object, Ref
from speedscale_kube.stop import Stop
from speedscale_kube.store import Store
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .watched import Scope, Watched

BUNDLE_LABEL = "controlplane.speedscale.com/bundle"
QUIET_S = 0.3  # an apply writes a bundle's ConfigMaps one after the other
_log = structlog.get_logger("speedscale_controller")
Data = tuple[tuple[str, str], ...]


def _data(obj: Object) -> Data:
    return tuple(sorted((str(key), str(text)) for key, text in (obj.get("data") or {}).items()))


SETTINGS: Watched[Data] = Watched("settings", "v1", "ConfigMap", _data, scope=Scope.OWN, names=(BASE, OVERRIDE))


class LiveSettings:
    """The settings now. `environ` is the process's environment; `current` never blocks and never raises."""

    def __init__(self, environ: Mapping[str, str], metrics: Metrics) -> None:
        """Read the environment alone. What is wrong there may be the override's fault: `read` tells."""
        self._environ, self._metrics = dict(environ), metrics
        self._wrong: ConfigError | None = None
        try:
            self._composed = compose(environ, None, None)
        except ConfigError as error:
            self._composed, self._wrong = Composed(of_process(environ)), error
        self._started = self._composed
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._store: Store[Data] | None = None

    @property
    def current(self) -> Settings:
        """What counts now."""
        return self._composed.settings

    @property
    def composed(self) -> Composed:
        """What counts now, with what was refused."""
        return self._composed

    @property
    def pending(self) -> tuple[str, ...]:
        """Return the changed keys that take effect with a restart."""
        return restart_needed(self._started.settings, self.current)

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call()` called in some thread after each change of what counts or of what is refused."""
        self._listeners = (*self._listeners, call)

    def read(self, client: Client) -> None:
        """Ask for the ConfigMaps once, at the start: the environment cannot say which of both a key came from.

        An API server that does not answer leaves the environment's word; the watch brings the rest. ConfigError when
        the settings are wrong and no override is to blame.
        """
        namespace = self.current.namespace
        try:
            base, override = (client.find(Ref("v1", "ConfigMap", namespace, name)) for name in (BASE, OVERRIDE))
        except (TransientError, PermanentError, PeerError) as error:
            _log.warning("settings_not_read", error=str(error))
            if self._wrong is not None:
                raise self._wrong from error
            return
        if base is None and self._wrong is not None:
            raise self._wrong
        self._take(base and dict(_data(base)), override and dict(_data(override)))
        self._started = self._composed

    def follow(self, store: Store[Data]) -> None:
        """Read anew whenever the store (of SETTINGS) changes."""
        self._store = store
        store.add_handler(lambda key, old, new: self._changed())

    def _changed(self) -> None:
        if self._store is not None:
            namespace = self.current.namespace
            base, override = (self._store.get((namespace, name)) for name in (BASE, OVERRIDE))
            if base is not None:  # a list that is half told, or a ConfigMap that is being replaced
                self._take(dict(base), None if override is None else dict(override))

    def _take(self, base: Mapping[str, str] | None, override: Mapping[str, str] | None) -> None:
        with self._lock:
            before = self._composed
            now = compose(self._environ, base, override, last=None if self._wrong else before.settings)
            self._composed, self._wrong = now, None
        if now == before:
            return
        set_level(now.settings.log_level)
        self._tell(before, now)
        for call in self._listeners:
            call()

    def _tell(self, before: Composed, now: Composed) -> None:
        self._metrics.settings_loads.labels("refused" if now.problems else "good").inc()
        self._metrics.settings_restart_needed.set(len(self.pending))
        for reason in Refused:
            self._metrics.settings_refused.labels(reason.value).set(sum(r is reason for r, _ in now.problems))
        names = changed(before.settings, now.settings)
        if names:
            _log.info("settings_changed", fields=names, pending=self.pending)
        for reason, text in now.problems:
            _log.warning("settings_refused", reason=reason.value, problem=text)
        if now.unknown and now.unknown != before.unknown:
            _log.warning("settings_unknown", keys=now.unknown)


@dataclass(frozen=True, slots=True)
class _Part:
    """A ConfigMap of the bundle, as a value."""

    name: str
    labels: Data
    annotations: Data
    data: Data

    def object(self) -> dict[str, Any]:
        metadata = {"name": self.name, "labels": dict(self.labels), "annotations": dict(self.annotations)}
        return {"metadata": metadata, "data": dict(self.data)}


def _part(obj: Object) -> _Part:
    metadata = obj["metadata"]
    labels, annotations = (tuple(sorted((metadata.get(key) or {}).items())) for key in ("labels", "annotations"))
    return _Part(metadata["name"], labels, annotations, _data(obj))


BUNDLE: Watched[_Part] = Watched("bundle", "v1", "ConfigMap", _part, scope=Scope.OWN, labels=BUNDLE_LABEL, limit=64)


class LiveBundle:
    """The last good bundle. Read in a thread of its own, once the ConfigMaps have been quiet for a moment."""

    def __init__(self, store: Store[_Part], metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        self._bundle: Bundle | None = None
        self._problems: tuple[str, ...] = ()
        self._seen: frozenset[_Part] | None = None
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._listeners: tuple[Callable[[], None], ...] = ()
        store.add_handler(lambda key, old, new: self._dirty.set())

    @property
    def current(self) -> Bundle | None:
        """The last good one; None before the first."""
        return self._bundle

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the ConfigMaps as they are now; empty when `current` is what they say."""
        return self._problems

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call()` called in some thread after each new good bundle."""
        self._listeners = (*self._listeners, call)

    def start(self, stop: Stop) -> threading.Thread:
        """Follow the ConfigMaps in a thread until `stop` is set."""
        thread = threading.Thread(target=self._run, args=(stop,), name="bundle", daemon=True)
        thread.start()
        return thread

    def _run(self, stop: Stop) -> None:
        with stop.waking(self._dirty.set):
            while not stop.is_set():
                self._dirty.wait()
                while self._dirty.is_set() and not stop.is_set():
                    self._dirty.clear()
                    stop.wait(QUIET_S)
                if not stop.is_set():
                    self.refresh()

    def refresh(self) -> None:
        """Read the ConfigMaps as they are now."""
        with self._lock:
            loaded = self._read()
        if loaded:
            for call in self._listeners:
                call()

    def _read(self) -> bool:
        parts = frozenset(self._store.values())
        if parts == self._seen:
            return False
        self._seen = parts
        try:
            bundle = Bundle.read(part.object() for part in parts)
        except BundleError as error:
            self._problems = error.problems
            self._metrics.bundle_loads.labels("refused").inc()
            _log.warning("bundle_refused", problems=error.problems, kept=self._bundle and self._bundle.version)
            return False
        self._problems = ()
        self._metrics.bundle_loads.labels("good").inc()
        if self._bundle is not None and bundle.hashes == self._bundle.hashes:
            return False
        self._bundle = bundle
        _log.info("bundle_loaded", version=bundle.version, config_maps=len(bundle.hashes))
        return True
