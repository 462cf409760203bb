"""http_auth: other credentials in a Basic Authorization header, a JSON body or a form body."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable

from speedscale_runtime.transforms import jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step, raw, text
from speedscale_runtime.transforms.placeholders import resolve
from speedscale_runtime.transforms.smart import form_encoded

_Change = Callable[[str, str, str], tuple[str, str]]


class HttpAuth(Step):
    """`user` and `password` name the fields, `user_value` and `password_value` what to put there.

    With `smart_replace` the old user is replaced by the new one everywhere, from now on (never the password).
    """

    signs = True

    def __init__(self, config: Config) -> None:
        self._fields = (config.text("user", default="username"), config.text("password", default="password"))
        self._values = (config.text("user_value"), config.text("password_value"))
        self._smart = config.boolean("smart_replace")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        new = (resolve(self._values[0], scope), resolve(self._values[1], scope))
        scheme, _, coded = value.partition(" ")
        if scheme.casefold() == "basic":
            return f"{scheme} {self._basic(coded.strip(), new, scope)}"
        if value.lstrip().startswith("{"):
            return self._each(value, new, scope, _in_json)
        return self._each(value, new, scope, _in_form)

    def _basic(self, coded: str, new: tuple[str, str], scope: Scope) -> str:
        try:
            user, _, password = text(base64.b64decode(coded, validate=True)).partition(":")
        except binascii.Error:
            raise TransformError("the Authorization header is no Basic one") from None
        self._learn(user, new[0], scope)
        return base64.b64encode(raw(f"{new[0] or user}:{new[1] or password}")).decode()

    def _each(self, value: str, new: tuple[str, str], scope: Scope, change: _Change) -> str:
        for index, (field, replacement) in enumerate(zip(self._fields, new, strict=True)):
            if replacement:
                value, old = change(value, field, replacement)
                if index == 0:
                    self._learn(old, replacement, scope)
        return value

    def _learn(self, old: str, new: str, scope: Scope) -> None:
        if self._smart and old and new:
            scope.table.learn(old, new, overwrite=False)


def _in_json(document: str, field: str, new: str) -> tuple[str, str]:
    place = jsonspan.span(document, jsonspan.split(field))
    if place is None:
        return document, ""
    old = jsonspan.show(document[place[0] : place[1]])
    return document[: place[0]] + json.dumps(new, ensure_ascii=False) + document[place[1] :], old


def _in_form(document: str, field: str, new: str) -> tuple[str, str]:
    match = re.search(rf"(?:^|&){re.escape(form_encoded(field))}=([^&]*)", document)
    if match is None:
        return document, ""
    return document[: match.start(1)] + form_encoded(new) + document[match.end(1) :], match[1]
