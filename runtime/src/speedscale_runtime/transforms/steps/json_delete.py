"""json_delete: take values out of a JSON document."""

from __future__ import annotations

from speedscale_runtime.rrpair.paths import find, parse
from speedscale_runtime.transforms import jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step


class JsonDelete(Step):
    """Every value at `path` (which may hold `*` and `..`) goes; a document without one stays as it is."""

    def __init__(self, config: Config) -> None:
        self._path = config.required("path")
        config.close()
        try:
            parse(self._path)
        except ValueError as error:
            raise config.error(f"path: {error}") from None

    def forward(self, value: str, scope: Scope) -> str:
        document = jsonspan.load(value)
        matches = [match.path for match in find(document, self._path)]
        if not matches or not matches[0]:
            return value
        for path in sorted(
            matches, key=lambda p: [(isinstance(s, int), s if isinstance(s, int) else 0) for s in p], reverse=True
        ):
            holder = document
            for segment in path[:-1]:
                holder = holder[segment]
            del holder[path[-1]]
        return jsonspan.dump(document)
