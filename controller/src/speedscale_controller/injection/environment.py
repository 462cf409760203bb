"""What the application's containers get: trust, proxies, variables. Never one of their own is dropped or overridden.

Called by `assembly` for each container that is not ours. What cannot be set without overriding something is left out,
and a warning says what to do.

Variables by runtime: SSL_CERT_FILE (OpenSSL, Go, Ruby, .NET, Rust), NODE_EXTRA_CA_CERTS (Node.js adds to its own),
REQUESTS_CA_BUNDLE (Python's requests), CURL_CA_BUNDLE (libcurl ignores SSL_CERT_FILE), AWS_CA_BUNDLE (AWS SDKs),
GRPC_DEFAULT_SSL_ROOTS_FILE_PATH (gRPC's C core). PGSSLROOTCERT only in a replay: with a root file libpq verifies even
where `sslmode=require` alone would not, and PostgreSQL's TLS is not intercepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import names

CA_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
MOCK_CA_VARIABLES: Final = ("PGSSLROOTCERT",)
JAVA: Final = "JAVA_TOOL_OPTIONS"
JAVA_FLAGS: Final = f"-Djavax.net.ssl.trustStore={names.JAVA_STORE} -Djavax.net.ssl.trustStorePassword=changeit"
_JAVA_ORIGINAL: Final = "SPEEDSCALE_JAVA_TOOL_OPTIONS"
KNOWN_STORES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)
"""Trust stores of Debian and Alpine, Alpine and BSD, SUSE, and Red Hat (two)."""

LOCAL: Final = "localhost,127.0.0.1,::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What each container gets.

    `proxy_url` empty: no proxy variables. `java_value` is the whole of JAVA_TOOL_OPTIONS.
    """

    trust: bool = False
    mocked: bool = False
    java: bool = False
    java_value: str | None = None
    known_stores: bool = False
    proxy_url: str = ""
    through_proxy_to_kube_api: bool = False
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def mounts(self) -> bool:
        """Return whether the trust volume is needed."""
        return self.trust or self.java or self.known_stores or names.TRUST_PATH in (self.java_value or "")


def apply(container: dict[str, Any], plan: Plan) -> list[str]:
    """Add to a container of the application in place; return warnings. Nothing is added that is there already."""
    warnings: list[str] = []
    wanted: dict[str, str] = dict(plan.extra)
    java = plan.java or plan.java_value is not None
    mounted = _mount(container, plan, warnings)
    if plan.trust and mounted:
        known = (*CA_VARIABLES, *(MOCK_CA_VARIABLES if plan.mocked else ()))
        wanted = {**dict.fromkeys(known, names.CA_BUNDLE), **wanted}
    if plan.proxy_url:
        wanted = {**_proxies(container, plan, warnings), **wanted}
    warnings += _variables(container, wanted)
    if java and (mounted or plan.java_value is not None) and JAVA not in dict(plan.extra):
        warnings += _java(container, plan)
    return warnings


def _variables(container: dict[str, Any], wanted: Mapping[str, str]) -> Iterator[str]:
    present = {item.get("name") for item in container.get("env") or ()}
    kept = [name for name in wanted if name in present]
    new = [_variable(name, value) for name, value in wanted.items() if name not in present]
    if new:
        container["env"] = [*(container.get("env") or ()), *new]
    if kept:
        yield f"container {container['name']}: keeps its own {', '.join(sorted(kept))}"
    if new and container.get("envFrom"):
        yield (
            f"container {container['name']}: what its envFrom sources set under {', '.join(i['name'] for i in new[:8])}"
            " is not seen any more; where that matters, set it under `env`"
        )


def _variable(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value} if value else {"name": name}


def _mount(container: dict[str, Any], plan: Plan, warnings: list[str]) -> bool:
    """Mount the bundle; return whether it is there."""
    if not plan.mounts:
        return False
    taken = [str(m.get("mountPath", "")).rstrip("/") for m in container.get("volumeMounts") or ()]
    if any(_inside(names.TRUST_PATH, path) or _inside(path, names.TRUST_PATH) for path in taken):
        warnings.append(_covered(container, names.TRUST_PATH))
        return False
    new: list[dict[str, Any]] = [{"name": names.TRUST_VOLUME, "mountPath": names.TRUST_PATH, "readOnly": True}]
    for path in KNOWN_STORES if plan.known_stores else ():
        if any(_inside(path, other) or _inside(other, path) for other in taken):
            warnings.append(_covered(container, path))
        else:
            new.append({"name": names.TRUST_VOLUME, "mountPath": path, "subPath": "ca-bundle.crt", "readOnly": True})
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), *new]
    return True


