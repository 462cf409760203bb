"""Chains of a DLP rule: which pairs (filters), which part (extractor), what is done to it (transforms).

Run before patterns are discovered, in order, each on what the one before left. Which pairs a chain is for is decided
by a predicate that the caller makes, since filter rules are a package of their own. What a chain takes out is
redacted whole, under the kind that a detector or its name would give it, so that tokens agree with discovery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from speedscale_runtime.rrpair import paths
from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas.errors import ConfigError

from .edits import Note, join
from .engine import Engine
from .keynames import KeyNames
from .rules import RuleSet
from .tokens import TOKEN
from .traverse import body, compression

Predicate = Callable[[RRPair], bool]
CompileFilter = Callable[[Mapping[str, Any]], Predicate]
Json = dict[str, Any]

UNRECOGNIZED = "UNRECOGNIZED"
_BODIES = {"req_body": "req", "http_req_body": "req", "res_body": "res", "http_res_body": "res"}
_HEADERS = {"http_req_header": "req", "http_res_header": "res"}
_COOKIES = {"http_req_cookie": ("req", "cookie"), "http_res_cookie": ("res", "set-cookie")}


class _Chain(NamedTuple):
    why: str
    matches: Predicate
    kind: str
    config: Mapping[str, Any]
    steps: tuple[tuple[str, Mapping[str, Any]], ...]


class _Target(NamedTuple):
    """What a chain works on: the document (bodies apart) and the bodies, all its own to change."""

    doc: Json
    bodies: dict[str, bytes | None]


class Chains:
    """All chains of one rule, compiled."""

    def __init__(self, rule: RuleSet, engine: Engine, compile_filter: CompileFilter | None) -> None:
        """Compile; ConfigError when the rule has chains and nobody can read their filters, or a filter is wrong."""
        if rule.chains and compile_filter is None:
            raise ConfigError(
                [f"dlp rule {rule.id!r}: transforms: chains need filter rules, which this caller has not"]
            )
        self._engine = engine
        self._why = ""  # of the chain that runs
        self._names = _listed(rule)
        self._chains = [_compiled(rule.id, i, c, compile_filter) for i, c in enumerate(rule.chains) if compile_filter]

    def apply(
        self, doc: Json, request: bytes | None, response: bytes | None, notes: list[Note]
    ) -> tuple[Json, bytes | None, bytes | None]:
        """Return document and bodies after all chains that match; the very objects when none does."""
        if not self._chains:
            return doc, request, response
        found = len(notes)
        target = _Target(doc, {"req": request, "res": response})
        for chain in self._chains:
            if not chain.matches(RRPair(target.doc, target.bodies["req"], target.bodies["res"])):
                continue
            copied = _Target(orjson.loads(orjson.dumps(target.doc)), dict(target.bodies))
            before = len(notes)
            self._run(chain, copied, notes)
            if len(notes) > before:
                target = copied
        return (
            (target.doc, target.bodies["req"], target.bodies["res"]) if len(notes) > found else (doc, request, response)
        )

    def _run(self, chain: _Chain, target: _Target, notes: list[Note]) -> None:
        self._why = chain.why
        if chain.kind in _BODIES:
            self._body(chain, target, _BODIES[chain.kind], notes)
        elif chain.kind == "json_path":
            path = str(chain.config.get("path", ""))
            for match in paths.find(target.doc, path):
                self._put(target.doc, match, chain, notes, "")
        elif chain.kind == "session":
            self._at(target.doc, "session", chain, notes)
        elif chain.kind == "http_url":
            for where in ("location", "http.req.url", "http.req.uri"):
                self._url(target.doc, where, chain, notes)
        elif chain.kind == "http_queryparam":
            self._query(target.doc, chain, notes)
        else:
            self._header(target.doc, chain, notes)

    def _body(self, chain: _Chain, target: _Target, side: str, notes: list[Note]) -> None:
        place = f"http.{side}.body"
        raw = target.bodies[side]
        if not isinstance(target.doc.get("http"), dict):
            self._protocol(chain, target.doc, side, notes)
            return
        if not raw:
            return
        headers = ((target.doc["http"].get(side) or {}).get("headers")) or {}
        codings = [c for c in body.codings(headers) if c not in ("", "identity")]
        plain = raw
        try:
            for coding in reversed(codings):
                plain = compression.decompress(coding, plain)
        except compression.Unreadable:
            if compression.magic(raw):
                return  # the redaction of bodies, which comes next, fails closed
            plain, codings = raw, []  # a recorder has undone the coding and left its name
        new = self._text(plain, chain, notes, place)
        if new is not plain:
            for coding in codings:
                new = compression.compress(coding, new, raw)
            target.bodies[side] = new

    def _protocol(self, chain: _Chain, doc: Json, side: str, notes: list[Note]) -> None:
        names = ("request", "client") if side == "req" else ("response", "server")
        for key, value in doc.items():
            for name in names:
                if isinstance(value, dict) and isinstance(value.get(name), (dict, list)) and key != "netinfo":
                    value[name] = self._steps(value[name], chain, notes, f"{key}.{name}")

    def _text(self, text: bytes, chain: _Chain, notes: list[Note], place: str) -> bytes:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            if any(kind == "json_path" for kind, _ in chain.steps):
                return text
            new = self._leaf(text.decode("utf-8", "surrogateescape"), "", notes, place)
            return str(new).encode("utf-8", "surrogateescape")
        before = len(notes)
        value = self._steps(value, chain, notes, place + ":$")
        return orjson.dumps(value) if len(notes) > before else text

    def _steps(self, value: Any, chain: _Chain, notes: list[Note], place: str) -> Any:
        """Return the value after the chain's transforms; `json_path` narrows what those behind it work on."""
        holder = {"$": value}
        spots: list[paths.Match] = [paths.Match(("$",), value)]
        for kind, config in chain.steps:
            if kind == "json_path":
                wanted = str(config.get("path", ""))
                spots = [paths.Match((*s.path, *m.path), m.value) for s in spots for m in paths.find(s.value, wanted)]
                continue
            for spot in spots:
                where = place + _rendered(spot.path[1:])
                key = next((p for p in reversed(spot.path[1:]) if isinstance(p, str)), "")
                if kind == "dlp_field":
                    new = self._leaves(spot.value, key, notes, where)
                else:
                    new = self._listed_below(spot.value, notes, where)
                paths.put_at(holder, spot.path, new)
        return holder["$"]

    def _leaves(self, value: Any, key: str, notes: list[Note], place: str) -> Any:
        if isinstance(value, dict):
            return {k: self._leaves(v, k, notes, f"{place}.{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [self._leaves(v, key, notes, f"{place}[{i}]") for i, v in enumerate(value)]
        return self._leaf(value, key, notes, place)

    def _listed_below(self, value: Any, notes: list[Note], place: str) -> Any:
        if isinstance(value, list):
            return [self._listed_below(v, notes, f"{place}[{i}]") for i, v in enumerate(value)]
        if not isinstance(value, dict):
            return value
        out = {}
        for key, item in value.items():
            below = f"{place}.{key}"
            listed = self._names.rule(key.encode("utf-8", "surrogatepass")) is not None
            out[key] = self._leaves(item, key, notes, below) if listed else self._listed_below(item, notes, below)
        return out

    def _leaf(self, value: Any, key: str, notes: list[Note], place: str) -> Any:
        if value is None or value == "":
            return value
        if isinstance(value, bool):
            notes.append(Note(place, UNRECOGNIZED, 5 - value, "null", "dlp_field", self._why))
            return None
        text = (value if isinstance(value, str) else orjson.dumps(value).decode("ascii")).encode(
            "utf-8", "surrogatepass"
        )
        kind = self._kind(text, key)
        tokens = self._engine.tokens
        if isinstance(value, (int, float)):
            if tokens.is_number(text, kind):
                return value
            new = tokens.number(kind, text)
            notes.append(Note(place, kind, len(text), new.decode("ascii"), "dlp_field", self._why))
            return orjson.loads(new)
        if TOKEN.fullmatch(text.strip()) or tokens.made(text):
            return value
        token = tokens.token(kind, text).decode("utf-8", "replace")
        notes.append(Note(place, kind, len(text), token, "dlp_field", self._why, text))
        return token

    def _kind(self, text: bytes, key: str) -> str:
        rule = self._engine.names.rule(key.encode("utf-8", "surrogatepass")) if key else None
        if rule is not None and not rule.person and rule.accept(text):
            return rule.kind
        for edit in self._engine.values(text, self._engine.hits(text)):
            if edit.start == 0 and edit.end == len(text):
                return edit.notes[0].kind
        return UNRECOGNIZED

    def _put(self, doc: Json, match: paths.Match, chain: _Chain, notes: list[Note], place: str) -> None:
        where = join(place, paths.render(match.path))
        paths.put_at(doc, match.path, self._steps(match.value, chain, notes, where))

    def _at(self, doc: Json, path: str, chain: _Chain, notes: list[Note]) -> None:
        for match in paths.find(doc, path):
            self._put(doc, match, chain, notes, "")

    def _header(self, doc: Json, chain: _Chain, notes: list[Note]) -> None:
        side, wanted = _HEADERS.get(chain.kind, ""), str(chain.config.get("name", "")).lower()
        cookie = ""
        if chain.kind in _COOKIES:
            (side, wanted), cookie = _COOKIES[chain.kind], wanted
        part = (doc.get("http") or {}).get(side)
        headers = part.get("headers") if isinstance(part, dict) else None
        for name, values in (headers or {}).items():
            if name.lower() != wanted or not isinstance(values, list):
                continue
            for i, value in enumerate(values):
                place = f"http.{side}.headers.{name}[{i}]"
                if isinstance(value, str):
                    values[i] = (
                        self._cookie(value, cookie, notes, place) if cookie else self._leaf(value, name, notes, place)
                    )

    def _cookie(self, value: str, wanted: str, notes: list[Note], place: str) -> str:
        parts = value.split(";")
        for i, part in enumerate(parts):
            name, equals, text = part.partition("=")
            if equals and name.strip().lower() == wanted:
                parts[i] = f"{name}={self._leaf(text, wanted, notes, f'{place}.{name.strip()}')}"
        return ";".join(parts)

    def _query(self, doc: Json, chain: _Chain, notes: list[Note]) -> None:
        wanted = str(chain.config.get("name", ""))
        request = (doc.get("http") or {}).get("req")
        if not isinstance(request, dict):
            return
        values = (request.get("queryParams") or {}).get(wanted)
        if isinstance(values, list):
            request["queryParams"][wanted] = self._leaves(values, wanted, notes, f"http.req.queryParams.{wanted}")
        for owner, key, place in (
            (doc, "location", "location"),
            (request, "url", "http.req.url"),
            (request, "uri", "http.req.uri"),
        ):
            text = owner.get(key)
            if isinstance(text, str) and "?" in text:
                owner[key] = self._parameters(text, wanted, notes, place)

    def _parameters(self, text: str, wanted: str, notes: list[Note], place: str) -> str:
        from urllib.parse import unquote_plus

        start, _, query = text.partition("?")
        parts = query.split("&")
        for i, part in enumerate(parts):
            name, equals, value = part.partition("=")
            if equals and unquote_plus(name) == wanted:
                parts[i] = f"{name}={self._leaf(unquote_plus(value), wanted, notes, f'{place}.?{wanted}')}"
        return start + "?" + "&".join(parts)

    def _url(self, doc: Json, path: str, chain: _Chain, notes: list[Note]) -> None:
        index = str(chain.config.get("index", ""))
        for match in paths.find(doc, path):
            if not isinstance(match.value, str):
                continue
            start, question, query = match.value.partition("?")
            segments = start.split("/")
            for i, segment in enumerate(segments):
                if segment and (not index or str(i) == index):
                    segments[i] = str(self._leaf(segment, "", notes, f"{path}/{i}"))
            paths.put_at(doc, match.path, "/".join(segments) + question + query)


def _compiled(rule: str, i: int, chain: Mapping[str, Any], compile_filter: CompileFilter) -> _Chain:
    wanted = chain["filters"]
    spec = {"id": f"{rule}-{i}", **(wanted if "conditions" in wanted else {"conditions": [wanted]})}
    try:
        matches = compile_filter(spec)
    except ConfigError as error:
        raise ConfigError([f"dlp rule {rule!r}: transforms[{i}].filters: {p}" for p in error.problems]) from error
    extractor = chain["extractor"]
    steps = tuple((str(t["type"]), t.get("config", {})) for t in chain["transforms"])
    why = f"named by the chain {chain.get('id') or f'transforms[{i}]'!r}"
    return _Chain(why, matches, str(extractor["type"]), extractor.get("config", {}), steps)


def _listed(rule: RuleSet) -> KeyNames:
    return KeyNames([r for r in rule.key_rules if not r.person])


def _rendered(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
