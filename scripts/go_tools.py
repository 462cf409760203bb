"""Programs that we build from Go modules, most of them other projects': a cluster, kustomize, helm, kubeconform.

Each folder of `scripts/go/` is a Go module: its go.mod names the programs and pins their versions, its go.sum pins
every byte they are made of. Most have no code; coredns has a list of plugins, pause is a program of our own. A program
is built when it is first asked for, into

    ${XDG_CACHE_HOME:-~/.cache}/speedscale/tools/<module>-<hash of the module's files>/<program>

and `…/tools/bin/<program>` points at the newest one, for those who look for a program without importing this.
It is built again only when the pins change. One build runs at a time; the second waits and says so.

Called by `make cluster-tools`, by the cluster harness and by set-up; needs nothing but Python and, to build, Go.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).resolve().parent / "go"
KEPT = 3  # builds kept of one module: branches with other pins do not throw each other's out
_BEAT_S = 15.0
_OLDEST_GO = 21
_OWN_VERSION = "v1.0.0"


class ToolMissing(Exception):
    """A program is not there and cannot be built; the text says why and what to do."""


@dataclass(frozen=True)
class Module:
    """One folder of `scripts/go/`.

    `owner` is the Go module whose version is stamped (empty: the folder's own code), `stamps` what the linker sets
    (`{version}` is `v1.2.3`, `{major}` and `{minor}` its numbers), `takes` what a first build takes on two cores.
    """

    name: str
    owner: str
    takes: str
    programs: dict[str, str]
    stamps: dict[str, str] = field(default_factory=dict)


def _kubernetes_stamps() -> dict[str, str]:
    common = {"gitVersion": "{version}", "gitMajor": "{major}", "gitMinor": "{minor}"}
    facts = {**common, "gitTreeState": "clean", "gitCommit": "0" * 40, "buildDate": "2026-01-01T00:00:00Z"}
    return {
        **{f"k8s.io/component-base/version.{name}": value for name, value in facts.items()},
        **{f"k8s.io/client-go/pkg/version.{name}": value for name, value in common.items()},
    }


_K8S = "k8s.io/kubernetes"
TABLE = (
    Module(
        "kubernetes",
        _K8S,
        "about five minutes",
        {
            name: f"{_K8S}/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        },
        _kubernetes_stamps(),
    ),
    Module("etcd", "go.etcd.io/etcd/server/v3", "half a minute", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module(
        "kustomize",
        "sigs.k8s.io/kustomize/kustomize/v5",
        "15 seconds",
        {"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
        {"sigs.k8s.io/kustomize/api/provenance.version": "{version}"},
    ),
    Module(
        "helm",
        "helm.sh/helm/v3",
        "about a minute",
        {"helm": "helm.sh/helm/v3/cmd/helm"},
        {"helm.sh/helm/v3/internal/version.version": "{version}"},
    ),
    Module(
        "kubeconform",
        "github.com/yannh/kubeconform",
        "five seconds",
        {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"},
        {"main.version": "{version}"},
    ),
    Module(
        "argocd",
        "github.com/argoproj/argo-cd/v3",
        "about six minutes",
        {"argocd": "github.com/argoproj/argo-cd/v3/cmd"},
    ),
    Module("coredns", "github.com/coredns/coredns", "about a minute", {"coredns": "."}),
    Module("pause", "", "five seconds", {"pause": "."}),
    Module("otelcol", "go.opentelemetry.io/collector/otelcol", "about a minute", {"otelcol": "."}),
    Module(
        "versitygw",
        "github.com/versity/versitygw",
        "about a minute",
        {"versitygw": "github.com/versity/versitygw/cmd/versitygw"},
        {"main.Version": "{version}"},
    ),
)
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
NODE = (*CONTROL_PLANE, "kube-scheduler", "kubelet", "kube-proxy", "coredns", "pause")
MANIFEST_TOOLS = ("kustomize", "helm", "kubeconform")
SERVERS = ("otelcol", "versitygw")  # what exporters are tested against
ENVTEST = ("etcd", "kube-apiserver", "kubectl")  # what a folder named by KUBEBUILDER_ASSETS holds

Say = Callable[[str], None]


def cache() -> Path:
    """Return our folder in the user's cache, outside any clone."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "speedscale"


def version(program: str) -> str:
    """Return the pinned version, `v1.34.4`; KeyError for a program that is not in the table."""
    return _version(_owner(program))


def find(program: str) -> Path | None:
    """Return the program where it is built already (or lies in KUBEBUILDER_ASSETS), else None."""
    assets = _assets(program)
    path = assets if assets is not None else _home(_owner(program)) / program
    return path if os.access(path, os.X_OK) else None


def ensure(*programs: str, say: Say | None = None) -> tuple[Path, ...]:
    """Return the programs' paths in order, building those that are not there.

    `say` takes lines of progress (default: stderr). ToolMissing when one can be neither found nor built.
    """
    say = say or _stderr
    for program in programs:
        assets = _assets(program)
        if assets is not None and find(program) is None:
            raise ToolMissing(
                f"KUBEBUILDER_ASSETS is {assets.parent}, and {program} is not there; "
                "`setup-envtest use -p path` prints a folder that has it, or unset the variable to have it built"
            )
    lacking = [program for program in programs if find(program) is None]
    for module in TABLE:
        wanted = [program for program in lacking if program in module.programs]
        if wanted:
            _build(module, wanted, say)
    for program in programs:
        if _assets(program) is None:
            _link(_home(_owner(program)) / program)
    return tuple(path for program in programs if (path := find(program)) is not None)


def sources(program: str) -> Path:
    """Return the folder of the Go module that a program is made of, as its go.sum vouches for it.

    ToolMissing when it is not on this machine and cannot be fetched.
    """
    module = _owner(program)
    go = shutil.which("go")
    if go is None:
        raise ToolMissing(f"the sources of {program} come as a Go module and there is no go on PATH; install Go")
    with tempfile.TemporaryDirectory(prefix="go-module-") as scratch:
        for name in ("go.mod", "go.sum"):
            shutil.copy(MODULES / module.name / name, scratch)
        done = subprocess.run(
            [go, "mod", "download", "-json", module.owner],
            cwd=scratch,
            env={**os.environ, "GOWORK": "off"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ToolMissing(f"{module.owner} {_version(module)} cannot be fetched: {done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])


def _assets(program: str) -> Path | None:
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    return Path(folder) / program if folder and program in ENVTEST else None


def _owner(program: str) -> Module:
    for module in TABLE:
        if program in module.programs:
            return module
    known = ", ".join(name for module in TABLE for name in module.programs)
    raise KeyError(f"no program {program!r}; there are {known}")


def _version(module: Module) -> str:
    if not module.owner:
        return _OWN_VERSION
    text = (MODULES / module.name / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(module.owner)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ToolMissing(f"{MODULES / module.name / 'go.mod'} does not require {module.owner}")
    return found.group(1)


def _ldflags(module: Module) -> str:
    pinned = _version(module)
    major, minor = pinned.removeprefix("v").split(".")[:2]
    stamps = (
        f"-X {key}={value.format(version=pinned, major=major, minor=minor)}" for key, value in module.stamps.items()
    )
    return " ".join(("-s -w", *stamps))


def _home(module: Module) -> Path:
    digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {_ldflags(module)}".encode())
    for file in _files(module):
        digest.update(file.read_bytes())
    return cache() / "tools" / f"{module.name}-{digest.hexdigest()[:16]}"


def _files(module: Module) -> list[Path]:
    """Return the files of a module in the order of their names: go.mod, go.sum, then code where it has some."""
    folder = MODULES / module.name
    return [*(folder / name for name in ("go.mod", "go.sum") if (folder / name).exists()), *sorted(folder.glob("*.go"))]


def _build(module: Module, programs: list[str], say: Say) -> None:
    go = shutil.which("go")
    names = ", ".join(programs)
    if go is None:
        raise ToolMissing(
            f"{names} {module.owner} {_version(module)} is built from its Go module and there is no go on PATH; "
            "install Go (apt-get install golang-go, or https://go.dev/dl/) and run make cluster-tools"
        )
    _check_go(go)
    home = _home(module)
    home.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(say):
        programs = [program for program in programs if not (home / program).exists()]  # built while we waited
        if not programs:
            return
        say(f"building {names} {_version(module)} from its Go module (the first time {module.takes})")
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=".build-", dir=home) as scratch:
            _go_build(go, module, programs, Path(scratch), say)
        say(f"built {names} in {time.monotonic() - started:.0f} s: {home}")
        _prune(module)


def _check_go(go: str) -> None:
    """ToolMissing for a Go that cannot read these modules; since 1.21 it fetches a newer one by itself."""
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go1\.(\d+)", told)
    if found and int(found.group(1)) < _OLDEST_GO:
        raise ToolMissing(
            f"{go} is {told.strip()}; these modules need Go 1.{_OLDEST_GO} or newer (https://go.dev/dl/), "
            "then run make cluster-tools"
        )


def _go_build(go: str, module: Module, programs: list[str], scratch: Path, say: Say) -> None:
    """Build in a copy of the module, so that -mod=mod never writes into the clone."""
    for file in _files(module):
        shutil.copy(file, scratch / file.name)
    (scratch / "out").mkdir()
    for program in programs:
        command = [go, "build", "-mod=mod", "-trimpath", "-v", "-ldflags", _ldflags(module)]
        command += ["-o", str(scratch / "out" / program), module.programs[program]]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
        code, told = _watched(command, scratch, environment, program, say)
        if code != 0:
            raise ToolMissing(f"go build of {program} {_version(module)} failed with {code}:\n" + "\n".join(told))
        os.replace(scratch / "out" / program, scratch.parent / program)


def _watched(
    command: list[str], folder: Path, environment: dict[str, str], program: str, say: Say
) -> tuple[int, list[str]]:
    """Run `go build -v`, which prints a line a package, and tell every 15 s how far it is."""
    started = time.monotonic()
    told: list[str] = []
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        beat = threading.Event()
        state = {"done": 0, "downloads": 0}

        def heart() -> None:
            while not beat.wait(_BEAT_S):
                say(
                    f"  {program}: {state['done']} packages compiled, {state['downloads']} modules fetched, "
                    f"{time.monotonic() - started:.0f} s"
                )

        thread = threading.Thread(target=heart, daemon=True)
        thread.start()
        try:
            for line in process.stderr:
                if line.startswith("go: downloading"):
                    state["downloads"] += 1
                elif re.fullmatch(r"[\w./~-]+\n", line):
                    state["done"] += 1
                else:
                    told = [*told[-19:], line.rstrip()]
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            beat.set()
            thread.join()
    return code, told


@contextlib.contextmanager
def _one_at_a_time(say: Say) -> Iterator[None]:
    path = cache() / "tools" / "lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"waiting for another build to end (process {lock.read().strip() or 'unknown'})")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _link(program: Path) -> None:
    """Point `bin/<program>` at this build; the build in use, where branches have different pins."""
    folder, target = cache() / "tools" / "bin", Path("..") / program.parent.name / program.name
    link = folder / program.name
    if link.is_symlink() and link.readlink() == target:
        return
    folder.mkdir(exist_ok=True)
    fresh = folder / f".{program.name}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, link)


def _prune(module: Module) -> None:
    builds = sorted((cache() / "tools").glob(f"{module.name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for stale in builds[KEPT:]:
        shutil.rmtree(stale, ignore_errors=True)


def _stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Build what is named (default: all that the cluster and manifest tests need) and print the paths."""
    wanted = arguments or [*NODE, *MANIFEST_TOOLS, "argocd"]
    try:
        for program, path in zip(wanted, ensure(*wanted), strict=True):
            print(f"{program} {version(program)} {path}")
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    except ToolMissing as error:
        print(f"cluster-tools: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
