"""Random values files, seeded: valid ones, and valid ones with exactly one wrong place.

    valid(seed)   -> a sparse tree that `speedscale_manifests.values.from_mapping` accepts
    broken(seed)  -> Broken(tree, path, how): the same kind of tree, wrong at `path` and nowhere else
    text(tree)    -> the tree as a values file
    leaves()      -> every leaf of the schema; used(tree) -> those that a tree sets (`*` for a key, `[]` for an item)

Drawn from the schema: a new setting is exercised without a change here, unless a rule about several values concerns
it; those are kept by `_agree`. What weakens pods (root, privileged, more capabilities) is not drawn, so that every
tree also passes the security policies. Tests get this module by the fixture `random_values` in `tests/conftest.py`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from speedscale_manifests.values.combinations import exporters
from speedscale_schemas import validation

Tree = dict[str, Any]
Path = tuple[str | int, ...]
Schema = dict[str, Any]

LETTERS = "abcdefghjkmpqrstuvwxz"  # no word of YAML 1.1 and no number can be made of a name in these and a digit


@cache
def schema() -> Schema:
    return dict(validation.schema("values"))


def resolve(node: Schema) -> Schema:
    if "$ref" not in node:
        return node
    target = schema()["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return {**resolve(target), **{key: value for key, value in node.items() if key != "$ref"}}


def kind(node: Schema) -> str:
    types = node.get("type", "any")
    if isinstance(types, str):
        return types
    some = [name for name in types if name != "null"]
    return some[0] if len(some) == 1 else "quantity"


# Leaves


def leaves(node: Schema | None = None, path: str = "") -> Iterator[str]:
    """Yield every leaf of the schema: a property without properties of its own, also in items and maps."""
    whole = resolve(schema() if node is None else node)
    inner = [(f"{path}.{key}".lstrip("."), prop) for key, prop in whole.get("properties", {}).items()]
    if isinstance(whole.get("items"), dict):
        inner.append((f"{path}[]", whole["items"]))
    if isinstance(whole.get("additionalProperties"), dict):
        inner.append((f"{path}.*", whole["additionalProperties"]))
    if not inner:
        yield path
    for name, prop in inner:
        yield from leaves(prop, name)


def used(tree: Any, node: Schema | None = None, path: str = "") -> Iterator[str]:
    """Yield the leaves that a tree sets."""
    whole = resolve(schema() if node is None else node)
    known = whole.get("properties", {})
    rest = whole.get("additionalProperties")
    if isinstance(tree, dict) and (known or isinstance(rest, dict)):
        for key, value in tree.items():
            if key in known:
                yield from used(value, known[key], f"{path}.{key}".lstrip("."))
            elif isinstance(rest, dict):
                yield from used(value, rest, f"{path}.*")
    elif isinstance(tree, list) and isinstance(whole.get("items"), dict):
        for item in tree:
            yield from used(item, whole["items"], f"{path}[]")
    else:
        yield path


def text(tree: Tree) -> str:
    """Return a values file."""
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


# Valid trees


def valid(seed: int, density: float = 0.35) -> Tree:
    """Return a valid tree; `density` is the share of settings that it sets."""
    rng = random.Random(f"valid {seed}")
    tree: Tree = _object(rng, schema(), (), density)
    _agree(rng, tree)
    return tree


def _name(rng: random.Random) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(3, 9))) + rng.choice(("", "-3x", "-api"))


def _octets(rng: random.Random) -> str:
    return f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.0"


def _image_name(rng: random.Random) -> str:
    return str(rng.choice(schema()["$defs"]["imageNames"]["enum"]))


# Where the schema says less than what is meant: how a text at the end of a path is drawn.
_TEXTS: dict[str, Callable[[random.Random], Any]] = {
    "apiKey": lambda rng: "",
    "clusterName": lambda rng: rng.choice(("prod-eu", "Test_1", _name(rng))),
    "appUrl": lambda rng: rng.choice(("", "speedscale.example.com", "backend.example.com:8443")),
    "registry": lambda rng: rng.choice(("registry.example.com/mirror", f"localhost:5000/{_name(rng)}")),
    "tag": lambda rng: rng.choice(("v0.2.1", "1.20", "v9")),
    "otel_endpoint": lambda rng: (
        f"http{rng.choice(('', 's'))}://{_name(rng)}.example.com:{rng.choice((4318, 443, 9000))}"
    ),
    "ignore_src_ips": lambda rng: rng.choice(("", f"{_octets(rng)}/24, 8.8.8.8")),
    "ignore_dst_ips": lambda rng: rng.choice(("", f"{_octets(rng)}/24", "2001:db8::/32")),
    "ignore_src_hosts": lambda rng: rng.choice(("", "example.com, example.org")),
    "ignore_dst_hosts": lambda rng: rng.choice(("", "*.example.com")),
    "http_proxy": lambda rng: rng.choice(("", "http://proxy.example.com:3128")),
    "https_proxy": lambda rng: rng.choice(("", "http://proxy.example.com:3129")),
    "no_proxy": lambda rng: rng.choice(("", ".svc,10.0.0.0/8")),
    "test_prep_timeout": lambda rng: rng.choice(("90s", "22m", "1h30m")),
    "control_plane_timeout": lambda rng: rng.choice(("9m", "500ms")),
    "size": lambda rng: rng.choice(("10Gi", "1G", 5_000_000_000, "20Gi")),
    "exporterMaxLag": lambda rng: rng.choice(("0", 0, "512Mi")),
    "endpointURL": lambda rng: rng.choice(("", f"https://{_name(rng)}.example.com:9000")),
    "bucket": lambda rng: rng.choice(("", f"{_name(rng)}-traffic")),
    "filterRule": lambda rng: "standard",
    "config": lambda rng: "standard",
    "filter_rule": lambda rng: rng.choice(("", "standard")),
    "dlp_config_id": lambda rng: rng.choice(("", "standard")),
    "localhostProfile": lambda rng: "profiles/speedscale.json",
}


def _object(rng: random.Random, node: Schema, path: Path, density: float) -> Tree:
    whole = resolve(node)
    required = whole.get("required", ())
    result: Tree = {}
    for key, prop in whole.get("properties", {}).items():
        if key in required or rng.random() < (density if len(path) == 0 else 0.6):
            result[key] = _draw(rng, prop, (*path, key), density)
    rest = whole.get("additionalProperties")
    if isinstance(rest, dict):
        for _ in range(rng.randint(0, 2)):
            key = _key(rng, path)
            result[key] = _draw(rng, rest, (*path, key), density)
    return result


def _key(rng: random.Random, path: Path) -> str:
    if path[-1] in ("imageTags", "imageDigests"):
        return _image_name(rng)
    if path[-1] in (
        "globalLabels",
        "globalAnnotations",
        "webhookAnnotations",
        "accessLabels",
        "nodeSelector",
        "matchLabels",
    ):
        return rng.choice((f"example.com/{_name(rng)}", _name(rng)))
    return _name(rng)


def _draw(rng: random.Random, node: Schema, path: Path, density: float) -> Any:
    whole = resolve(node)
    name = str(path[-1])
    if name in ("resources",):
        return _resources(rng)
    if name.endswith("ecurityContext"):
        return _context(rng, whole, path)
    if path[:1] == ("rules",) and len(path) == 3:
        return _rule(rng, path)
    if (
        whole.get("default", None) is not None
        and kind(whole) in ("string", "boolean", "integer")
        and rng.random() < 0.02
    ):
        return None
    if name in _TEXTS and kind(whole) in ("string", "quantity"):
        return _TEXTS[name](rng)
    if "enum" in whole:
        return rng.choice([option for option in whole["enum"] if option is not None])
    kinds: dict[str, Callable[[], Any]] = {
        "boolean": lambda: rng.random() < 0.5,
        "integer": lambda: rng.randint(whole.get("minimum", 0), min(whole.get("maximum", 1000), 60_000)),
        "quantity": lambda: rng.choice(("250m", "1Gi", 2, 0.5, "1e3")),
        "array": lambda: _array(rng, whole, path, density),
        "object": lambda: _map(rng, whole, path, density),
        "string": lambda: _text(rng, whole),
    }
    return kinds[kind(whole)]()


def _map(rng: random.Random, whole: Schema, path: Path, density: float) -> Any:
    if whole.get("properties") or isinstance(whole.get("additionalProperties"), dict):
        return _object(rng, whole, path, density)
    return json.loads(json.dumps(rng.choice(whole["examples"])))  # in the form of Kubernetes


def _array(rng: random.Random, whole: Schema, path: Path, density: float) -> list[Any]:
    count = rng.randint(max(1, whole.get("minItems", 0)), 3)
    if path[-1] == "apiServerCidrs":
        return [f"10.{index}.0.0/16" for index in range(count)]
    found: list[Any] = []
    for index in range(count):
        item = _draw(rng, whole["items"], (*path, index), density)
        if item not in found:
            found.append(item)
    return found


def _text(rng: random.Random, whole: Schema) -> str:
    pattern = whole.get("pattern", "")
    options = [*whole.get("examples", ()), whole.get("default"), _name(rng), f"sha256:{rng.getrandbits(256):064x}"]
    fitting = [o for o in options if isinstance(o, str) and o != "*" and re.search(pattern, o)]
    fitting = [o for o in fitting if whole.get("minLength", 0) <= len(o) <= whole.get("maxLength", 10_000)]
    fitting = [o for o in fitting if "sha256" in pattern or not o.startswith("sha256")]
    return str(rng.choice(fitting))


def _resources(rng: random.Random) -> Tree:
    """Return requests within limits, both named, so that they agree with any default or preset below them."""
    pairs = {
        "cpu": rng.choice((("100m", "500m"), ("1", 2), (0.25, "1.5"))),
        "memory": rng.choice((("64Mi", "256Mi"), ("100M", "1G"), ("1Gi", "1Gi"))),
        "ephemeral-storage": ("100Mi", "1Gi"),
    }
    names = ["cpu", "memory", *(["ephemeral-storage"] if rng.random() < 0.3 else [])]
    requests = {name: pairs[name][0] for name in names}
    return {"requests": requests, "limits": {name: pairs[name][1] for name in names}}


def _context(rng: random.Random, whole: Schema, path: Path) -> Tree:
    """Return a security context that does not weaken the default: what it may hold, by key."""
    capture = path[-2:] == ("capture", "podSecurityContext")
    of_pod = path[-1] in ("globalSecurityContext", "securityContext")
    localhost = {"type": "Localhost", "localhostProfile": "profiles/speedscale.json"}
    selinux = (
        {"type": "super_t", "level": "s0", "user": "system_u", "role": "system_r"} if capture else {"level": "s0:c1"}
    )
    choices: dict[str, tuple[Any, ...]] = {
        "runAsUser": (0,) if capture else (1000, 2100, None),
        "runAsGroup": (0,) if capture else (1000, 2100, None),
        "seLinuxOptions": (selinux,),
        "seccompProfile": ({"type": "RuntimeDefault"}, localhost),
        "appArmorProfile": ({"type": "RuntimeDefault"}, localhost),
        "windowsOptions": ({"hostProcess": False},),
        "allowPrivilegeEscalation": (False,),
        "privileged": (False,),
        "readOnlyRootFilesystem": (True,),
        "procMount": ("Default",),
        "capabilities": ({"drop": ["ALL"], "add": ["BPF", "PERFMON"]},) if capture else ({"drop": ["ALL"]},),
        "fsGroup": (2100, 3000, None),
        "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
        "supplementalGroups": ([2100], [1, 2], None),
        "supplementalGroupsPolicy": ("Merge", "Strict"),
        "seLinuxChangePolicy": ("Recursive",),
        "sysctls": ([{"name": "net.ipv4.ip_local_port_range", "value": "32768 60999"}],),
    }
    if not (capture or (of_pod and "nettap" in path)):
        choices["runAsNonRoot"] = (True,)
    names = [name for name in whole["properties"] if name in choices and rng.random() < 0.3]
    return {name: rng.choice(choices[name]) for name in names}


def _rule(rng: random.Random, path: Path) -> Tree:
    name = str(path[-1])
    if path[1] == "dlp":
        return {"id": name, "redactlist": {"entries": {_name(rng): {}}}} if rng.random() < 0 else {"id": name}
    url = {"include": rng.random() < 0.5, "operator": "CONTAINS", "optUrl": f"/{_name(rng)}"}
    if rng.random() < 0.5:
        return {"id": name, "query": f'(url CONTAINS "/{_name(rng)}")'}
    return {"id": name, "conditions": [{"operator": "OR", "filters": [url]}]}


def _agree(rng: random.Random, tree: Tree) -> None:
    """Make several values agree, as the rules of `values/combinations` want."""
    operator = tree.get("operator", {})
    if (operator.get("replicas") or 1) > 1:
        operator["leaderElection"] = True
    certificates = tree.setdefault("certificates", {})
    if tree.get("createTLSCerts") is False:
        certificates["mode"] = rng.choice(("cert-manager", "manual"))
    if certificates.get("mode") == "cert-manager":
        certificates.setdefault("issuerRef", {})["name"] = "internal-ca"
    if tree.get("preset") in ("gke-autopilot", "eks-fargate"):
        tree.setdefault("ebpf", {})["enabled"] = False
        tree |= {"hostNetwork": False, "privilegedSidecars": False}
    names = tree.get("secretAccessList")
    if names and rng.random() < 0.1:
        tree["secretAccessList"] = ["*"]
    rules = tree.get("rules", {})
    if rules.get("filters") and rng.random() < 0.8:
        tree["filterRule"] = rng.choice(list(rules["filters"]))
    if rules.get("dlp") and rng.random() < 0.8:
        tree.setdefault("dlp", {})["config"] = rng.choice(list(rules["dlp"]))
    targets = tree.get("ebpf", {}).get("configuration", {}).get("capture", {}).get("targets", [])
    for number, target in enumerate(targets):
        target["name"] = f"target-{number}"
        for selector in (target.get("namespaceSelector", {}), target.get("podSelector", {})):
            for condition in selector.get("matchExpressions", []):
                condition.pop("values", None)
                if condition["operator"] in ("In", "NotIn"):
                    condition["values"] = ["checkout"]
    for exporter in (tree.get("forwarder", {}).get("exporters") or {}).values():
        _agree_exporter(rng, exporter)
    for toleration in tree.get("tolerations") or []:
        _agree_toleration(toleration)


def _agree_exporter(rng: random.Random, exporter: Tree) -> None:
    """Leave an exporter the keys of its type, and give it those that it needs."""
    kind = exporter.setdefault("type", "otlp")
    needed: dict[str, Tree] = {
        "otlp": {"otel_endpoint": f"https://{_name(rng)}.example.com:4317"},
        "firehose": {"stream": "rrpairs"},
        "s3": {"bucket": "acme-traffic"},
        "kafka": {"brokers": [f"{_name(rng)}.example.com:9093"], "topic": "rrpairs"},
    }
    for key in exporter.keys() - exporters.KEYS[kind]:
        del exporter[key]
    if exporter.get("saslMechanism", "") == "" or not exporter.get("saslSecret"):
        exporter.pop("saslMechanism", None)
        exporter.pop("saslSecret", None)
    for key, value in needed.get(kind, {}).items():
        if not exporter.get(key):
            exporter[key] = value


def _agree_toleration(toleration: Tree) -> None:
    if toleration.get("operator") == "Exists":
        toleration.pop("value", None)
    if not toleration.get("key"):
        toleration["operator"] = "Exists"
        toleration.pop("value", None)
    if "tolerationSeconds" in toleration:
        toleration["effect"] = "NoExecute"


# Broken trees


@dataclass(frozen=True)
class Broken:
    """A tree that is wrong at `path` (as `Refusal.path` writes it) and nowhere else; `how` says in which way."""

    tree: Tree
    path: str
    how: str


def broken(seed: int) -> Broken:
    """Return a valid tree after exactly one change that makes it invalid."""
    rng = random.Random(f"broken {seed}")
    tree = valid(seed)
    while True:
        path, node = rng.choice(list(_targets(tree)))
        ways = [way for way in _ways(rng, node, path) if way is not None]
        if ways:
            how, last, value = rng.choice(ways)
            where = (*path, last) if last else path
            return Broken(_with(tree, where, value), _path_text(where), how)


def _targets(tree: Tree) -> Iterator[tuple[Path, Schema]]:
    """Yield each setting of the schema (set by the tree or not), and what stands in maps and lists of the tree."""

    def walk(node: Schema, value: Any, path: Path) -> Iterator[tuple[Path, Schema]]:
        whole = resolve(node)
        if path:
            yield path, whole
        for key, prop in whole.get("properties", {}).items():
            inside = value.get(key) if isinstance(value, dict) else None
            if not whole.get("x-plain") or (isinstance(value, dict) and key in value):
                yield from walk(prop, inside, (*path, key))
        if isinstance(value, dict) and isinstance(whole.get("additionalProperties"), dict):
            for key in value:
                if key not in whole.get("properties", {}):
                    yield from walk(whole["additionalProperties"], value[key], (*path, key))
        if isinstance(value, list) and isinstance(whole.get("items"), dict):
            for index, item in enumerate(value):
                yield from walk(whole["items"], item, (*path, index))

    yield from walk(schema(), tree, ())


_WRONG: dict[str, tuple[Any, ...]] = {
    "string": (7, True, ["x"], {"x": "v"}, 1.5),
    "boolean": ("true", 1, "on", []),
    "integer": ("two", "2", 1.5, True, [3]),
    "quantity": (True, [], {"cpu": 1}),
    "array": ("x", 3, {"a": 1}, True),
    "object": ("x", 3, ["a"], False),
}
_NO_TEXTS = ("-x", "x y", "Ä!", "_", "ftp//x", "x" * 300, "a\n", "10.0.0")


def _ways(rng: random.Random, node: Schema, path: Path) -> Iterator[tuple[str, str, Any] | None]:
    """Yield ways to break a setting: what it is called, a further part of the path, and the value to put there."""
    sort = kind(node)
    if sort in _WRONG and "enum" not in node:
        yield "wrong type", "", rng.choice(_WRONG[sort])
    if node.get("properties") and node.get("additionalProperties") is False:
        near = rng.choice(list(node["properties"]))
        for wrong in (near + "s", near[:-1], "no-such"):
            if wrong not in node["properties"] and wrong:
                yield "unknown key", wrong, rng.choice((1, "x", {}, True))
    if "enum" in node:
        yield "no such choice", "", rng.choice(("no-such", "Gitops ", "AUTO", 3))
    if "pattern" in node and sort in ("string", "quantity"):
        bad = [t for t in _NO_TEXTS if re.search(node["pattern"].replace("$", r"\Z"), t) is None]
        yield "wrong form", "", rng.choice(bad) if bad else 7
    if sort == "integer" and "minimum" in node:
        yield "too small", "", node["minimum"] - rng.randint(1, 9)
    if sort == "integer" and "maximum" in node:
        yield "too large", "", node["maximum"] + rng.randint(1, 9)
    if node.get("uniqueItems") and kind(resolve(node["items"])) == "string":
        # One that is right by itself, or there would be a second problem in the same place.
        item = "SYS_TIME" if path[-1] in ("add", "drop") else "10.0.0.0/16" if path[-1] == "apiServerCidrs" else "same"
        yield "an item twice", "", [item, item]
    if node.get("propertyNames"):
        yield "no valid key", rng.choice(("-bad", "a b", "é", "x/y/z")), "v"


def _with(tree: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    part, rest = path[0], path[1:]
    if isinstance(part, int):
        return [_with(item, rest, value) if index == part else item for index, item in enumerate(tree)]
    holder = tree if isinstance(tree, dict) else {}
    return {**holder, part: _with(holder.get(part), rest, value)}


def _path_text(path: Path) -> str:
    parts = (f"[{p}]" if isinstance(p, int) else "." + re.sub(r"([.\[\]=\\])", r"\\\1", p) for p in path)
    return "".join(parts).removeprefix(".")
