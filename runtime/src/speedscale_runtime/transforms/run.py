"""The state of one vUser (or one responder session): variables, counters, random source, smart replacement table.

`request` is called before a recorded request is sent, `response` with what came back. In the responder the
same two are called with the incoming request and with the answer about to be served.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping

from speedscale_runtime.rrpair import RRPair

from . import http
from .compiled import Chain, TransformSet
from .copying import writable
from .errors import TransformError
from .extractors.url import set_uri, uri
from .links import Links
from .model import Scope, Service, Side
from .smart import SmartTable, form_encoded, json_escaped, percent, plain
from .sources import Sources

Redact = Callable[[str, bool], str]
Made = dict[object, tuple[float, RRPair]]
_NO_LINKS = Links({})
_KEEP_S = 60


class Run:
    """One vUser. `clock` is epoch seconds; the same seed and vUser give the same random values.

    `key` in the calls names the recorded pair (its index); what depends on the recording alone is kept under it.
    None keeps nothing. `made` is where requests of steady chains are kept; vUsers of one process may share it.
    """

    def __init__(
        self,
        transform_set: TransformSet,
        variables: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        *,
        vuser: int = 0,
        service: Service = "generator",
        sources: Sources | None = None,
        redact: Redact | None = None,
        links: Links = _NO_LINKS,
        table: SmartTable | None = None,
        made: Made | None = None,
    ) -> None:
        self._service = service
        self._clock = clock
        self._sources = sources or Sources()
        self._redact = redact
        self._links = links
        self._made: Made = {} if made is None else made
        self._rng = random.Random(f"{seed}/{vuser}")
        self._counters: dict[str, int] = {}
        self._cache: dict[object, object] = {}
        self._chosen: dict[tuple[Side, object], tuple[Chain, ...]] = {}
        self.variables = dict(variables or {})
        self.table = table or SmartTable()
        self.delay_ms = 0.0
        generator = service == "generator"
        self._chains = transform_set.generator if generator else transform_set.responder
        for name, chain in transform_set.generator_variables if generator else transform_set.responder_variables:
            self._make_variable(name, chain)

    def request(self, pair: RRPair, key: object = None) -> RRPair:
        """Return the request to send: `pair` itself where nothing changes it, else a copy, not to be changed.

        `delay_ms` then says how long it is to wait. Chains run first, then smart replacement, then signing chains.
        """
        self.delay_ms = 0.0
        chains = self._choose("request", pair, key)
        uses = self.table.uses(key, lambda: _flat(pair)) if len(self.table) else ()
        if not chains and not uses:
            return pair
        keep = key is not None and not uses and all(chain.steady for chain in chains)
        if keep:
            kept = self._made.get(key)
            if kept is not None and 0 <= self._clock() - kept[0] < _KEEP_S:
                return kept[1]
        made = writable(pair)
        scope = self._scope(made, "request", pair)
        signing = [chain for chain in chains if chain.signs]
        for chain in chains:
            if not chain.signs:
                chain.run(scope)
        if len(self.table):
            uses = self.table.uses(key, lambda: _flat(pair))  # a chain of this very request may have taught something
            if uses:
                self._replace(made, uses)
        for chain in signing:
            chain.run(scope)
        self.delay_ms = scope.delay_ms
        if keep:
            self._made[key] = (scope.now, made)
        return made

    def wants_response(self, pair: RRPair, key: object = None) -> bool:
        """Whether `response` would do anything with the answer to this recorded pair."""
        return bool(self._choose("response", pair, key)) or (isinstance(key, int) and bool(self._links.at(key)))

    def response(self, recorded: RRPair, live: RRPair, key: object = None) -> RRPair:
        """Learn from a live answer, and return it as its chains leave it (`live` itself where there are none)."""
        if isinstance(key, int):
            self._links.learn(key, live, self.table)
        chains = self._choose("response", recorded, key)
        if not chains:
            return live
        made = writable(live)
        scope = self._scope(made, "response", recorded)
        for chain in chains:
            chain.run(scope)
        self.delay_ms = scope.delay_ms
        return made

    def _choose(self, side: Side, pair: RRPair, key: object) -> tuple[Chain, ...]:
        if not self._chains:
            return ()
        chosen = self._chosen.get((side, key)) if key is not None else None
        if chosen is None:
            chosen = tuple(chain for chain in self._chains if chain.side == side and chain.applies(pair))
            if key is not None:
                self._chosen[side, key] = chosen
        return chosen

    def _scope(self, pair: RRPair, side: Side, recorded: RRPair | None) -> Scope:
        return Scope(
            pair=pair,
            side=side,
            service=self._service,
            variables=self.variables,
            counters=self._counters,
            table=self.table,
            rng=self._rng,
            now=self._clock(),
            sources=self._sources,
            recorded=recorded,
            redact=self._redact,
            cache=self._cache,
        )

    def _make_variable(self, name: str, chain: Chain) -> None:
        holder = RRPair({})
        scope = self._scope(holder, "request", None)
        try:
            value = chain.extractor.get(holder, scope) or ""
            befores: list[str] = []
            for step in chain.steps:
                befores.append(value)
                value = step.forward(value, scope)
            for step, before in zip(reversed(chain.steps), reversed(befores), strict=True):
                value = value if step.isolates else step.backward(before, value, scope)
        except TransformError:
            return
        self.variables.setdefault(name, value)

    def _replace(self, pair: RRPair, uses: tuple[str, ...]) -> None:
        request = pair.http_request
        if request is None:
            return
        table = self.table
        whole = uri(pair)
        new = table.replace(whole, uses, percent)
        if new != whole:
            set_uri(pair, new)
        for name, values in (request.get("headers") or {}).items():
            request["headers"][name] = [table.replace(v, uses) if isinstance(v, str) else v for v in values]
        try:
            body = http.body_text(pair, "request")
        except TransformError:
            return
        if body:
            json_like = body.lstrip()[:1] in ("{", "[", '"')
            form = "urlencoded" in ",".join(http.header(pair, "request", "Content-Type")).casefold()
            changed = table.replace(body, uses, json_escaped if json_like else form_encoded if form else plain)
            if changed != body:
                http.set_body_text(pair, "request", changed)


def _flat(pair: RRPair) -> str:
    """Everything of the request in which a recorded value may stand."""
    request = pair.http_request
    if request is None:
        return ""
    parts = [uri(pair)]
    for values in (request.get("headers") or {}).values():
        parts += values if isinstance(values, list) else [str(values)]
    with contextlib.suppress(TransformError):
        parts.append(http.body_text(pair, "request") or "")
    return "\n".join(parts)
