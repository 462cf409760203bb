"""Which modules programs import: read from their source, not by running them.

Called by `requirements` (what an image must hold) and by the tests. An import counts wherever it stands, also inside a
function, because a pod comes to it sooner or later; what stands under `if TYPE_CHECKING` does not. Four more are
followed: a string that names one of our modules (`-m speedscale_controller.manager`), a string that is code which
imports one (`python -c`), a name given to `find_spec`, `resources.files` or `import_module`, and a module that gives
`import_module` anything else: it counts as importing all of its package.
Nothing is imported here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = {
    "speedscale_schemas": "schemas",
    "speedscale_kube": "controller/kube",
    "speedscale_runtime": "runtime",
    "speedscale_controller": "controller",
    "speedscale_manifests": "cdk8s",
}
"""Our packages and the members of the workspace that they come from."""

_BY_NAME = ("files", "find_spec", "import_module")
_READ: dict[Path, tuple[str, ...]] = {}  # one run reads a source once; bounded by the number of our modules


@dataclass
class Closure:
    """What is imported: our modules, and dotted names of others, each with the module of ours that imports it first."""

    own: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """Return the folders of the workspace's members that these modules come from."""
        return tuple(sorted({SOURCES[name.partition(".")[0]] for name in self.own}))

    def path(self, module: str) -> str:
        """Return how `module` is reached from a program, for messages: `a → b → c`."""
        chain = [module]
        origin = self.foreign.get(module) or self.own.get(module, "")
        while origin and origin not in chain:
            chain.append(origin)
            origin = self.own[origin]
        return " → ".join(reversed(chain))


def index(root: Path) -> dict[str, Path]:
    """Return every module of ours by name, from the source trees under the repository `root`."""
    modules = {}
    for package, member in SOURCES.items():
        source = root / member / "src"
        for path in (source / package).rglob("*.py"):
            parts = path.relative_to(source).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def closure(programs: Sequence[str], modules: Mapping[str, Path]) -> Closure:
    """Return all that the modules named in `programs` import, directly or not.

    Raises KeyError with the name of a program's module that does not exist.
    """
    found = Closure()
    queue = [(name, "") for name in programs]
    for name, _ in queue:
        if name not in modules:
            raise KeyError(name)
    while queue:
        name, origin = queue.pop(0)
        if name in found.own:
            continue
        found.own[name] = origin
        parent = name.rpartition(".")[0]
        if parent in modules:
            queue.append((parent, name))
        for target in _targets(name, modules):
            own = _longest(target, modules)
            if own is not None:
                queue.append((own, name))
            elif target.partition(".")[0] in SOURCES:
                continue  # a package without __init__, or a name that looks like a module
            elif target.partition(".")[0] not in sys.stdlib_module_names and target != "__future__":
                found.foreign.setdefault(target, name)
    return found


def _longest(target: str, modules: Mapping[str, Path]) -> str | None:
    """`a.b.C` is module `a.b` when that is one of ours; a name of our package that is no module is an attribute."""
    while target not in modules:
        target = target.rpartition(".")[0]
        if not target:
            return None
    return target


def _targets(name: str, modules: Mapping[str, Path]) -> tuple[str, ...]:
    """What one module imports, read once for all images."""
    path = modules[name]
    if path not in _READ:
        _READ[path] = tuple(dict.fromkeys(_imports(name, modules)))
    return _READ[path]


def _imports(name: str, modules: Mapping[str, Path]) -> Iterator[str]:
    path = modules[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _walk(ast.parse(path.read_bytes(), str(path))):
        yield from _of_node(node, package)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _of_text(node.value, modules)
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
            given = getattr(node.args[0], "value", None) if node.args else None
            if called in _BY_NAME and isinstance(given, str):
                yield from [given] if given.replace(".", "").isidentifier() else []
            elif called == "import_module":
                yield from (module for module in modules if module.rpartition(".")[0] == package)


def _of_node(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
        base = ".".join((*above, *filter(None, (node.module,))))
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _of_text(text: str, modules: Mapping[str, Path]) -> Iterator[str]:
    if text.partition(":")[0] in modules:
        module = text.partition(":")[0]
        yield from (found for found in (module, f"{module}.__main__") if found in modules)
    elif text.startswith(("import speedscale_", "from speedscale_")):
        try:
            tree = ast.parse(text)
        except SyntaxError:  # a sentence
            return
        for node in _walk(tree):
            yield from _of_node(node, "")


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but what only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _types_only(node.test):
            waiting += reversed(node.orelse)
            continue
        yield node
        waiting += reversed(list(ast.iter_child_nodes(node)))


def _types_only(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))
