"""Extractors that hold no place inside HTTP: empty, file, variable, session, latency, target host and port."""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Extractor, Scope


class Empty(Extractor):
    """An empty value; what the chain makes goes nowhere but into variables and the like."""

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        return ""


class File(Extractor):
    """A file's content, read only."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("filename", "name")
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        return scope.sources.file(self._name).decode("utf-8", "surrogateescape")


class Variable(Extractor):
    """A variable of the vUser, read and written."""

    steady = False

    def __init__(self, config: Config) -> None:
        self._name = config.required("variable", "name")
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        return scope.variables.get(self._name)

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        scope.variables[self._name] = value


class Session(Extractor):
    """The pair's session id."""

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        found = pair.doc.get("session")
        return found if isinstance(found, str) else None

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        pair.doc["session"] = value


class Latency(Extractor):
    """How long the answer took, as `100ms`; a changed value sets the duration (mocks answer at that pace)."""

    side = "response"

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        return f"{pair.doc.get('duration', 0)}ms"

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        from speedscale_runtime.transforms.golang import duration

        pair.doc["duration"] = max(0, round(duration(value) * 1000))


class TargetHostname(Extractor):
    """The host that the request goes to, without port."""

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        return _host(pair)[0]

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        _set_host(pair, value, _host(pair)[1])


class TargetPort(Extractor):
    """The port that the request goes to; empty where the host names none."""

    def __init__(self, config: Config) -> None:
        config.close()

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        return _host(pair)[1]

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        _set_host(pair, _host(pair)[0], value)


def _host(pair: RRPair) -> tuple[str, str]:
    request = pair.http_request or {}
    host = str(request.get("host") or pair.doc.get("network_address") or "")
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and port.isdecimal() else (host, "")


def _set_host(pair: RRPair, name: str, port: str) -> None:
    request = pair.http_request
    if request is not None:
        request["host"] = f"{name}:{port}" if port else name
