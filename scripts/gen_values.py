"""Text of `values/model.py` and `cdk8s/values.yaml`, from the schema of the installation's values.

Called by `gen.py`. Pure: schema in, text out. The names follow the rule in `docs/manifests.md`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_manifests.values.writing import block, entry, scalar

Schema = Mapping[str, Any]

WIDTH = 120

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_HEAD = '''"""The installation's values as frozen dataclasses. Written by `make gen`; change the schema, not this.

Every component reads settings from here and from nowhere else. A tree that comes in is merged, checked and frozen;
`of` only gives its parts their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .frozen import Frozen, plain
from .places import Warned, text

'''

_TAIL = '''
    sources: Mapping[str, str] = field(default_factory=Frozen, compare=False, repr=False)
    """Which layer set a path (`a.b[0].c`): `default`, `preset openshift`, `values.yaml:12`, `--set a.b=c`."""
    warnings: tuple[Warned, ...] = field(default=(), compare=False, repr=False)
    """What is allowed, but probably not meant."""
    frozen: Mapping[str, Any] = field(default_factory=Frozen, repr=False)
    """The merged tree, read-only; `tree()` gives a copy to change."""

    def origin(self, path: tuple[str | int, ...]) -> str:
        """Return which layer set a path, or the nearest one above it."""
        while path and text(path) not in self.sources:
            path = path[:-1]
        return self.sources.get(text(path), "default") if path else "default"

    def tree(self) -> dict[str, Any]:
        """Return the merged, plain form: dicts and lists of the caller's own."""
        copied: dict[str, Any] = plain(self.frozen)
        return copied
