"""var_store and var_load: keep a value for the vUser, and use one."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class VarStore(Step):
    """The value at this place of the chain is kept as variable `name`."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("name", "variable")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        scope.variables[self._name] = value
        return value


class VarLoad(Step):
    """The value becomes that of variable `name`; the chain fails where there is none yet."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("name", "variable")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        if self._name not in scope.variables:
            raise TransformError(f"there is no variable {self._name!r} yet")
        return scope.variables[self._name]
