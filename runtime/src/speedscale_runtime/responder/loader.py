"""Put a responder together: open the snapshot, choose and render its mocks, compile its rules and chains.

Called by `__main__` and by tests. Reads files; opens no socket.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from typing import Any

import structlog

from speedscale_runtime import filters, home, signatures, snapshot
from speedscale_runtime.snapshot.traffic import key_of
from speedscale_runtime.tls.authority import Authority
from speedscale_runtime.transforms import Run, Sources, TransformSet, compile_set
from speedscale_schemas import snapshot_keys
from speedscale_schemas.errors import ConfigError

from .chains import Chains
from .config import OnMiss, Settings
from .matcher import Matcher, Redact
from .metrics import Counts
from .mocks import Mock, Mocks
from .recorder import Recorder
from .results import Results
from .rules import Rules
from .server import Responder


class Loaded:
    """A responder that is ready to start, and what it was made of."""

    def __init__(self, settings: Settings) -> None:
        """Load everything; ConfigError when snapshot, rule, transform set or selectors are wrong."""
        self.settings = settings
        self.source = snapshot.open(snapshot.resolve(settings.snapshot, settings.home))
        self.rules = Rules(settings.home, settings.dlp_key_path)
        self.chains = _chains(settings, self.source)
        self.mocks = Mocks(settings.selection, seed=settings.seed)
        self.counts = Counts()
        self._fill()
        self._output = self.rules.get(settings.dlp_config)
        self.matcher = Matcher(self.mocks, self._redactors(), self._output.request, self.chains)
        self.results = Results(settings.out, self._run_line(), settings.lines_max, looks=bool(settings.report_id))
        self.responder = Responder(
            settings,
            self.mocks,
            self.matcher,
            self.results,
            self.counts,
            authority=Authority.load_or_create(settings.home),
            recorder=self._recorder(),
            chains=self.chains,
            learned=self._learned,
        )

    def _fill(self) -> None:
        chosen: set[str] | None = None
        if self.settings.selectors:
            known = sorted({str(key_of(pair)) for pair in self.source.mocks(ordered=False)})
            chosen = set(snapshot_keys.select(known, self.settings.selectors))
        for pair in self.source.mocks(ordered=False):
            if chosen is not None and str(key_of(pair)) not in chosen:
                continue
            wanted = None
            if self.chains is not None and pair.http_request is not None:
                start = signatures.recorded(pair) or signatures.signature(pair)
                wanted = self.chains.signature(pair, start)
            self.mocks.add(pair, wanted, keep=self.chains is not None)

    def _redactors(self) -> list[Redact]:
        found: list[Redact] = []
        both: list[Redact] = []
        for name in self.mocks.rules:
            try:
                rule = self.rules.get(name)
                found.append(rule.request)
                if rule is not self._output:  # an exporter's rule came on top of the forwarder's own
                    both.append(_after(self._output.request, rule.request))
            except ConfigError as error:
                structlog.get_logger().warning(
                    "rule of the recording not found; its redacted requests cannot be matched",
                    rule=name,
                    why=str(error),
                )
        if len(found) < len(self.mocks.rules):
            self.mocks.unredacted = True  # what the unknown rule left alone still matches
        return found + both

    def _recorder(self) -> Recorder | None:
        settings = self.settings
        if settings.on_miss is not OnMiss.RECORD:
            return None
        root = settings.record_to or self.source.path
        if settings.record_to is None and (self.source.immutable or not root.is_dir()):
            remedy = "mock a recording folder instead, or give a folder of its own (--record-to, RECORD_DIR)"
            raise ConfigError([f"{root}: a snapshot is immutable, and so is a single file; {remedy}"])
        service = next(iter(self.mocks.services), "")
        return Recorder(root, service, self._record_rule().whole)

    def _record_rule(self) -> Any:
        for name in self.mocks.rules:
            try:
                return self.rules.get(name)
            except ConfigError:
                continue
        return self._output

    def _learned(self, mock: Mock | None) -> None:
        self.matcher.learn(self._record_rule().request)

    def _run_line(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "id": str(uuid.uuid4()),
            "snapshot": self.source.id,
            "path": self.source.path.name,
            "startedAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "onMiss": settings.on_miss.value,
            "selection": settings.selection.value,
            "timing": settings.timing_factor,
            "buildTag": settings.build_tag,
            "mocks": self.mocks.answers,
            "unservable": self.mocks.unservable,
        }


def _after(first: Redact, second: Redact) -> Redact:
    return lambda pair: second(first(pair))


def _chains(settings: Settings, source: snapshot.Snapshot) -> Chains | None:
    """Return the responder's chains of snapshot, test config and the set that is named; None without any."""
    documents = [("snapshot", dict(source.transforms))]
    documents.append(("test config", dict(settings.test_config.get("transforms") or {})))
    if settings.transform_set:
        documents.append((settings.transform_set, _document(settings)))
    made = [compile_set(d, compile_filter=filters.compile_rule, source=name) for name, d in documents if d]
    chains = tuple(chain for one in made for chain in one.responder)
    if not chains:
        return None
    whole = TransformSet(
        id=made[-1].id,
        responder=chains,
        responder_variables=tuple(variable for one in made for variable in one.responder_variables),
    )
    near = source.path if source.path.is_dir() else source.path.parent
    sources = Sources([near, near.parent, settings.home], os.environ)
    return Chains(Run(whole, seed=settings.seed, service="responder", sources=sources))


def _document(settings: Settings) -> dict[str, Any]:
    return home.find("transform-set", settings.transform_set, settings.home, files=True).document
