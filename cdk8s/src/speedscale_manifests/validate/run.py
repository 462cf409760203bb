"""All steps in order, on files or on plain objects.

Called by the verb, by the demo and by tests. One step's failure hides no other step; what cannot run says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, Literal

from speedscale_manifests.objects import prune
from speedscale_manifests.output.paths import INDEX
from speedscale_manifests.values import Values
from speedscale_schemas.errors import ConfigError

from . import building, bundled, files, rules, schemas, values_steps
from .files import Document
from .findings import SERVER, Found, Report, Step, named

STEPS = (
    values_steps.VALUES,
    files.NAME,
    schemas.KUBERNETES,
    schemas.CRD,
    rules.POLICIES,
    rules.ANNOTATIONS,
    bundled.NAME,
    building.NAME,
    values_steps.OUTPUT,
    SERVER,
)
"""Every step by name, in the order in which they run."""

Progress = Callable[[str, int], None]
ServerMode = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class Options:
    """What is checked, and how.

    `paths`: folders and files. `values`: files of the values it was made of, None when they are not known (then the
    steps `values` and `output` do not run). `versions`: of Kubernetes. `server`: `auto` asks a cluster when one is
    named, `always` fails without one. `require`: steps that have to run.
    """

    paths: tuple[File, ...]
    versions: tuple[str, ...]
    values: tuple[File, ...] | None = None
    sets: tuple[str, ...] = ()
    profile: str | None = None
    server: ServerMode = "auto"
    kubeconfig: File | None = None
    context: str | None = None
    require: frozenset[str] = frozenset()


def run(options: Options, progress: Progress = lambda step, done: None) -> Report:
    """Run every step. ConfigError when a path does not exist or a step's name is unknown; all else is in the report.

    `progress` is told the step's name and how many objects it has done.
    """
    unknown = sorted(options.require - set(STEPS))
    if unknown:
        raise ConfigError([f"--require {unknown[0]}: no such step; there are {', '.join(STEPS)}"])
    loaded = files.load(options.paths)
    documents = loaded.documents
    values_step, values, output_step = _values(options, loaded.roots)
    preset = values.preset if values else ""
    steps = [
        values_step,
        loaded.step,
        *_pure(documents, options.versions, preset, progress),
        building.kustomize_step(
            loaded.kustomizations, documents, lambda built: objects(built, options.versions, preset)
        ),
        output_step,
        _server(options, documents, progress),
    ]
    required = options.require | ({SERVER} if options.server == "always" else frozenset())
    done = tuple(step.required() if step.name in required else step for step in steps)
    return Report(done, table((document.chart, document.manifest) for document in documents))


def objects(manifests: Iterable[Mapping[str, Any]], versions: Sequence[str], preset: str = "") -> list[Found]:
    """Return every error of plain objects by the steps that need no file, no program and no cluster.

    `manifests` are the objects of a whole installation; rules look at them together. `preset` is that of the values.
    """
    documents = tuple(Document("", prune(manifest)) for manifest in manifests)
    return [found for step in _pure(documents, versions, preset, lambda step, done: None) for found in step.errors]


def table(placed: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, int]]:
    """Return how many objects of each kind each chart holds: chart → kind → number."""
    counts: dict[str, Counter[str]] = {}
    for chart, manifest in placed:
        counts.setdefault(chart, Counter())[str(manifest["kind"])] += 1
    return {chart: dict(sorted(kinds.items())) for chart, kinds in counts.items()}


def _pure(documents: Sequence[Document], versions: Sequence[str], preset: str, progress: Progress) -> list[Step]:
    def tick(done: int) -> None:
        progress(schemas.KUBERNETES, done)

    first = schemas.kubernetes_step(documents, versions, tick)
    bad = {(problem.file, problem.object) for problem in first.errors}
    sound = [document for document in documents if (document.file, named(document.manifest)) not in bad]
    return [
        first,
        schemas.crd_step(sound),
        rules.policy_step(sound, preset, left_out=len(documents) - len(sound)),
        rules.annotation_step(sound),
        bundled.bundle_step(sound, versions),
    ]


def _values(options: Options, roots: Sequence[File]) -> tuple[Step, Values | None, Step]:
    if options.values is None:
        reason = "which values made this is not known; name them: --values FILE"
        titles = ("values", "the files are what the values give")
        names = (values_steps.VALUES, values_steps.OUTPUT)
        first, second = (Step.skipped(name, title, reason) for name, title in zip(names, titles, strict=True))
        return first, None, second
    step, values = values_steps.values_step(options.values, options.sets, options.profile)
    whole = roots[0] if len(options.paths) == 1 and roots and (roots[0] / INDEX).is_file() else None
    return step, values, values_steps.output_step(values, whole)


def _server(options: Options, documents: Sequence[Document], progress: Progress) -> Step:
    title = "server-side dry run"
    if options.server == "never":
        return Step.skipped(SERVER, title, "--server never")
    from speedscale_kube import Client, load

    from .server import server_step

    try:
        access = load(options.kubeconfig, options.context)
    except ConfigError as error:
        if options.kubeconfig or options.context:
            raise
        return Step.skipped(SERVER, title, error.problems[0])
    with Client(access, agent="speedctl-validate", retries=1) as client:
        where = f"{access.server} by {access.origin}"
        return server_step(documents, client, where, lambda done: progress(SERVER, done))
