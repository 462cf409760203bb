"""The actions of `speedctl infra` through the backend: same words, same results, same exit codes.

What differs is said where it does: the inspector has no operator's verdict on a workload, so `state` is what
annotations and pods say, and the reason of a missing sidecar is the operator's newest Event.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from speedscale_schemas.asking.replays import Ended
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.inspector import COMMAND, COMMANDS
from speedscale_schemas.validation import schema

from . import infra_replay
from .capture import Captured, State
from .infra_sidecar import options, seconds
from .infra_workloads import described
from .printing import emit, fail, say, table
from .via import Remote, with_remote

_POLL_S = 1.0
_INSTEAD = "snapshots of the backend need no push: name their id with infra replay start --via cloud"
_EVER_S = 86_400.0


def run(args: argparse.Namespace) -> int:
    """Carry the action out through the backend."""
    act = _ACTIONS.get((args.module, args.function))
    if act is None:
        return fail(f"infra {args.action} needs a kubeconfig; it does not go through the backend", _INSTEAD)
    return with_remote(args, lambda remote: act(remote, args))


def _place(args: argparse.Namespace, *, all_of: bool = False) -> dict[str, str]:
    if args.namespace:
        return {"namespace": args.namespace}
    if all_of and args.all_namespaces:
        return {}
    raise ConfigError(["--via cloud: there is no context that says which namespace; give -n NAMESPACE"])


def _noted(result: Mapping[str, Any]) -> None:
    for note in result.get("notes", ()):
        say(str(note))


def _workloads(remote: Remote, args: argparse.Namespace) -> int:
    items, result = remote.ask("list-workloads", {**_place(args, all_of=True), "captured": args.captured})
    _noted(result)
    items.sort(key=lambda one: (one["namespace"], one["kind"], one["name"]))
    unread = {right["resource"]: f"may not {right['verb']}" for right in result["missing"]}
    data = {"installation": {"cluster": remote.cluster}, "unread": unread, "workloads": items}
    emit(args, data, described([captured(one) for one in items], args.all_namespaces))
    return 0


def captured(item: Mapping[str, Any]) -> Captured:
    """Return a workload as the other way shows it."""
    return Captured(
        kind=str(item["kind"]),
        namespace=str(item["namespace"]),
        name=str(item["name"]),
        state=State(item["state"]),
        annotated=bool(item["annotated"]),
        injected=bool(item["injected"]),
        reason=str(item["reason"]),
        message=str(item["message"]),
        warnings=tuple(item["warnings"]),
        managed_by=str(item["managedBy"]),
        replay=str(item["replay"]),
        image=str(item["sidecarImage"]),
    )


def _sidecar(remote: Remote, args: argparse.Namespace, wanted: bool) -> int:
    patience_s = seconds(args.timeout)
    asked: dict[str, Any] = {**_place(args), "workload": args.workload, "force": args.force, "dryRun": args.dry_run}
    if wanted:
        asked["settings"] = {name.partition("/")[2]: text for name, text in options(vars(args)).items()}
    else:
        asked["settings"] = args.settings
    _, result = remote.ask("sidecar-add" if wanted else "sidecar-remove", asked)
    for warning in result["warnings"] if wanted else ():
        say(f"warning: {warning}")
    change = result["change"]
    done = True
    if args.wait and not args.dry_run:
        result, done = _waited(remote, result, wanted, patience_s)
    now = captured(result)
    which = f"{now.kind} {now.namespace}/{now.name}"
    what = ", ".join(change) or "nothing to change"
    emit(args, {**result, "change": change, "dryRun": args.dry_run}, f"{which}: {what}; state: {now.state}")
    return 0 if done else 1


def _waited(remote: Remote, last: dict[str, Any], wanted: bool, patience_s: float) -> tuple[dict[str, Any], bool]:
    """Look once a second until pods are as wanted; what the operator refuses is no longer waited for."""
    end = time.monotonic() + patience_s
    told = ""
    while True:
        items, _ = remote.ask("list-workloads", {"namespace": last["namespace"]})
        same = [i for i in items if (i["kind"], i["name"]) == (last["kind"], last["name"])]
        last = same[0] if same else last
        pods = last["pods"]
        if last["injected"] == wanted and pods.get("ready") == pods.get("wanted"):
            return last, True
        why = f"{last['reason']}: {last['message']}" if last["reason"] else "the operator has not changed it yet"
        doing = why if last["injected"] != wanted else "its pods are being replaced"
        if time.monotonic() >= end:
            say(f"it is not there after {patience_s:.0f} s: {doing}")
            return last, False
        if doing != told:
            say(f"waiting: {doing}")
            told = doing
        time.sleep(_POLL_S)


def _start(remote: Remote, args: argparse.Namespace) -> int:
    timeout_s = seconds(args.timeout)
    asked = infra_replay.asked(args)
    given: dict[str, Any] = {
        **_place(args),
        "snapshotId": asked.snapshot_id,
        "testConfigId": asked.test_config_id,
        "mode": asked.mode,
        "workloads": args.workload,
        "dryRun": args.dry_run,
    }
    more = {"tests": list(asked.tests), "mocks": list(asked.mocks), "cleanup": asked.cleanup, "name": args.name}
    given |= {key: value for key, value in {**more, "buildTag": asked.build_tag}.items() if value}
    _, made = remote.ask("replay-start", given)
    which = f"{made['namespace']}/{made['name']}"
    if args.dry_run or not args.wait:
        emit(args, made, f"{which} would be made" if args.dry_run else which)
        return 0
    say(f"TrafficReplay {which} was made")
    return _followed(remote, args, str(made["name"]), timeout_s, args.mode == "responder-only")


def _wait(remote: Remote, args: argparse.Namespace) -> int:
    (one,), _ = remote.ask("replay-status", {**_place(args), "name": args.name})
    return _followed(remote, args, args.name, seconds(args.timeout), one["mode"] == "responder-only")


def _followed(remote: Remote, args: argparse.Namespace, name: str, timeout_s: float, mocks_suffice: bool) -> int:
    """Follow a replay to its end; whatever ends this early, a replay that is to be canceled is."""
    asked = {**_place(args), "name": name, "mocksSuffice": mocks_suffice}
    outcome: dict[str, Any] = {"outcome": Ended.CANCELED.value, "message": "waiting was ended before the replay"}
    status: Any = {}
    ended = False
    try:
        for item in remote.each("replay-follow", asked, timeout_s=min(timeout_s, _EVER_S)):
            if "result" in item:
                outcome, ended = item["result"], True
            else:
                status = item["status"]
                say(str(item["standing"]))
    except KeyboardInterrupt:
        pass
    finally:
        if not ended:
            _unfinished(remote, args, name)
    data = {"name": name, "namespace": args.namespace, "status": status}
    data |= {key: outcome[key] for key in ("outcome", "message")}
    emit(args, data, f"{args.namespace}/{name}: {outcome['outcome']}: {outcome['message']}")
    return Ended(outcome["outcome"]).exit_code


def _unfinished(remote: Remote, args: argparse.Namespace, name: str) -> None:
    if not args.cancel_on_exit:
        say(f"{name} runs on; speedctl infra replay cancel {name} -n {args.namespace} --via cloud ends it")
        return
    remote.ask("replay-cancel", {**_place(args), "name": name})
    say(f"{name} is canceled")


def _list(remote: Remote, args: argparse.Namespace) -> int:
    items, result = remote.ask("replay-status", _place(args, all_of=True))
    _noted(result)
    items.sort(key=lambda one: (one["namespace"], one["name"]))
    head = ("NAMESPACE", "NAME", "ACTIVE", "MODE", "SNAPSHOT", "CREATED", "STATUS")
    rows = [
        (
            one["namespace"],
            one["name"],
            "yes" if one["status"].get("active") else "no",
            one["mode"],
            one["snapshotId"],
            one["created"],
            one["standing"],
        )
        for one in items
    ]
    emit(args, {"replays": items}, table(head, rows) if rows else "no replays")
    return 0


def _describe(remote: Remote, args: argparse.Namespace) -> int:
    (one,), _ = remote.ask("replay-status", {**_place(args), "name": args.name})
    events, _ = remote.ask("list-events", {**_place(args), "about": f"TrafficReplay/{args.name}"})
    lines = [
        f"{one['namespace']}/{one['name']}: {one['standing']}",
        f"  mode {one['mode']}, snapshot {one['snapshotId']}",
    ]
    lines += [f"  {c['type']}={c['status']} {c['reason']} {c['message']}" for c in one["status"]["conditions"]]
    lines += [f"  {e['time']} {e['type']} {e['reason']} {e['message']}" for e in events]
    emit(args, {**one, "events": events}, "\n".join(line.rstrip() for line in lines))
    return 0


def _cancel(remote: Remote, args: argparse.Namespace) -> int:
    timeout_s = seconds(args.timeout)
    asked = {**_place(args), "name": args.name, "wait": args.wait}
    _, result = remote.ask("replay-cancel", asked, timeout_s=timeout_s if args.wait else 60.0)
    say(f"{args.name} is canceled")
    return 0 if result["gone"] or not args.wait else 1


def ask(args: argparse.Namespace) -> int:
    """Give the inspector any command and print its items, a JSON document a line; the result is told on stderr."""

    def act(remote: Remote) -> int:
        timeout_s = seconds(args.timeout) if args.timeout else COMMANDS[args.command].timeout_s
        for item in remote.each(args.command, typed(args.command, args.arguments), timeout_s=timeout_s):
            if "result" in item and set(item) == {"result"}:
                say(json.dumps(item["result"], ensure_ascii=False, sort_keys=True))
            else:
                sys.stdout.write(json.dumps(item, ensure_ascii=False, sort_keys=True) + "\n")
                sys.stdout.flush()
        return 0

    args.via = "cloud"
    return with_remote(args, act)


def typed(command: str, given: list[str]) -> dict[str, Any]:
    """Return `name=value` words as arguments: text where the command wants text, JSON elsewhere."""
    properties = schema(COMMAND)["$defs"][command]["properties"]
    found: dict[str, Any] = {}
    for word in given:
        name, equals, text = word.partition("=")
        if not equals or name not in properties:
            known = ", ".join(properties) or "none"
            raise ConfigError([f"{word!r}: expected NAME=VALUE; the arguments of {command} are: {known}"])
        found[name] = text if _is_text(properties[name]) else _json(word, text)
    return found


def _is_text(prop: Mapping[str, Any]) -> bool:
    while "$ref" in prop:
        prop = schema(COMMAND)["$defs"][str(prop["$ref"]).rpartition("/")[2]]
    return "enum" in prop or prop.get("type") == "string"


def _json(word: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError([f"{word!r}: expected JSON behind the equals sign: {error}"]) from error


Act = Callable[[Remote, argparse.Namespace], int]
_ACTIONS: Mapping[tuple[str, str], Act] = {
    ("workloads", "run"): _workloads,
    ("sidecar", "add"): lambda remote, args: _sidecar(remote, args, True),
    ("sidecar", "remove"): lambda remote, args: _sidecar(remote, args, False),
    ("replay", "start"): _start,
    ("replay", "wait"): _wait,
    ("replay", "cancel"): _cancel,
    ("replay_views", "show_all"): _list,
    ("replay_views", "describe"): _describe,
}


def actions() -> Iterator[tuple[str, str]]:
    """Yield the actions that go through the backend."""
    yield from _ACTIONS
