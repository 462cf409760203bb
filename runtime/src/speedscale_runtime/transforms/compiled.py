"""Compile a transform set (JSON, schema `transform-set`) once: names, configurations, filters; and run one chain.

Called by generator and responder at start. Every problem of a set is reported together. An unknown name is
refused with the nearest one. A chain that fails records an event on the pair and ends; the pair goes on.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

from . import extractors, steps
from .config import Config
from .errors import TransformError
from .model import Extractor, Scope, Side, Step

_T = TypeVar("_T")
_EVENTS_MAX = 32


class Rule(Protocol):
    """What is asked of a compiled filter rule."""

    def matches(self, pair: RRPair) -> bool:
        """Whether the rule speaks of the pair."""
        ...


CompileFilter = Callable[[Mapping[str, Any]], Rule]


@dataclass(frozen=True, slots=True)
class Chain:
    """One compiled chain. `name` says in messages where it stands in its set; `signs`: it has to come last.

    `steady`: what it makes of a recorded request is the same for every vUser, for a minute.
    """

    name: str
    rule: Rule | None
    extractor: Extractor
    steps: tuple[Step, ...]
    signs: bool = False
    steady: bool = False

    @property
    def side(self) -> Side:
        """Whether it works on requests or on responses."""
        return self.extractor.side

    def applies(self, pair: RRPair) -> bool:
        """Whether the chain's filters let the pair through."""
        return self.rule is None or self.rule.matches(pair)

    def run(self, scope: Scope) -> None:
        """Run the chain on the scope's pair; a failure becomes an event on the pair."""
        try:
            self._run(scope)
        except TransformError as error:
            record_event(scope.pair, self.name, str(error), scope.now)
        except Exception as error:
            # A bug or an odd pair; traffic goes on, and no text of it may leak through the message.
            record_event(scope.pair, self.name, f"failed: {type(error).__name__}", scope.now)

    def _run(self, scope: Scope) -> None:
        token = self.extractor.get(scope.pair, scope)
        if token is None:
            return
        recorded = self._recorded(scope)
        before: list[str] = []
        value = token
        for index, step in enumerate(self.steps):
            before.append(value)
            scope.recorded_value = recorded[index] if index < len(recorded) else None
            value = step.forward(value, scope)
        after = [*before[1:], value]
        for step, went_in, came_out in zip(reversed(self.steps), reversed(before), reversed(after), strict=True):
            value = went_in if step.isolates and value == came_out else step.backward(went_in, value, scope)
        if value != token:
            self.extractor.put(scope.pair, value, scope)

    def _recorded(self, scope: Scope) -> list[str]:
        """What each step would see of the recorded pair; shorter where the recorded pair has no such value."""
        if scope.recorded is None or not any(step.needs_recorded for step in self.steps):
            return []
        seen: list[str] = []
        try:
            value = self.extractor.get(scope.recorded, scope)
            if value is None:
                return seen
            for step in self.steps:
                seen.append(value)
                if step.isolates:
                    value = step.forward(value, scope)
        except TransformError:
            pass
        return seen


@dataclass(frozen=True, slots=True)
class TransformSet:
    """A compiled set: chains of generator and responder (signing ones last), and the chains that make variables."""

    id: str
    generator: tuple[Chain, ...] = ()
    responder: tuple[Chain, ...] = ()
    generator_variables: tuple[tuple[str, Chain], ...] = ()
    responder_variables: tuple[tuple[str, Chain], ...] = ()


def compile_set(
    document: Mapping[str, Any], *, compile_filter: CompileFilter | None = None, source: str = "transform set"
) -> TransformSet:
    """Return the compiled set of a transform set or blueprint (`tokenizeConfig`); field names in any letter case.

    `compile_filter` is `filters.compile_rule`; without it a chain with filters is refused. Raises ConfigError with
    every problem.
    """
    problems: list[str] = []
    whole = _fold(document)
    if isinstance(whole.get("tokenizeconfig"), Mapping):
        whole = _fold(whole["tokenizeconfig"])
    compiler = _Compiler(compile_filter, problems)
    made = TransformSet(
        id=str(whole.get("id", "")),
        generator=compiler.chains(whole.get("generator"), f"{source}: generator"),
        responder=compiler.chains(whole.get("responder"), f"{source}: responder"),
        generator_variables=compiler.variables(whole.get("generatorvariables"), f"{source}: generatorVariables"),
        responder_variables=compiler.variables(whole.get("respondervariables"), f"{source}: responderVariables"),
    )
    if problems:
        raise ConfigError(problems)
    return made