'''


def snake(key: str) -> str:
    """Return the attribute of a key: `createTLSCerts` → `create_tls_certs`."""
    return "_".join(_WORDS.split(key)).lower()


def resolve(schema: Schema, node: Schema) -> Schema:
    """Follow a reference within the schema; keys beside it win."""
    reference = node.get("$ref", "")
    if not reference:
        return node
    target = schema["$defs"][reference.removeprefix("#/$defs/")]
    return {**resolve(schema, target), **{k: v for k, v in node.items() if k != "$ref"}}


def is_class(schema: Schema, node: Schema) -> bool:
    """Tell whether a property is an object of settings: a dataclass. What Kubernetes takes as it is stays JSON."""
    whole = resolve(schema, node)
    return "properties" in whole and not whole.get("x-plain")


def _definition(node: Schema) -> str:
    return str(node.get("$ref", "")).removeprefix("#/$defs/")


def model(schema: Schema) -> str:
    """Return the module with the dataclasses, inner ones first."""
    classes: dict[str, str] = {}
    _collect(schema, schema, (), classes)
    return _HEAD + "\n" + "\n\n".join(classes.values())


def _class_name(path: tuple[str, ...], node: Schema) -> str:
    name = _definition(node)
    return name[:1].upper() + name[1:] if name else "".join(p[:1].upper() + p[1:] for p in path) or "Values"


def _collect(schema: Schema, node: Schema, path: tuple[str, ...], classes: dict[str, str]) -> str:
    name = _class_name(path, node)
    if name in classes:
        return name
    whole = resolve(schema, node)
    fields: list[str] = []
    arguments: list[str] = []
    for key, prop in whole["properties"].items():
        inner = resolve(schema, prop)
        if is_class(schema, prop):
            kind = _collect(schema, prop, (*path, key), classes)
            arguments.append(f'{snake(key)}={kind}.of(tree["{key}"]),')
        else:
            kind = type_of(schema, prop)
            arguments.append(f'{snake(key)}=tree["{key}"],')
        fields += [f"    {snake(key)}: {kind}", *_docstring(inner.get("description", ""), 4)]
    root = name == "Values"
    given = "tree: Mapping[str, Any], sources: Mapping[str, str], warnings: tuple[Warned, ...]" if root else ""
    lines = ["@dataclass(frozen=True, slots=True)", f"class {name}:", *_docstring(_about(schema, node), 4), ""]
    lines += fields
    if root:
        lines += _TAIL.rstrip("\n").split("\n")
        arguments += ["sources=sources,", "warnings=warnings,", "frozen=tree,"]
    lines += ["", "    @classmethod", f"    def of(cls, {given or 'tree: Mapping[str, Any]'}) -> {name}:"]
    lines += ['        """Name the parts of a checked tree."""', "        return cls("]
    lines += [f"            {argument}" for argument in arguments] + ["        )", ""]
    classes[name] = "\n".join(lines)
    return name


def _about(schema: Schema, node: Schema) -> str:
    name = _definition(node)
    return str((schema["$defs"][name] if name else node).get("description", ""))


def _docstring(text: str, indent: int) -> list[str]:
    """Return a docstring's lines, wrapped."""
    text = text.replace("\\", "\\\\")
    pad = " " * indent
    if len(text) + indent + 6 <= WIDTH:
        return [f'{pad}"""{text}"""']
    width = min(WIDTH, len(text) + indent)  # at least two lines
    lines = textwrap.wrap(
        f'{pad}"""{text}', width, subsequent_indent=pad, break_long_words=False, break_on_hyphens=False
    )
    return [*lines, f'{pad}"""']


def type_of(schema: Schema, raw: Schema) -> str:
    """Return the annotation of a property that is no dataclass."""
    node = resolve(schema, raw)
    if "enum" in node:
        return f"Literal[{', '.join(_quoted(value) for value in node['enum'])}]"
    kind = node.get("type", "object")
    if isinstance(kind, list):  # a quantity: the loader makes text of numbers
        return "str"
    if kind == "array":
        return f"tuple[{type_of(schema, node['items'])}, ...]"
    if kind == "object":
        item = node.get("additionalProperties")
        text = isinstance(item, dict) and resolve(schema, item).get("type") == "string"
        return "Mapping[str, str]" if text else "Mapping[str, Any]"
    return {"string": "str", "boolean": "bool", "integer": "int", "number": "float"}[kind]


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '\\"') + '"'


def attributes(schema: Schema, node: Schema | None = None, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path of a setting, attribute path in the model), in schema order."""
    for key, prop in resolve(schema, schema if node is None else node)["properties"].items():
        here = f"{path}.{key}" if path else key
        yield here, ".".join(snake(part) for part in here.split("."))
        if is_class(schema, prop):
            yield from attributes(schema, prop, here)


# values.yaml

MODELINE = "# yaml-language-server: $schema=../schemas/src/speedscale_schemas/documents/values.schema.json"
_INTRO = """
Every setting with its default. Written by `make gen`: do not edit this file. Start one of your own with
`speedctl values init` and put only what differs into it; what `--values` names later wins. Maps merge, lists
replace, null takes a default away. Secrets never stand here: name a Secret instead.
`docs/reference/values.md` has the same as tables.
"""
_COMMENT_WIDTH = 112


def commented(schema: Schema) -> str:
    """Return the values file with every setting, its default and a comment."""
    lines = [MODELINE, *(f"# {line}" for line in _INTRO.strip().split("\n"))]
    lines += _settings(schema, schema, 0)
    return "\n".join(lines) + "\n"


def _settings(schema: Schema, node: Schema, depth: int, given: Mapping[str, Any] | None = None) -> list[str]:
    lines: list[str] = []
    pad = "  " * depth
    own = {**resolve(schema, node).get("default", {}), **(given or {})}
    for number, (key, raw) in enumerate(resolve(schema, node)["properties"].items()):
        prop = resolve(schema, raw)
        if depth == 0 or (number and is_class(schema, raw)):
            lines.append("")
        lines += [f"{pad}# {line}" if line else f"{pad}#" for line in _comment(schema, raw, depth)]
        if is_class(schema, raw):
            lines += [f"{pad}{key}:", *_settings(schema, raw, depth + 1, own.get(key))]
        else:
            lines += entry(key, own.get(key, prop.get("default")), depth)
    return lines


def _comment(schema: Schema, raw: Schema, depth: int) -> list[str]:
    prop = resolve(schema, raw)
    text = _sentence(prop["description"])
    if prop.get("deprecated"):
        text = "Deprecated. " + text
    if "enum" in prop:
        options = ", ".join(scalar(value) for value in prop["enum"])
        text += f" One of: {options}."
    if "minimum" in prop and not isinstance(prop["type"], list):
        text += f" From {prop['minimum']} to {prop['maximum']}."
    lines = textwrap.wrap(text, _COMMENT_WIDTH - 2 * depth, break_long_words=False, break_on_hyphens=False)
    example = (prop.get("examples") or [None])[0]
    if is_class(schema, raw) or example is None or "enum" in prop or prop.get("deprecated"):
        return lines
    if isinstance(example, dict | list) and (not prop["default"] or None in list(_all(example))):
        return [*lines, "Example:", *("  " + line for line in block(example, 0))]
    if prop.get("default") == "" and example != "":
        return [*lines, f"Example: {scalar(example)}"]
    return lines


def _all(value: Any) -> Iterator[Any]:
    """Yield the values of a map or list."""
    yield from value.values() if isinstance(value, dict) else value


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
