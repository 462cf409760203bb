"""TrafficReplays at admission: what is filled in, what is refused, what is warned of.

Pure. Only `spec.mode` is filled in: the column that `kubectl get` shows is empty without it. Everything else that has
a default stays away, because a default written into a list or beside git's fields is drift to a GitOps tool; the
controller knows what an absent field means.

Refused is what `trafficreplay.validate` finds (structure, and what a started replay may not change), and traffic keys
that the snapshot does not have, where its index is at hand; the message names the candidates. Never refused: an object
that is being deleted, and an update that leaves `spec` alone, or a finalizer could never be taken off an object that an
older version let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from speedscale_controller.replay import Replay, matching
from speedscale_controller.telemetry.labels import Answer
from speedscale_schemas import trafficreplay

from .answers import Answered
from .review import Response, Review

MESSAGE_CHARACTERS: Final = 4000
_DEFAULT_MODE: Final = "full-replay"
Keys = Callable[[str, str], "TrafficKeys | None"]
"""`(namespace, snapshot id)` → the keys of its traffic, None while they are not at hand."""


class TrafficKeys:
    """What a snapshot's tests and mocks are called."""

    def __init__(self, tests: Iterable[str], mocks: Iterable[str]) -> None:
        self.tests, self.mocks = tuple(tests), tuple(mocks)


def concerns(review: Review) -> bool:
    """Say whether the review is about a TrafficReplay that is created or updated."""
    return (
        review.kind == trafficreplay.KIND
        and review.group == trafficreplay.GROUP
        and review.operation in ("CREATE", "UPDATE")
        and not review.sub_resource
        and review.object is not None
    )


def complete(review: Review) -> Answered:
    """Return the answer of the mutating webhook: the mode, where it is absent."""
    spec = (review.object or {}).get("spec")
    if not isinstance(spec, dict) or "mode" in spec or _ending(review.object):
        return Answered(Response(), Answer.UNCHANGED)
    return Answered(Response(({"op": "add", "path": "/spec/mode", "value": _DEFAULT_MODE},)), Answer.PATCHED)


def judge(review: Review, keys: Keys) -> Answered:
    """Return the answer of the validating webhook."""
    replay = review.object or {}
    if _ending(replay) or (review.old is not None and review.old.get("spec") == replay.get("spec")):
        return Answered(Response(), Answer.UNCHANGED)
    problems = [str(problem) for problem in trafficreplay.validate(replay, old=review.old)]
    if not problems:
        problems = [wrong for wrong in Replay.read(replay).problems if ".sidecar.patch: " in wrong]
    if not problems:
        problems = list(_unknown_keys(replay, review.namespace, keys))
    if problems:
        return Answered(Response(refusal=_message(review, problems)), Answer.REFUSED)
    warnings = tuple(_warnings(replay["spec"]))
    return Answered(Response(warnings=warnings), Answer.UNCHANGED)


def cannot(why: str, code: int, answer: Answer) -> Answered:
    """Return the refusal where a replay could not be judged."""
    return Answered(Response(refusal=f"speedscale could not judge this TrafficReplay: {why}", code=code), answer)


def _ending(replay: Mapping[str, Any] | None) -> bool:
    metadata = (replay or {}).get("metadata")
    return isinstance(metadata, Mapping) and "deletionTimestamp" in metadata


def _message(review: Review, problems: Sequence[str]) -> str:
    text = f"TrafficReplay {review.name or 'without a name'}: " + "; ".join(problems)
    return text if len(text) <= MESSAGE_CHARACTERS else text[: MESSAGE_CHARACTERS - 1] + "…"


def _unknown_keys(replay: Mapping[str, Any], namespace: str, keys: Keys) -> Iterable[str]:
    """Yield what the replay's start would find wrong with its keys, by the same rules."""
    read = Replay.read(replay)
    known = keys(namespace, read.snapshot_id)
    if known is None:
        return
    yield from matching.tests([(workload.path, workload.tests) for workload in read.workloads], known.tests)[1]
    for workload in read.workloads:
        yield from matching.mocks(workload.mocks, known.mocks, workload.path)[1]


def _warnings(spec: Mapping[str, Any]) -> Iterable[str]:
    if spec.get("cleanup") == "all":
        yield "speedscale: cleanup: all deletes the workload under test when the replay ends"
    deprecated = sorted(name for name in set(spec) & _DEPRECATED.keys() if _is_used(spec[name]))
    for name in deprecated:
        yield f"speedscale: spec.{name} is deprecated: {_DEPRECATED[name]}"
    for number, workload in enumerate(spec.get("workloads") or ()):
        for name in sorted(name for name in set(workload) & _DEPRECATED_OF_WORKLOAD.keys() if _is_used(workload[name])):
            yield f"speedscale: spec.workloads[{number}].{name} is deprecated: {_DEPRECATED_OF_WORKLOAD[name]}"


def _is_used(value: Any) -> bool:
    """Say whether there is more than a patch in a field: that has no other place."""
    return not (isinstance(value, Mapping) and set(value) == {"patch"})


_DEPRECATED: Final = {
    "workloadRef": "use workloads",
    "sidecar": "annotate the workload",
    "collectLogs": "logs are always collected",
    "configChecksum": "it has no effect",
    "proxyMode": "annotate the workload with sidecar.speedscale.com/proxy-type",
    "generatorLowData": "let the test config say it",
    "responderLowData": "let the test config say it",
}
_DEPRECATED_OF_WORKLOAD: Final = {
    "inTrafficKey": "use tests",
    "inTrafficKeys": "use tests",
    "outTrafficKeys": "use mocks",
    "sidecar": "annotate the workload",
}