def record_event(pair: RRPair, source: str, message: str, now: float) -> None:
    """Add an event to the pair (bounded); the message must hold no value of the traffic."""
    events = pair.doc.get("events")
    events = list(events) if isinstance(events, list) else []
    if len(events) < _EVENTS_MAX:
        stamp = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{source}\0{message}\0{len(events)}"))
        events.append({"uuid": name, "ts": stamp, "source": source, "operation": "transform", "message": message})
    pair.doc["events"] = events


class _Compiler:
    def __init__(self, compile_filter: CompileFilter | None, problems: list[str]) -> None:
        self._compile_filter = compile_filter
        self._problems = problems

    def chains(self, value: object, where: str) -> tuple[Chain, ...]:
        made = [self._chain(item, f"{where}[{i}]") for i, item in enumerate(self._list(value, where))]
        return tuple(sorted((chain for chain in made if chain), key=lambda chain: chain.signs))

    def variables(self, value: object, where: str) -> tuple[tuple[str, Chain], ...]:
        made: list[tuple[str, Chain]] = []
        for index, item in enumerate(self._list(value, where)):
            folded = _fold(item) if isinstance(item, Mapping) else {}
            chain = self._chain(folded.get("config"), f"{where}[{index}].config")
            if not folded.get("name"):
                self._problems.append(f"{where}[{index}]: a variable needs a name")
            elif chain:
                made.append((str(folded["name"]), chain))
        return tuple(made)

    def _list(self, value: object, where: str) -> Sequence[Any]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self._problems.append(f"{where}: expected a list, found {type(value).__name__}")
            return ()
        return value

    def _chain(self, value: object, where: str) -> Chain | None:
        if not isinstance(value, Mapping):
            self._problems.append(f"{where}: expected an object with extractor and transforms")
            return None
        folded = _fold(value)
        known = ("id", "filters", "extractor", "transforms", "tags")
        for key in set(folded) - set(known):
            near = nearest(key, known)
            self._problems.append(f"{where}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        rule = self._rule(folded.get("filters"), where)
        extractor = self._named(folded.get("extractor"), f"{where}.extractor", extractors.TABLE, extractors.ALIASES)
        made = [
            self._named(item, f"{where}.transforms[{i}]", steps.TABLE, steps.ALIASES)
            for i, item in enumerate(self._list(folded.get("transforms"), f"{where}.transforms"))
        ]
        if extractor is None:
            return None
        chain = tuple(step for step in made if step)
        steady = extractor.steady and all(step.steady for step in chain)
        return Chain(where, rule, extractor, chain, any(step.signs for step in chain), steady)

    def _rule(self, value: object, where: str) -> Rule | None:
        if not isinstance(value, Mapping) or not value.get("filters", value.get("conditions")):
            return None
        if self._compile_filter is None:
            self._problems.append(f"{where}.filters: filters cannot be used here")
            return None
        rule = dict(value) if "conditions" in value else {"operator": "AND", "conditions": [dict(value)]}
        try:
            return self._compile_filter({"id": where, **rule})
        except ConfigError as error:
            self._problems.append(f"{where}.filters: {error}")
            return None

    def _named(
        self, value: object, where: str, table: Mapping[str, Callable[[Config], _T]], aliases: Mapping[str, str]
    ) -> _T | None:
        folded = _fold(value) if isinstance(value, Mapping) else {}
        name = str(folded.get("type", ""))
        config = folded.get("config")
        key = aliases.get(name.casefold(), name.casefold())
        factory = table.get(key)
        if factory is None:
            self._problems.append(f"{where}.type: {_unknown(name, [*table, *aliases])}")
            return None
        try:
            return factory(Config(config if isinstance(config, Mapping) else {}, f"{where} ({key})"))
        except ConfigError as error:
            self._problems += error.problems
            return None


def _unknown(name: str, known: Sequence[str]) -> str:
    if name.casefold() in steps.NOT_YET:
        return f"{name!r} is not supported yet"
    near = nearest(name, known)
    return f"{name!r} is unknown; " + (
        f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
    )


def _fold(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key.casefold(): item for key, item in value.items()}
