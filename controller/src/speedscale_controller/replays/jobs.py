"""The generator's Job, read: does it run, how did it end, what do its pods say.

Called by `seeing`. Pure. The summary stands in the termination message of the container `speedscale-generator`; of an
indexed Job each index has one, and an index without one is an error: half a measurement is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from speedscale_controller.replay import summary
from speedscale_controller.replay.decision import Job
from speedscale_controller.replay.readiness import Pods, cause_of

CONTAINER: Final = "speedscale-generator"
_INDEX: Final = "batch.kubernetes.io/job-completion-index"


def read(job: Mapping[str, Any], pods: Pods, age_s: float) -> Job:
    """Return what is known of a Job and its pods; `age_s` is how long ago it was made."""
    status = job.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or () if c.get("status") == "True"}
    failed = conditions.get("Failed") or conditions.get("FailureTarget")
    ended = "Complete" in conditions or failed is not None
    messages = _messages(pods)
    started = bool(messages) or any(_phase(p) in ("Running", "Succeeded", "Failed") for p in pods.pods)
    if not ended:
        _, cause = cause_of({**job, "status": {}}, pods)
        return Job(age_s=age_s, started=started, cause=cause)
    cause = ""
    if failed is not None:
        _, why = cause_of({**job, "status": {}}, pods)
        cause = f"the generator failed: {failed.get('reason', '')}: {failed.get('message', '')}".rstrip(": ")
        cause += f"; {why}" if why else ""
    return Job(age_s=age_s, started=True, ended=True, summary=_summary(job, messages, failed, cause), cause=cause)


def ended_at(job: Mapping[str, Any]) -> str:
    """Return when a Job ended; empty where it has not, or does not say."""
    status = job.get("status") or {}
    ends = [c for c in status.get("conditions") or () if c.get("type") in ("Complete", "Failed", "FailureTarget")]
    times = sorted(str(c.get("lastTransitionTime") or "") for c in ends if c.get("status") == "True")
    return str(status.get("completionTime") or (times[0] if times else ""))


def _summary(
    job: Mapping[str, Any], messages: Mapping[str, tuple[str, str]], failed: Mapping[str, Any] | None, cause: str
) -> dict[str, Any]:
    wanted = int((job.get("spec") or {}).get("completions") or 1)
    found = [summary.read(text, pod) for _, (pod, text) in sorted(messages.items())]
    if failed is not None and failed.get("reason") == "DeadlineExceeded":
        found.append(summary.failed("the tests did not end in time: the Job's deadline passed"))
    elif failed is not None and all(s["state"] == "Passed" for s in found):
        found.append(summary.failed(cause))
    elif len(found) < wanted:
        found.append(summary.failed(f"{wanted - len(found)} of {wanted} generator pods left no summary"))
    return summary.merge(found)


def _messages(pods: Pods) -> dict[str, tuple[str, str]]:
    """Return pod and termination message by index; of several pods of one index the newest counts."""
    found: dict[str, tuple[str, str]] = {}
    for pod in sorted(pods.pods, key=lambda p: str(p["metadata"].get("creationTimestamp", ""))):
        meta = pod["metadata"]
        index = str((meta.get("annotations") or {}).get(_INDEX, "0"))
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            ended = (container.get("state") or {}).get("terminated")
            if container.get("name") == CONTAINER and ended is not None:
                found[index] = (meta["name"], str(ended.get("message") or _said(ended)))
    return found


def _said(ended: Mapping[str, Any]) -> str:
    return f"ended with code {ended.get('exitCode', 'unknown')} ({ended.get('reason', 'no reason')})"


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase", ""))
