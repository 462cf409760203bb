"""Which API server, as whom, in which namespace: kubeconfig files, or the service account of the pod we run in.

The order is kubectl's: an explicit file; else the files named by KUBECONFIG, merged, where the first to name a thing
wins; else `~/.kube/config`; else the service account mounted into a pod. Paths inside a file are relative to that
file. What pykube-ng lacks is done here: several files, `tokenFile`, exec plugins of version 1, `proxy-url`, and
keys given as data, which it would write into /tmp under a name one can compute; ours lie in a private folder that
goes with the `Access`.

Called by `Client` and by verbs that print which cluster is meant. No request is made here.
"""

from __future__ import annotations

import base64
import binascii
import copy
import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pykube
import yaml

from speedscale_schemas.errors import ConfigError

from .credentials import Credential, ExecPlugin, Static, TokenFile
from .private import PrivateFolder

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class Access:
    """A way into one cluster. `origin` says to people where it comes from; `namespace` is the context's."""

    server: str
    namespace: str
    origin: str
    config: pykube.KubeConfig = field(repr=False)
    credential: Credential = field(repr=False)
    proxy: str = ""
    folder: PrivateFolder = field(default_factory=PrivateFolder, repr=False)

    def close(self) -> None:
        """Remove the private files; the Access is of no use afterwards."""
        self.folder.remove()


def load(
    kubeconfig: Path | str | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """Return the way into the cluster that kubectl would take, with the same arguments and environment.

    ConfigError when there is none, when a file cannot be read, or when the context does not exist.
    """
    environ = os.environ if environ is None else environ
    files = _files(kubeconfig, environ)
    if files:
        return _from_files(files, context)
    if (service_account / "token").exists() and environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(service_account, environ)
    raise ConfigError(
        [
            "no cluster is named: there is no ~/.kube/config, KUBECONFIG is not set, and this is no pod; "
            "set KUBECONFIG or give --kubeconfig FILE"
        ]
    )


def _files(kubeconfig: Path | str | None, environ: Mapping[str, str]) -> list[Path]:
    if kubeconfig is not None:
        return [Path(kubeconfig).expanduser()]
    named = [Path(part).expanduser() for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if named:
        present = [path for path in named if path.exists()]
        if not present:
            raise ConfigError([f"KUBECONFIG names {os.pathsep.join(map(str, named))}, and no such file exists"])
        return present
    home = Path(environ.get("HOME") or Path.home()) / ".kube" / "config"
    return [home] if home.is_file() else []


def _from_files(files: Sequence[Path], context: str | None) -> Access:
    merged: dict[str, Any] = {"clusters": [], "users": [], "contexts": []}
    current = ""
    for path in files:
        document = _read(path)
        current = current or str(document.get("current-context") or "")
        for section in ("clusters", "users", "contexts"):
            known = {entry["name"] for entry in merged[section]}
            merged[section] += [entry for entry in _entries(document, section, path) if entry["name"] not in known]
    where = os.pathsep.join(map(str, files))
    name = context or current
    chosen = _named(merged, "contexts", name, where)
    cluster = _named(merged, "clusters", str(chosen.get("cluster", "")), where)
    user = _named(merged, "users", str(chosen["user"]), where) if chosen.get("user") else {}
    namespace = str(chosen.get("namespace") or "default")
    return _access(cluster, user, namespace, f"context {name} of {where}")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: the kubeconfig cannot be read: {error.strerror or error}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: the kubeconfig is no YAML: {' '.join(str(error).split())}"]) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: a kubeconfig is a mapping with clusters, users and contexts"])
    return document


def _entries(document: dict[str, Any], section: str, path: Path) -> list[dict[str, Any]]:
    inner = section.removesuffix("s")
    found = []
    for entry in document.get(section) or ():
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ConfigError([f"{path}: {section}: each entry has a name"])
        content = copy.deepcopy(entry.get(inner) or {})
        if not isinstance(content, dict):
            raise ConfigError([f"{path}: {section}: {entry['name']}: {inner} is a mapping"])
        for key in _PATHS:
            if isinstance(content.get(key), str):
                content[key] = str(path.parent.absolute() / Path(content[key]).expanduser())
        plugin = content.get("exec")
        if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):
            plugin["command"] = str(path.parent.absolute() / plugin["command"])
        found.append({"name": entry["name"], inner: content})
    return found


def _named(merged: dict[str, Any], section: str, name: str, where: str) -> dict[str, Any]:
    inner = section.removesuffix("s")
    names = [entry["name"] for entry in merged[section]]
    if not name:
        known = f"; it has {', '.join(names)}" if names else ""
        raise ConfigError([f"{where}: no current-context is set{known}; give --context NAME"])
    for entry in merged[section]:
        if entry["name"] == name:
            content: dict[str, Any] = entry[inner]
            return content
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError([f"{where}: no {inner} {name!r}; it has {', '.join(names) or 'none'}{hint}"])


def _access(cluster: dict[str, Any], user: dict[str, Any], namespace: str, origin: str) -> Access:
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigError([f"{origin}: the cluster's server is {server!r}, not a URL that starts with https://"])
    folder = PrivateFolder()
    for content, keys in ((cluster, ("certificate-authority",)), (user, ("client-certificate", "client-key"))):
        for key in keys:
            _materialise(content, key, folder, origin)
    credential = _credential(user, cluster, folder)
    pykube_user = {k: v for k, v in user.items() if k not in ("token", "tokenFile", "exec")}
    config = pykube.KubeConfig(
        {
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": pykube_user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": namespace}}],
            "current-context": "it",
        }
    )
    return Access(server, namespace, origin, config, credential, str(cluster.get("proxy-url") or ""), folder)


def _materialise(content: dict[str, Any], key: str, folder: PrivateFolder, origin: str) -> None:
    """Write `<key>-data` into a file of ours, readable by us alone; data wins over a path, as in kubectl."""
    data = content.pop(f"{key}-data", None)
    if data:
        try:
            raw = base64.b64decode(str(data), validate=True)
        except binascii.Error as error:
            raise ConfigError([f"{origin}: {key}-data is not base64"]) from error
        content[key] = str(folder.write(key, raw))
    elif key in content and not Path(str(content[key])).is_file():
        raise ConfigError([f"{origin}: {key}: {content[key]} does not exist"])


def _credential(user: dict[str, Any], cluster: dict[str, Any], folder: PrivateFolder) -> Credential:
    if user.get("tokenFile"):
        return TokenFile(Path(str(user["tokenFile"])))
    if user.get("token"):
        return Static(str(user["token"]))
    if isinstance(user.get("exec"), dict) and user["exec"].get("command"):
        return ExecPlugin(user["exec"], cluster, folder)
    return Static()


def _in_cluster(account: Path, environ: Mapping[str, str]) -> Access:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    name = f"[{host}]" if ":" in host else host
    namespace_file = account / "namespace"
    namespace = namespace_file.read_text(encoding="utf-8").strip() if namespace_file.exists() else "default"
    cluster = {"server": f"https://{name}:{port}", "certificate-authority": str(account / "ca.crt")}
    user = {"tokenFile": str(account / "token")}
    return _access(cluster, user, namespace, f"the service account in {account}")
