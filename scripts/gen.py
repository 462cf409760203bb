"""Write what is generated: reference pages from JSON Schemas and verbs, and the files made of the schema of values.

`make gen` writes `docs/reference/`, the model of values, `cdk8s/values.yaml` and `dist/`; `make gen-check`
(`--check`) fails when one of them is stale and names it. The same code always gives the same bytes. What nothing
generates any more is removed (or reported).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from speedscale_manifests.components import rbac_reference, templates_reference
from speedscale_manifests.output import Writer
from speedscale_manifests.parity import run as parity
from speedscale_manifests.policy import reference as policy
from speedscale_manifests.synth import synthesise
from speedscale_manifests.values import load
from speedscale_manifests.values.combinations import LAYER, MERGED
from speedscale_runtime.cli import root
from speedscale_schemas import annotations as notes
from speedscale_schemas import validation
from speedscale_schemas.verbs import Verb

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference"
DIST = ROOT / "dist"
NOTE = "<!-- Written by `make gen`; change the schema or the verb, not this page. -->\n"
EXIT_CODES = "Exit codes: 0 good, 1 the check or goal failed, 2 error in use or environment."
Schema = Mapping[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Write or check the pages; exit code 0 good, 1 stale, 2 a verb cannot be described."""
    parser = argparse.ArgumentParser(description="write the reference pages")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is stale")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder of the pages")
    args = parser.parse_args(argv)
    try:
        pages = dict(all_pages(root.verbs()))
    except VerbError as error:
        print(f"gen: {error}", file=sys.stderr)
        return 2
    files = {args.target / name: text for name, text in pages.items()}
    if args.target == TARGET:  # another folder is for the pages alone
        files |= {ROOT / name: text for name, text in other_files()}
    stale = [path for path, text in files.items() if _read(path) != text]
    orphans = [path for path in sorted(args.target.rglob("*.md")) if path not in files]
    manifests = synthesised() if args.target == TARGET else {}
    if args.check:
        stale += [DIST / name for name, content in manifests.items() if _bytes(DIST / name) != content]
        orphans += [p for p in sorted(DIST.rglob("*.yaml")) if manifests and str(p.relative_to(DIST)) not in manifests]
        for path in stale:
            print(f"gen: {path} is stale; run `make gen`", file=sys.stderr)
        for path in orphans:
            print(f"gen: {path} has no source any more; run `make gen`", file=sys.stderr)
        return 1 if stale or orphans else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], "utf-8")
    for path in orphans:
        path.unlink()
    print(f"gen: {len(files)} files, {len(stale)} written, {len(orphans)} removed")
    if manifests:
        changes = Writer(DIST).write(manifests)
        print(f"gen: {len(manifests)} manifests, {len(changes.written)} written, {len(changes.deleted)} removed")
    return 0


def synthesised() -> dict[str, bytes]:
    """Return the installation that the values in this repository give, as it is committed in dist/."""
    return synthesise(load([ROOT / "cdk8s" / "values.yaml"]))


class VerbError(Exception):
    """A verb whose module cannot be imported or does not offer what a verb must."""


def all_pages(verbs: Mapping[str, Verb]) -> Iterator[tuple[str, str]]:
    """Yield every page: its name under `docs/reference/` and its text."""
    kinds = validation.kinds()
    yield "README.md", index(kinds)
    for kind in kinds:
        page = schema_page(kind, whole(kind))
        yield f"{kind}.md", page + "\n" + combinations() if kind == "values" else page
    yield "speedctl.md", verbs_page(verbs)
    yield "annotations.md", annotations_page()


_LAYERS = (
    "## Layers",
    "",
    "Defaults, then the preset, then each `--values` file, then each `--set`, then `--profile`; the last one wins.",
    "",
    "- Maps merge key by key; lists and scalars replace.",
    "- `null` takes away: a key of a map (also a default in a security context) goes, a map or list is emptied, a",
    "  setting goes back to its default.",
    "- `--set a.b=c` is read by the schema: text stays text, `namespaceSelector={shop,pay}` or JSON is a list,",
    "  `tolerations[0].effect=NoExecute` changes one item, `globalLabels.example\\.com/team=pay` has a dot in its key.",
    "- A scalar that YAML 1.1 and 1.2 read differently (`yes`, `0755`, `22:30`, a date) is refused: quote it.",
    "- A quantity may be a number; it becomes text, so that the same settings always give the same bytes.",
    "- `speedctl values show --origin` says which layer set a value.",
)


