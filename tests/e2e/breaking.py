"""Processes of pods killed from the node, as the kernel or a person would; and what callers notice meanwhile.

A container's first process is killed, so kubelet starts the container again; or one below it, by its place in the tree.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass

from harness.node import components
from harness.node.cluster import Node

from speedscale_kube import Object

_CHILDREN = """
import pathlib, sys
for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
        text = stat.read_text()
    except OSError:
        continue
    if text.rpartition(")")[2].split()[1] == sys.argv[1]:
        print(stat.parent.name)
"""
_CONNECT = frozenset({"7"})
"""curl's exit codes for a connection that could not be made (CURLE_COULDNT_CONNECT)."""


def container_id(pod: Object, name: str) -> str:
    """Return the id of a container that runs, also of an init container that does."""
    status = pod["status"]
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    (one,) = (each for each in found if each["name"] == name)
    return str(one["containerID"]).partition("//")[2]


def restarts(pod: Object, name: str) -> int:
    """Return how often a container was started again."""
    status = pod["status"]
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return sum(int(each["restartCount"]) for each in found if each["name"] == name)


def kill(node: Node, pod: Object, container: str) -> None:
    """Kill a container's first process, and with it the container."""
    node.run_in(*components.ctr(node.folder, "tasks", "kill", "--signal", "SIGKILL", container_id(pod, container)))


def kill_child(node: Node, pod: Object, container: str) -> None:
    """Kill the one child of a container's first process."""
    (child,) = children(node, _pid(node, container_id(pod, container)))
    node.run_in("kill", "-KILL", child)


def children(node: Node, pid: str) -> list[str]:
    """Return the processes (pids as the node counts) that a process started."""
    return node.run_in(sys.executable, "-c", _CHILDREN, pid).split()


def _pid(node: Node, container: str) -> str:
    for line in node.run_in(*components.ctr(node.folder, "tasks", "list")).splitlines():
        task, pid, *_ = line.split()
        if task == container:
            return pid
    raise AssertionError(f"container {container} does not run")


@dataclass(frozen=True)
class Noticed:
    """What callers saw: how many requests they made, what failed, and how."""

    requests: int
    not_connected: int
    cut: int
    wrong: int
    how: tuple[str, ...] = ()

    @property
    def errors(self) -> int:
        """All that did not go well."""
        return self.not_connected + self.cut + self.wrong


def calls(url: str, mark: str, *, each: int = 450, rate: int = 90, wrk_s: int = 3) -> str:
    """Return a shell script that calls `url`, each request bearing `mark`: curl on one connection as long as it holds,
    curl with a new one for each request, and wrk; `each` requests of each curl, `rate` a second.

    New connections by HTTP/1.0: the JDK's server ends a connection of 1.1 without saying so, and curl then sends its
    next request into the void before it tries again.
    """
    line = "%{http_code} %{exitcode} %{errormsg}\\n"
    curl = f"curl -s -o /dev/null --max-time 30 --rate {rate}/s -w '{line}'"
    return (
        f"{curl} '{url}?mark={mark}-kept&n=[1-{each}]' > /tmp/kept & "
        f"{curl} -0 '{url}?mark={mark}-new&n=[1-{each}]' > /tmp/new & "
        f"wrk -t1 -c1 -d{wrk_s}s --timeout 20s '{url}?mark={mark}-wrk' > /tmp/wrk; wait; "
        "cat /tmp/kept /tmp/new; echo wrk; cat /tmp/wrk"
    )


def noticed(output: str) -> Noticed:
    """Read what the script of `calls` printed."""
    curls, _, wrk = output.partition("wrk\n")
    results = [line.split(" ", 2) for line in curls.splitlines() if line]
    failed = [one for one in results if one[1] != "0"]
    connect = sum(code in _CONNECT for _, code, *_ in failed)
    wrong = sum(code == "0" and answer != "200" for answer, code, *_ in results)
    how = Counter(f"curl {code} {''.join(words)}" for _, code, *words in failed)
    asked = re.search(r"(\d+) requests in", wrk)
    assert asked, f"wrk said: {wrk}"
    errors = {kind: int(count) for kind, count in re.findall(r"\b(connect|read|write|timeout) (\d+)", wrk)}
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", wrk)
    how.update({f"wrk {kind}": count for kind, count in errors.items() if count})
    return Noticed(
        len(results) + int(asked[1]),
        connect + errors.get("connect", 0),
        len(failed) - connect + sum(errors.get(kind, 0) for kind in ("read", "write", "timeout")),
        wrong + (int(bad[1]) if bad else 0),
        tuple(f"{count} × {what}" for what, count in sorted(how.items())),
    )
