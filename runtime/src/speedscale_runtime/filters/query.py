"""The query language of filter rules, and its way to JSON and back.

Called by speedctl, the snapshot selection and by rule files that hold a query. `(service IS "shop") AND
(tag[env] IS "dev" OR sample IS "1/5")`: groups in parentheses, joined by AND or OR; within a group filters joined
by AND or OR. A rule's JSON has these two levels and no more, so deeper nesting is refused, and so is AND beside OR
without parentheses. Pure text work; values are checked when the rule is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

Json = dict[str, Any]


class _Token(NamedTuple):
    kind: str  # "(", ")", "[", "]", "word", "string", "end"
    text: str
    column: int  # 1 is the first


_LEXER = re.compile(
    r"""\s+|(?P<mark>[()\[\]])|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s()\[\]"']+)""", re.S
)
_PLAIN = {
    "cluster": "cluster",
    "command": "detectedCommand",
    "direction": "direction",
    "host": "host",
    "l7protocol": "l7protocol",
    "location": "detectedLocation",
    "namespace": "namespace",
    "networkaddr": "network_address",
    "reqbodyhash": "requestBodyHash",
    "reqbodyjson": "requestBodyJson",
    "reqbodyxml": "requestBodyXml",
    "sample": "sample",
    "service": "service",
    "session": "session",
    "snapshot": "snapshotId",
    "source": "source",
    "status": "detectedStatus",
    "tech": "tech",
    "text": "text",
    "timerange": "timeRange",
    "url": "optUrl",
    "uuid": "uuid",
}
_KEYED = {
    "header": ("header", ""),
    "tag": ("tag", ""),
    "req_json": ("reqFilter", "REQ_FILTER_TYPE_JSON"),
    "req_xml": ("reqFilter", "REQ_FILTER_TYPE_XML"),
    "req_xpath": ("reqFilter", "REQ_FILTER_TYPE_XPATH"),
    "req_soapxpath": ("reqFilter", "REQ_FILTER_TYPE_SOAPXPATH"),
    "resp_json": ("respFilter", "RESP_FILTER_TYPE_JSON"),
    "resp_xml": ("respFilter", "RESP_FILTER_TYPE_XML"),
    "resp_xpath": ("respFilter", "RESP_FILTER_TYPE_XPATH"),
    "resp_soapxpath": ("respFilter", "RESP_FILTER_TYPE_SOAPXPATH"),
}
_KEY_ALLOWED = {"reqbodyjson", "reqbodyxml", "sample"}
_ALIASES = {"method": "command", "network_address": "networkaddr"}
KEYWORDS = (*_PLAIN, *_KEYED, *_ALIASES)
_OPERATORS = {"IS": "EQUAL", "CONTAINS": "CONTAINS", "REGEX": "REGEX"}


def parse_query(text: str) -> Json:
    """Return the rule's JSON (operator and conditions) for a query.

    Raises ConfigError that names the column, shows it, says what was expected and suggests the nearest keyword.
    """
    return _Parser(text).rule()