def combinations() -> str:
    """Return how layers become values, and what several values demand of each other: the end of the page of values."""
    lines = [
        *_LAYERS,
        "",
        "## Combinations",
        "",
        "What no single value shows. A rule's name stands in `speedctl values check -o json`.",
    ]
    for level, title in (("refuse", "Refused"), ("warn", "Allowed with a warning")):
        lines += ["", f"{title}:", "", "| rule | what holds |", "| --- | --- |"]
        lines += [f"| {rule.name} | {_cell(rule.about)} |" for rule in (*LAYER, *MERGED) if rule.level == level]
    return "\n".join(lines) + "\n"


def other_files() -> Iterator[tuple[str, str]]:
    """Yield what stands elsewhere: path from the root of the repository, and text.

    The schema of values gives its model and its commented file; the comparison with the vendor's chart, the policy,
    the grants and the templates give a page each.
    """
    import gen_images  # beside this file: on the path when this is run, not when a test loads it
    import gen_values

    schema = validation.schema("values")
    yield "cdk8s/src/speedscale_manifests/values/model.py", gen_values.model(schema)
    yield "cdk8s/values.yaml", gen_values.commented(schema)
    yield "docs/parity.md", parity.page()
    yield "docs/policy.md", policy.page()
    yield "docs/rbac.md", rbac_reference.page()
    yield "docs/templates.md", templates_reference.page()
    yield from gen_images.files()


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def index(kinds: tuple[str, ...]) -> str:
    """Return the list of pages."""
    lines = ["# Reference", "", NOTE, "- [speedctl](speedctl.md): every verb, its arguments and exit codes"]
    lines += ["- [annotations](annotations.md): every annotation, its values, its default and who sets it"]
    lines += [f"- [{kind}]({kind}.md): {validation.schema(kind).get('title', kind)}" for kind in kinds]
    return "\n".join(lines) + "\n"


# Documents


