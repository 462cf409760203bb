"""`speedctl infra replay`: TrafficReplays made, shown, waited for and canceled."""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

from speedscale_controller.replay import matching
from speedscale_controller.replay.status import Status
from speedscale_controller.snapshots import SnapshotError, SnapshotIndex, Snapshots
from speedscale_kube import Client, Object, Ref, ref
from speedscale_kube.errors import NotFoundError
from speedscale_schemas import trafficreplay
from speedscale_schemas.asking import replays
from speedscale_schemas.asking.replay_names import generate
from speedscale_schemas.asking.replays import Ended
from speedscale_schemas.errors import ConfigError, TransientError

from . import following, installed, workloads
from .following import Outcome
from .infra_replay_views import named
from .infra_sidecar import seconds
from .printing import emit, fail, say
from .reaching import MANAGER, with_cluster


class _Ended(BaseException):
    """SIGTERM: as Ctrl-C, but another number."""


def start(args: argparse.Namespace) -> int:
    """Start a replay; without --wait 0 once it is made. With --wait as `wait`."""
    return with_cluster(args, lambda client: _start(client, args))


def _start(client: Client, args: argparse.Namespace) -> int:
    timeout_s = seconds(args.timeout)
    namespace = args.namespace or client.namespace
    targets = [workloads.named(client, text, namespace) for text in args.workload]
    name = args.name or generate(random.SystemRandom())
    replay = build(args, name, namespace, targets)
    problems = trafficreplay.validate(replay)
    if problems:
        raise ConfigError([str(problem) for problem in problems])
    if args.dry_run:
        return _dry_run(client, args, replay)
    which = ref(replay)
    if not args.wait:
        made = _create(client, replay)
        emit(args, {"name": name, "namespace": namespace, "uid": made["metadata"]["uid"]}, f"{namespace}/{name}")
        return 0
    mocks_suffice = args.mode == "responder-only"
    return _wait(client, args, which, timeout_s, mocks_suffice=mocks_suffice, first=lambda: _create(client, replay))


def _create(client: Client, replay: Object) -> Object:
    made = client.create(replay, MANAGER)
    say(f"{ref(made)} was made")
    return made


def build(args: argparse.Namespace, name: str, namespace: str, targets: Sequence[Object]) -> Object:
    """Return the TrafficReplay that the arguments mean, as `asking.replays.build` says."""
    return replays.build(asked(args), name, namespace, targets)


def asked(args: argparse.Namespace) -> replays.Asked:
    """Return what was typed."""
    return replays.Asked(
        snapshot_id=args.snapshot_id,
        test_config_id=args.test_config_id,
        mode=args.mode,
        tests=args.tests or (),
        mocks=args.mocks or (),
        cleanup=args.cleanup or "",
        build_tag=args.build_tag or "",
    )


def _dry_run(client: Client, args: argparse.Namespace, replay: Object) -> int:
    """Show the object, and which of the snapshot's traffic it means; 1 when that cannot be replayed."""
    there = installed.find(client, args.operator_namespace)
    namespace = replay["metadata"]["namespace"]
    sources = Snapshots.of(client, there.namespace if there else namespace)
    try:
        id_ = sources.resolve(args.snapshot_id, namespace)
        index = sources.get(id_, namespace).index()
    except SnapshotError as error:
        if there and there.settings and there.settings.snapshot_dir:
            say(f"note: {error.detail}; the operator may have it in its folder {there.settings.snapshot_dir}")
        raise
    parts, problems = selection(replay, index)
    with contextlib.suppress(NotFoundError):
        client.create(replay, MANAGER, dry_run=True)  # the server's own judgement
    emit(
        args, {"trafficReplay": replay, "snapshotId": id_, "workloads": parts, "problems": problems}, _plan(id_, parts)
    )
    for problem in problems:
        say(f"speedctl: {problem}")
    return 1 if problems else 0


