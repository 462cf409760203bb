"""json_path: isolate one value of a JSON document; no other byte of it changes."""

from __future__ import annotations

from speedscale_runtime.rrpair.paths import put
from speedscale_runtime.transforms import jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class JsonPath(Step):
    """`path` as a.b[0].c; with `create` (default) a missing value is made. The old value keeps its type."""

    isolates = True

    def __init__(self, config: Config) -> None:
        self._path = config.required("path")
        self._create = config.boolean("create", default=True)
        config.close()
        self.steady = "${{" not in self._path
        try:
            self._split = jsonspan.split(self._path)
        except ValueError as error:
            raise config.error(f"path: {error}") from None

    def forward(self, value: str, scope: Scope) -> str:
        place = jsonspan.span(value, self._where(scope))
        if place is None:
            if not self._create:
                raise TransformError("there is no value at the path")
            return ""
        return jsonspan.show(value[place[0] : place[1]])

    def backward(self, before: str, value: str, scope: Scope) -> str:
        path = self._where(scope)
        place = jsonspan.span(before, path)
        if place is not None:
            start, end = place
            return before[:start] + jsonspan.write(before[start:end], value) + before[end:]
        document = jsonspan.load(before)
        if not put(document, resolve(self._path, scope), value, create=self._create):
            raise TransformError("there is no place for the value at the path")
        return jsonspan.dump(document)

    def _where(self, scope: Scope) -> jsonspan.Path:
        return jsonspan.split(resolve(self._path, scope)) if "${{" in self._path else self._split