def schema_page(kind: str, schema: Schema) -> str:
    """Return the page of one kind of document: its properties, then each object inside it."""
    lines = [f"# {schema.get('title', kind)}", "", NOTE, _sentence(schema.get("description", "")), ""]
    lines += [f"Schema: `{schema['$id']}`. {_closed(schema)}".rstrip(), ""]
    tables: list[tuple[str, Schema]] = [("", schema)]
    done: set[str] = set()
    while tables:
        title, node = tables.pop(0)
        if title:
            lines += [f"## {title}", "", _sentence(node.get("description", "")), ""]
        lines += _table(node, title, tables, done)
        lines += _alternatives(node, title, tables, done)
    for example in schema.get("examples", []):
        lines += ["## Example", "", "```json", json.dumps(example, indent=2, ensure_ascii=False), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?", "…")) else text + "."


def _closed(schema: Schema) -> str:
    if not schema.get("properties"):
        return ""
    return "Unknown keys are refused." if schema.get("additionalProperties") is False else "Unknown keys are kept."


def _table(node: Schema, title: str, tables: list[tuple[str, Schema]], done: set[str]) -> list[str]:
    """Return the table of an object's properties; objects inside are put on the list of tables to come."""
    properties = node.get("properties", {})
    if not properties:
        return []
    required = set(node.get("required", ()))
    lines = ["| property | type | default | description | example |", "| --- | --- | --- | --- | --- |"]
    for name, raw in properties.items():
        prop = resolve(raw)
        path = f"{title}.{name}" if title else name
        default = "required" if name in required else _code(prop.get("default", _NOTHING))
        example = _code(prop["examples"][0]) if prop.get("examples") else ""
        about = " ".join(filter(None, (_sentence(prop.get("description", "")), *_limits(prop))))
        lines.append(f"| `{name}` | {type_name(prop)} | {default} | {_cell(about)} | {example} |")
        _enqueue(path, raw, tables, done)
    return [*lines, ""]


def _enqueue(path: str, raw: Schema, tables: list[tuple[str, Schema]], done: set[str]) -> None:
    """Put the objects that a property holds on the list; a definition that is shared gets one table."""
    for suffix, inner in _inside(raw):
        reference = inner.get("$ref", "")
        node = resolve(inner)
        if not (node.get("properties") or node.get("oneOf") or node.get("anyOf")):
            if node is not inner or node.get("items") or isinstance(node.get("additionalProperties"), dict):
                if reference in done and reference:
                    continue
                done.add(reference)
                _enqueue(path + suffix, node, tables, done)
            continue
        if reference and reference in done:
            continue
        done.add(reference)
        tables.append((path + suffix, node))


def _inside(raw: Schema) -> Iterator[tuple[str, Schema]]:
    node = resolve(raw)
    if node.get("properties") or node.get("oneOf") or node.get("anyOf"):
        yield "", raw
    if isinstance(node.get("items"), dict):
        yield "[]", node["items"]
    if isinstance(node.get("additionalProperties"), dict):
        yield ".*", node["additionalProperties"]


def _alternatives(node: Schema, title: str, tables: list[tuple[str, Schema]], done: set[str]) -> list[str]:
    """Return what an object's alternatives are; those with properties of their own get tables."""
    lines: list[str] = []
    for word, key in (("One", "oneOf"), ("At least one", "anyOf")):
        branches = [resolve(branch) for branch in node.get(key, ())]
        required = [" with ".join(f"`{k}`" for k in b["required"]) for b in branches if "required" in b]
        if branches and len(required) == len(branches) and not any(b.get("properties") for b in branches):
            lines += [f"{word} of {', '.join(required)} is required.", ""]
            continue
        for number, branch in enumerate(branches, 1):
            name = branch.get("title") or _discriminator(branch) or f"alternative {number}"
            if branch.get("properties"):
                tables.append((f"{title} ({name})" if title else str(name), branch))
    return lines


def _discriminator(branch: Schema) -> str:
    found = [f"{k} = {v['const']}" for k, v in branch.get("properties", {}).items() if "const" in v]
    return ", ".join(found)


def resolve(node: Schema) -> Schema:
    """Follow `$ref`; keys beside it win. References are whole ones, `speedscale:<kind>#…`."""
    while "$ref" in node:
        base, _, pointer = str(node["$ref"]).partition("#")
        target: Any = whole(base.removeprefix("speedscale:"))
        for part in filter(None, pointer.split("/")):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node


@cache
def whole(kind: str) -> Schema:
    """Return a kind's schema with references that also hold outside of it."""

    def absolute(node: Any) -> Any:
        if isinstance(node, list):
            return [absolute(item) for item in node]
        if not isinstance(node, dict):
            return node
        changed = {key: absolute(value) for key, value in node.items()}
        if str(changed.get("$ref", "")).startswith("#"):
            changed["$ref"] = f"speedscale:{kind}{changed['$ref']}"
        return changed

    found: Schema = absolute(validation.schema(kind))
    return found


def type_name(prop: Schema) -> str:
    """Return a property's type for people."""
    prop = resolve(prop)
    if "const" in prop:
        return _code(prop["const"])
    if "enum" in prop:
        return ", ".join(_code(value) for value in prop["enum"])
    for key in ("oneOf", "anyOf"):
        if key in prop:
            return " or ".join(dict.fromkeys(type_name(branch) for branch in prop[key]))
    kind = prop.get("type", "any")
    names = kind if isinstance(kind, list) else [kind]
    if "array" in names and isinstance(prop.get("items"), dict):
        inner = type_name(prop["items"])
        names = [f"array of {inner}" if name == "array" else name for name in names]
    return " or ".join(names)


_NOTHING = object()
_LIMITS = (
    ("minimum", "From {}."),
    ("exclusiveMinimum", "More than {}."),
    ("maximum", "Up to {}."),
    ("exclusiveMaximum", "Less than {}."),
    ("minLength", "At least {} characters."),
    ("maxLength", "At most {} characters."),
    ("minItems", "At least {} items."),
    ("maxItems", "At most {} items."),
    ("pattern", "Matches `{}`."),
    ("format", "Format {}."),
)


def _limits(prop: Schema) -> list[str]:
    limits = [text.format(prop[key]) for key, text in _LIMITS if key in prop]
    if "x-expected" in prop:  # says in words what pattern and length say to programs
        return [
            *(limit for limit in limits if not limit.startswith(("Matches", "At "))),
            f"Takes {prop['x-expected']}.",
        ]
    return limits


def _code(value: object) -> str:
    if value is _NOTHING:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= 80 else text[:79] + "…"
    fence = "``" if "`" in text else "`"
    return fence + _cell(text) + fence


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# Annotations


def annotations_page() -> str:
    """Return the page of annotations: a table for each prefix."""
    lines = ["# Annotations", "", NOTE.replace("the schema or the verb", "`speedscale_schemas.annotations.table`")]
    lines += [
        "They stand on a workload's own metadata: " + ", ".join(notes.WORKLOAD_KINDS) + ".",
        'Values are strings: `"true"`, not `true`. A wrong one is refused with a warning, and the workload let through',
        "as it is.",
        "`speedctl lint` finds the same mistakes in manifests.",
        "",
    ]
    for prefix in notes.PREFIXES:
        lines += [f"## {prefix}/", "", "| name | values | default | meaning |", "| --- | --- | --- | --- |"]
        for row in notes.rows(prefix):
            default = f"`{row.default}`" if row.default is not None else ""
            lines.append(f"| `{row.name}` | {_cell(row.type.accepted)} | {default} | {_cell(_remarks(row))} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _remarks(row: notes.Annotation) -> str:
    parts = [_sentence(row.meaning)]
    parts += [f"Only for proxy-type {', '.join(row.proxy_types)}."] if row.proxy_types else []
    parts += [f"Needs {row.needs}."] if row.needs else []
    parts += [f"Deprecated: use `{row.instead.partition('/')[2]}`."] if row.instead else []
    parts += [f"Set by the operator, on {row.stands_on}."] if row.set_by == "operator" else []
    return " ".join(parts)


# Verbs


def verbs_page(verbs: Mapping[str, Verb]) -> str:
    """Return the page of speedctl; raises VerbError for a verb whose module cannot be described."""
    lines = [
        "# speedctl",
        "",
        NOTE,
        EXIT_CODES,
        "",
        "| verb | what it does | group | owner |",
        "| --- | --- | --- | --- |",
    ]
    rows = (f"[{v.name}](#{v.name}) | {_cell(v.help)} | {v.group} | {v.owner}" for v in verbs.values())
    lines += [*(f"| {row} |" for row in rows), ""]
    for verb in verbs.values():
        parser = describe(verb)
        lines += [f"## {verb.name}", "", _sentence(verb.help[:1].upper() + verb.help[1:]), ""]
        lines += _usage(f"speedctl {verb.name}", parser)
    return "\n".join(lines).rstrip() + "\n"


def describe(verb: Verb) -> argparse.ArgumentParser:
    """Return the verb's parser, without running the verb."""
    try:
        module = importlib.import_module(verb.module)
    except ImportError as error:
        raise VerbError(f"verb {verb.name!r}: module {verb.module} cannot be imported: {error}") from error
    if not callable(getattr(module, "configure", None)) or not callable(getattr(module, "run", None)):
        raise VerbError(f"verb {verb.name!r}: module {verb.module} lacks configure(parser) or run(args)")
    parser = argparse.ArgumentParser(prog=f"speedctl {verb.name}", add_help=False)
    module.configure(parser)
    return parser


def _usage(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return a parser's arguments as a table, its epilog, and the same for its actions."""
    rows: list[str] = []
    inner: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            inner = list(action.choices.items())
        elif not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS:
            rows.append(_argument(action))
    lines: list[str] = []
    if rows:
        lines += ["| argument | values | default | what it does |", "| --- | --- | --- | --- |", *rows, ""]
    if inner:
        lines += ["Actions: " + ", ".join(f"`{word}`" for word, _ in inner) + ".", ""]
    if parser.epilog:
        lines += ["```", parser.epilog.strip("\n"), "```", ""]
    for word, sub in inner:
        sub.epilog = None
        lines += [
            f"### {name} {word}",
            "",
            _sentence((sub.description or "").strip()),
            "",
            *_usage(f"{name} {word}", sub),
        ]
    return lines


def _argument(action: argparse.Action) -> str:
    flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
    names = flags or f"`{_metavar(action)}`"
    if action.choices is not None:
        values = ", ".join(f"`{choice}`" for choice in action.choices)
    elif action.nargs == 0:
        values = ""
    else:
        values = f"`{_metavar(action)}`" + (" …" if action.nargs in ("+", "*", argparse.REMAINDER) else "")
    default = action.default
    if default in (None, False, argparse.SUPPRESS) or default == [] or default == "":
        shown = "required" if action.required and action.option_strings else ""
    else:
        shown = f"`{default}`"
    return f"| {names} | {values} | {shown} | {_cell((action.help or '').replace('%%', '%'))} |"


def _metavar(action: argparse.Action) -> str:
    metavar = action.metavar
    if isinstance(metavar, tuple):
        return " ".join(metavar)
    return metavar or (action.dest.upper() if action.option_strings else action.dest)


if __name__ == "__main__":
    sys.exit(main())