def selection(replay: Object, index: SnapshotIndex) -> tuple[list[dict[str, Any]], list[str]]:
    """Return for each workload the keys of its tests and mocks, and what is wrong with what was asked for."""
    items = replay["spec"]["workloads"]
    wanted = [(f"spec.workloads[{i}]", item.get("tests", [])) for i, item in enumerate(items)]
    chosen, problems = matching.tests(wanted, index.tests)
    parts = []
    for (path, _), item, keys in zip(wanted, items, chosen, strict=True):
        mocked, wrong = matching.mocks(item.get("mocks", []), index.mocks, path)
        problems += wrong
        target = item["ref"]
        parts.append(
            {
                "workload": f"{target['kind'].lower()}/{target['name']}",
                "tests": [_traffic(key, index.tests[key].requests) for key in keys],
                "mocks": [_traffic(key, index.mocks[key].requests) for key in mocked],
                "notMocked": sorted(set(index.mocks) - set(mocked)),
            }
        )
    return parts, problems


def _traffic(key: str, requests: int) -> dict[str, Any]:
    return {"key": key, "requests": requests}


def _plan(id_: str, parts: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"snapshot {id_}; nothing was written"]
    for part in parts:
        lines += [part["workload"]]
        for what in ("tests", "mocks"):
            lines += [f"  {what}: {len(part[what])}"]
            lines += [f"    {one['key']} ({one['requests']:,} requests)" for one in part[what]]
        if part["notMocked"]:
            lines += [f"  goes to the real thing: {', '.join(part['notMocked'])}"]
    return "\n".join(lines)


def wait(args: argparse.Namespace) -> int:
    """Wait: 0 passed, 1 failed or canceled, 2 error or no end in time."""

    def act(client: Client) -> int:
        which = named(client, args)
        mode = (client.get(which).get("spec") or {}).get("mode")
        return _wait(client, args, which, seconds(args.timeout), mocks_suffice=mode == "responder-only")

    return with_cluster(args, act)


def _wait(
    client: Client,
    args: argparse.Namespace,
    which: Ref,
    timeout_s: float,
    *,
    mocks_suffice: bool,
    first: Callable[[], object] | None = None,
) -> int:
    """Do what comes first, then wait; whatever ends this early, a replay that is to be canceled is."""
    ended = False
    try:
        with _terminable():
            if first is not None:
                first()
            outcome = following.follow(
                lambda: _look(client, which),
                say,
                timeout_s=timeout_s,
                clock=time.monotonic,
                sleep=time.sleep,
                mocks_suffice=mocks_suffice,
            )
            ended = outcome.ended is not Ended.TIMEOUT
    except (KeyboardInterrupt, _Ended):
        outcome = Outcome(Ended.CANCELED, "waiting was ended before the replay", Status())
    finally:
        if not ended:
            _unfinished(client, which, args.cancel_on_exit)
    emit(
        args,
        {"name": which.name, "namespace": which.namespace, **outcome.document()},
        f"{which.namespace}/{which.name}: {outcome.ended}" + (f": {outcome.message}" if outcome.message else ""),
    )
    return outcome.ended.exit_code


def _unfinished(client: Client, which: Ref, cancel_it: bool) -> None:
    """Cancel a replay that nobody waits for any more, or say that it runs on."""
    if not cancel_it:
        say(f"{which} runs on; speedctl infra replay cancel {which.name} -n {which.namespace} ends it")
    elif client.delete(which):
        say(f"{which} is canceled")


def _look(client: Client, which: Ref) -> Object | None:
    """Return the replay; a server that does not answer for a moment is asked again by the next look."""
    for attempt in range(5):
        try:
            return client.find(which)
        except TransientError as error:
            if attempt == 4:
                raise
            time.sleep(error.retry_after_s)
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception: CI systems end jobs with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_: int, __: FrameType | None) -> None:
        raise _Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def cancel(args: argparse.Namespace) -> int:
    """Cancel: 0 when it is (or, waited for, has been) cleaned up, 1 when that takes too long, 2 when there is none."""

    def act(client: Client) -> int:
        timeout_s = seconds(args.timeout)
        which = named(client, args)
        client.delete(which)
        say(f"{which} is canceled")
        end = time.monotonic() + timeout_s
        while args.wait and (left := client.find(which)) is not None:
            if time.monotonic() >= end:
                waits = ", ".join(left["metadata"].get("finalizers") or ()) or "nothing"
                fail(
                    f"{which} is still there after {timeout_s:.0f} s (finalizers: {waits})",
                    "is the operator alive? speedctl doctor says",
                )
                return 1
            time.sleep(following.POLL_S)
        return 0

    return with_cluster(args, act)