def format_query(rule: Mapping[str, Any]) -> str:
    """Return the query of a rule's JSON; parse_query of it gives conditions that mean the same."""
    groups = []
    for condition in rule["conditions"]:
        glue = f" {condition.get('operator', 'AND')} "
        groups.append(f"({glue.join(_format_filter(f) for f in condition['filters'])})")
    return f" {rule.get('operator', 'AND')} ".join(groups)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._lex()
        self._at = 0

    def rule(self) -> Json:
        if self._peek().kind == "end":
            raise self._error(self._peek(), 'the query is empty; expected a filter such as service IS "shop"')
        operator, conditions = self._joined(self._group, "group")
        self._take("end", "AND, OR or the end of the query")
        bare = [c for c in conditions if c.pop("bare", False)]
        if len(bare) == len(conditions) > 1:
            return {"operator": "AND", "conditions": [_condition(operator, [c["filters"][0] for c in conditions])]}
        return {"operator": operator, "conditions": conditions}

    def _group(self) -> Json:
        if self._peek().kind != "(":
            return {**_condition("AND", [self._filter()]), "bare": True}
        opened = self._next()
        if self._peek().kind == "(":
            inner = self._group()
            if self._peek().kind != ")":
                raise self._error(self._peek(), "groups nest one level deep; write (a OR b) AND (c OR d)")
            self._next()
            return inner
        operator, filters = self._joined(self._filter, "filter")
        if self._peek().kind != ")":
            raise self._error(self._peek(), f"expected ) for the ( in column {opened.column}, or AND, OR")
        self._next()
        return _condition(operator, filters)

    def _joined(self, item: Callable[[], Json], what: str) -> tuple[str, list[Json]]:
        found, operator = [item()], ""
        while (token := self._peek()).kind == "word" and token.text.upper() in ("AND", "OR"):
            word = self._next().text.upper()
            if operator and word != operator:
                raise self._error(token, f"{word} beside {operator}; put what belongs together in parentheses")
            operator = word
            found.append(item())
        return operator or "AND", found

    def _filter(self) -> Json:
        token = self._take("word", "a keyword such as service, url, header[name]")
        keyword = token.text.lower()
        keyword = _ALIASES.get(keyword, keyword)
        if keyword not in _PLAIN and keyword not in _KEYED:
            near = nearest(keyword, KEYWORDS)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(KEYWORDS))}"
            raise self._error(token, f"unknown keyword {token.text!r}; {hint}")
        key = self._key(token, keyword)
        include, operator = self._operator()
        value = self._value()
        if keyword == "timerange":
            spec: Any = {"startTime": value, "endTime": self._value()}
        elif keyword in _KEYED:
            name, kind = _KEYED[keyword]
            spec = {"key": key, "value": value} | ({"type": kind} if kind else {})
            return {"include": include, "operator": operator, name: spec}
        else:
            spec = value if key is None else {"key": key, "value": value}
        if keyword in ("timerange", "sample") and operator != "EQUAL":
            raise self._error(token, f"{keyword} takes IS or NOT")
        return {"include": include, "operator": operator, _PLAIN[keyword]: spec}

    def _key(self, token: _Token, keyword: str) -> str | None:
        if self._peek().kind != "[":
            if keyword in _KEYED:
                raise self._error(self._peek(), f"{keyword} needs a key: {keyword}[name]")
            return None
        opened = self._next()
        if keyword not in _KEYED and keyword not in _KEY_ALLOWED:
            raise self._error(opened, f"{keyword} takes no key")
        if self._peek().kind == "string":
            key = _unquoted(self._next().text)
        else:  # a path may hold brackets of its own: items[0].id
            start, depth = opened.column, 1
            while depth:
                part = self._next()
                if part.kind == "end":
                    raise self._error(opened, "this [ is never closed")
                depth += {"[": 1, "]": -1}.get(part.kind, 0)
            key = self._text[start : part.column - 1].strip()
            self._at -= 1
        self._take("]", "]")
        if not key:
            raise self._error(opened, "the key is empty")
        return key

    def _operator(self) -> tuple[bool, str]:
        token = self._take("word", "an operator: IS, NOT, CONTAINS, NOT CONTAINS, REGEX")
        word, include = token.text.upper(), True
        following = self._peek()
        if word == "IS" and following.kind == "word" and following.text.upper() == "NOT":
            word = self._next().text.upper()
            following = self._peek()
        if word == "NOT":
            include, word = False, "IS"
            if following.kind == "word" and following.text.upper() in _OPERATORS:
                word = self._next().text.upper()
        if word not in _OPERATORS:
            near = nearest(word, [*_OPERATORS, "NOT"])
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self._error(
                token, f"unknown operator {token.text!r}; expected IS, NOT, CONTAINS, NOT CONTAINS, REGEX{hint}"
            )
        return include, _OPERATORS[word]

    def _value(self) -> str:
        token = self._next()
        if token.kind not in ("word", "string"):
            raise self._error(token, 'expected a value, such as "shop"')
        return _unquoted(token.text) if token.kind == "string" else token.text

    def _lex(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(self._text):
            found = _LEXER.match(self._text, at)
            if not found:
                raise self._error(_Token("", self._text[at], at + 1), "this quotation mark is never closed")
            kind = found.lastgroup
            if kind:
                tokens.append(_Token(found[0] if kind == "mark" else kind, found[0], at + 1))
            at = found.end()
        return [*tokens, _Token("end", "", len(self._text) + 1)]

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take(self, kind: str, expected: str) -> _Token:
        token = self._peek()
        if token.kind != kind:
            found = "the end of the query" if token.kind == "end" else repr(token.text)
            raise self._error(token, f"found {found}, expected {expected}")
        return self._next()

    def _error(self, token: _Token, message: str) -> ConfigError:
        shown = " ".join(self._text.split("\n"))
        start = max(0, token.column - 40)
        excerpt = shown[start : token.column + 40]
        pointer = " " * (token.column - 1 - start) + "^"
        return ConfigError([f"query, column {token.column}: {message}\n  {excerpt}\n  {pointer}"])


def _condition(operator: str, filters: list[Json]) -> Json:
    return {"operator": operator, "filters": filters}


def _unquoted(text: str) -> str:
    return re.sub(r"\\([\\\"'])", r"\1", text[1:-1])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _format_filter(spec: Mapping[str, Any]) -> str:
    word = {"EQUAL": "IS", "CONTAINS": "CONTAINS", "REGEX": "REGEX"}[spec.get("operator", "EQUAL")]
    if not spec.get("include", True):
        word = "NOT" if word == "IS" else f"NOT {word}"
    name, value = next((k, v) for k, v in spec.items() if k not in ("include", "operator"))
    if name == "timeRange":
        return f"timerange {word} {_quoted(value.get('startTime', ''))} {_quoted(value.get('endTime', ''))}"
    if isinstance(value, str):
        keyword = next(k for k, v in _PLAIN.items() if v == ("optUrl" if name == "url" else name))
        return f"{keyword} {word} {_quoted(value)}"
    kind = value.get("type", "")
    if name in ("httpReqXPath", "httpReqSoapXPath"):
        name, kind = "reqFilter", "REQ_FILTER_TYPE_" + name.removeprefix("httpReq").upper()
    elif name in ("reqFilter", "respFilter"):
        kind = f"{name.removesuffix('Filter').upper()}_FILTER_TYPE_{kind.rpartition('_')[2] or 'JSON'}"
    by_spec = {v: k for k, v in _KEYED.items()} | {(v, ""): k for k, v in _PLAIN.items()}
    return f"{by_spec[name, kind]}[{_quoted(value['key'])}] {word} {_quoted(value.get('value', ''))}"