def _covered(container: Mapping[str, Any], path: str) -> str:
    return f"container {container['name']}: has a volume of its own at {path}: the CA is not mounted there"


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _proxies(container: dict[str, Any], plan: Plan, warnings: list[str]) -> dict[str, str]:
    """Return the proxy variables, none for a container that has a proxy of its own; NO_PROXY is extended in place."""
    env = container.get("env") or []
    known = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    own = sorted({str(item.get("name")) for item in env if str(item.get("name")).upper() in known})
    if own:
        told = f"has its own {', '.join(own)}: its outbound traffic is not captured"
        warnings.append(f"container {container['name']}: {told}")
        return {}
    past = LOCAL if plan.through_proxy_to_kube_api else f"{LOCAL},$(KUBERNETES_SERVICE_HOST),kubernetes.default.svc"
    wanted = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), plan.proxy_url)
    if plan.proxy_url.startswith("socks"):
        wanted |= dict.fromkeys(("ALL_PROXY", "all_proxy"), plan.proxy_url)
    for name in ("NO_PROXY", "no_proxy"):
        there = next((item for item in env if item.get("name") == name), None)
        if there is None:
            wanted[name] = past
        elif isinstance(there.get("value"), str):
            there["value"] = f"{there['value']},{past}" if there["value"] else past
    return {**wanted, "NODE_USE_ENV_PROXY": "1"}


def _java(container: dict[str, Any], plan: Plan) -> Iterator[str]:
    env: list[dict[str, Any]] = container.get("env") or []
    there = next((item for item in env if item.get("name") == JAVA), None)
    if plan.java_value is not None:
        if there is None:
            container["env"] = [*env, _variable(JAVA, plan.java_value)]
        else:
            there.pop("valueFrom", None)
            there["value"] = plan.java_value
    elif there is None:
        if _may_bring(container, JAVA):
            yield (
                f"container {container['name']}: its envFrom sources may set {JAVA}, which we must not hide: set it"
                " under `env`, or give its whole value in sidecar.speedscale.com/tls-java-tool-options-value"
            )
        else:
            container["env"] = [*env, {"name": JAVA, "value": JAVA_FLAGS}]
    elif "valueFrom" in there:
        yield from _java_by_reference(container, env, there)
    elif "javax.net.ssl.trustStore=" in (there.get("value") or ""):
        yield f"container {container['name']}: {JAVA} names a trust store of its own, which stays"
    else:
        there["value"] = f"{there['value']} {JAVA_FLAGS}" if there.get("value") else JAVA_FLAGS


def _java_by_reference(container: dict[str, Any], env: list[dict[str, Any]], there: dict[str, Any]) -> Iterator[str]:
    """Keep a value from elsewhere under another name and refer to it; `$(NAME)` stays as it is where there is none."""
    source = there["valueFrom"] if isinstance(there["valueFrom"], dict) else {}
    keys = [source.get("configMapKeyRef"), source.get("secretKeyRef")]
    if not any(isinstance(key, dict) and not key.get("optional") for key in keys):
        yield (
            f"container {container['name']}: {JAVA} comes from a key that may be absent and stays as it is; make the"
            " key required, or give the whole value in sidecar.speedscale.com/tls-java-tool-options-value"
        )
        return
    if any(item.get("name") == _JAVA_ORIGINAL for item in env):
        return
    index = env.index(there)
    original = {"name": _JAVA_ORIGINAL, "valueFrom": there.pop("valueFrom")}
    there["value"] = f"$({_JAVA_ORIGINAL}) {JAVA_FLAGS}"
    container["env"] = [*env[:index], original, *env[index:]]


def _may_bring(container: Mapping[str, Any], name: str) -> bool:
    return any(name.startswith(str(source.get("prefix") or "")) for source in container.get("envFrom") or ())
